/** Another server takes over while related rows are read: what the one before had may be in nobody's table any more. */

import { expect, it } from 'vitest'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { RowsAtFence } from '../../src/sets/fence.ts'
import { PageReads } from '../../src/sets/page-reads.ts'
import { RelatedRowReader } from '../../src/sets/related-row-reader.ts'
import { StreamFollower } from '../../src/sets/stream-follower.ts'
import { SEES_ALL } from '../../src/source/db/visibility.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { createDeferred } from '../support/deferred.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'

const [floorLsn, serverLsn] = [toLsn(10n), toLsn(10n)]
const PROMOTED = { ...PLAIN_ORIGIN, timeline: PLAIN_ORIGIN.timeline + 1 }

it('nobody gets rows that are read for those who asked the server before', async () => {
  const bus = createMemoryBus()
  const monotonicMs = () => 0
  const wait = () => new Promise<void>((resolve) => setImmediate(resolve))
  const follower = new StreamFollower({ bus, look: async () => SEES_ALL, monotonicMs, wait })
  const before = createDeferred<readonly object[]>()
  const answers: Promise<readonly object[]>[] = [before.promise, Promise.resolve([])]
  const session = {
    $queryRawUnsafe: async () => [{ snapshot: '900:900:', lsn: '0/100', rewritten: false }],
    thing: { findMany: () => answers.shift() },
  }
  const client = { ...session, $transaction: (run: (of: object) => unknown) => run(session) }
  const turns = new PageReads<RowsAtFence>()
  const progress = follower
  const reader = new RelatedRowReader({ client, progress, turns, bytesOf: () => 0, monotonicMs, wait })
  const request = { model: buildModel([buildField('id', 'Int')]), keyed: null }
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn, serverLsn })
  const first = reader.read(request, 5)
  await wait()
  const sharedLsn = toLsn(20n)
  bus.open({ ...PROMOTED, isFirst: false, floorLsn: sharedLsn, serverLsn: sharedLsn, sharedLsn })
  follower.restart()
  const second = reader.read(request, 5)
  await wait()
  // A row that the standby has not got.
  before.resolve([{ id: 1 }])
  expect((await first).rows).toEqual([{ id: 1 }])
  expect((await second).rows).toEqual([])
})
