/** What a broker reports, and what of it lets PostgreSQL forget a change. */
import { expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import { RowcastError } from '../../src/errors.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { StreamPosition } from '../../src/source/session/ack-state.ts'
import { BlockedModels } from '../../src/source/session/blocked-models.ts'
import { createRelayFeed } from '../../src/source/session/relay-feed.ts'
import { PublicationGuard } from '../../src/source/watch/publication-guard.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import type { ReplicationConnection } from '../../src/wire/replication-connection.ts'
import { createDeferred } from '../support/deferred.ts'

it('a change is safe once the broker has accepted it for good, and not before', () => {
  const position = new StreamPosition({ bytes: 0, minutes: 0 }, () => 0)
  const floorLsn = toLsn(10n)
  const identity = { systemId: '7', timeline: 1, flushedLsn: toLsn(100n) }
  position.begin(identity, { kind: 'first', floorLsn }, floorLsn)
  const nobody = {
    onDrift() {},
    onRecovery() {},
    onTables() {},
    onEvidence() {},
    onProgress() {},
    onCut() {},
  }
  const feed = createRelayFeed({
    ...{ relay: undefined, position, connectionNow: () => null, onProgress() {} },
    faults: { guard: createGuard(silentLogger) },
    guard: new PublicationGuard({
      registry: createRelationRegistry({ catalog, models: [catalog.models.Tag] }),
      ...{ publication: 'rowcast', slot: 'rowcast', logger: silentLogger, listener: nobody },
    }),
    blocked: new BlockedModels({ onBlocked() {}, onTables() {}, onCut() {} }),
  })
  const seen: bigint[] = []
  const note = () => seen.push(position.safeLsn, position.reachedLsn)
  feed.onBegin({ kind: 'begin', xid: 7, finalLsn: toLsn(15n), committedAtMicros: 0n })
  note()
  feed.onHandedOver(toLsn(20n))
  note()
  feed.onWritten(toLsn(20n))
  note()
  feed.onAccepted(toLsn(20n))
  note()
  expect(seen).toEqual([10n, 10n, 10n, 10n, 10n, 20n, 20n, 20n])
})

it('a stream whose broker is gone ends, also where waiting for the broker fails in rowcast itself', async () => {
  const logged: unknown[] = []
  const failed = createDeferred<Error>()
  const connection = {
    pause() {
      throw new TypeError('pause is not there')
    },
    abort: (error: Error) => failed.resolve(error),
  } as unknown as ReplicationConnection
  const feed = createRelayFeed({
    ...{ relay: undefined, connectionNow: () => connection, onProgress() {} },
    faults: { guard: createGuard({ error: (_message, fields) => logged.push(fields?.['errorId']) }) },
    // Of neither is anything asked where a stream ends.
    ...({} as { position: StreamPosition; guard: PublicationGuard; blocked: BlockedModels }),
  })
  const lost = new RowcastError('BROKER_LOST', 'The connection to Redis was lost.')
  feed.onFailure(lost)
  expect(await failed.promise).toBe(lost)
  expect(logged).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/)])
})
