/** What a broker reports, and what of it lets PostgreSQL forget a change. */
import { expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import { silentLogger } from '../../src/logger.ts'
import { StreamPosition } from '../../src/source/session/ack-state.ts'
import { BlockedModels } from '../../src/source/session/blocked-models.ts'
import { createRelayFeed } from '../../src/source/session/relay-feed.ts'
import { PublicationGuard } from '../../src/source/watch/publication-guard.ts'
import { toLsn } from '../../src/wire/lsn.ts'

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
