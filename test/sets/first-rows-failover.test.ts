/** Another server takes over while first rows are read: what they had may be in nobody's table any more. */

import { expect, it } from 'vitest'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { FirstRows } from '../../src/sets/first-rows.ts'
import { HeldPages } from '../../src/sets/held-pages.ts'
import { PageSizes } from '../../src/sets/page-sizes.ts'
import { SEES_ALL } from '../../src/source/db/visibility.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'

const PROMOTED = { ...PLAIN_ORIGIN, timeline: PLAIN_ORIGIN.timeline + 1 }
const [floorLsn, serverLsn] = [toLsn(10n), toLsn(10n)]

it('ends, though nothing has come of the new server', async () => {
  const bus = createMemoryBus()
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn, serverLsn })
  bus.passed(toLsn(300n))
  const rows = new FirstRows({
    changeCursor: async () => bus.cursorBefore(SEES_ALL) ?? '',
    subscribe: (after) => bus.subscribe({ model: 'User', after }),
    // A row that was written at 390, which the standby has not got.
    readPage: async () => ({
      ...{ rows: [{ id: 1 }], bytes: 1 },
      fence: { sees: () => true, endLsn: toLsn(400n), text: '' },
    }),
    keyOf: ({ id }) => ({ id }),
    compareKeys: (a, b) => Number(a['id']) - Number(b['id']),
    sizes: new PageSizes(10, () => 1_000),
    held: new HeldPages(1_000_000),
    wait: () => new Promise((resolve) => setImmediate(resolve)),
  })
  expect((await rows.next()).value).toMatchObject({ kind: 'read', row: { id: 1 } })
  const sharedLsn = toLsn(350n)
  bus.open({ ...PROMOTED, isFirst: false, floorLsn: sharedLsn, serverLsn: toLsn(360n), sharedLsn })
  bus.passed(toLsn(500n))
  await expect(rows.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
})
