/** Several servers stand behind one Prisma Client: what is read of one that is behind lacks what another showed, and is read again. */
import { expect, it } from 'vitest'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { RowsAtFence } from '../../src/sets/fence.ts'
import { PageReads } from '../../src/sets/page-reads.ts'
import { RelatedRowReader } from '../../src/sets/related-row-reader.ts'
import { StreamFollower } from '../../src/sets/stream-follower.ts'
import { SEES_ALL } from '../../src/source/db/visibility.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'

const wait = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A reader whose reads come to these positions, one after the other; the last one stays. */
function readerOf(lsns: readonly string[], monotonicMs: () => number = () => 0) {
  const bus = createMemoryBus()
  const follower = new StreamFollower({ bus, look: async () => SEES_ALL, monotonicMs: () => 0, wait })
  let reads = 0
  const client = {
    $transaction: (run: (of: object) => unknown) => {
      const lsn = lsns[Math.min(reads, lsns.length - 1)]
      const id = ++reads
      return run({
        $queryRawUnsafe: async () => [{ snapshot: '900:900:', lsn, rewritten: false }],
        thing: { findMany: async () => [{ id }] },
      })
    },
  }
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(100n), serverLsn: toLsn(100n) })
  const turns = new PageReads<RowsAtFence>()
  return new RelatedRowReader({ client, progress: follower, turns, bytesOf: () => 0, monotonicMs, wait })
}

const request = { model: buildModel([buildField('id', 'Int')]), keyed: null }

it('gives what a server has that has come as far', async () => {
  const reader = readerOf(['0/8', '0/10', '0/100'])
  expect((await reader.read(request, 32)).rows).toEqual([{ id: 3 }])
})

it('ends whoever asks where none comes as far in time', async () => {
  let nowMs = 0
  const reader = readerOf(['0/8'], () => (nowMs += 1_000))
  await expect(reader.read(request, 32)).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
})
