/** What ends a subscription before all of its first rows have come names no cursor after which the others would be missing. */

import { describe, expect, it } from 'vitest'
import type { ChangeBus } from '../../src/bus/bus.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { serverStopping } from '../../src/bus/server-stopping.ts'
import { parseCursor } from '../../src/changes/cursor.ts'
import { RowcastError } from '../../src/errors.ts'
import { FirstRows } from '../../src/sets/first-rows.ts'
import { HeldPages } from '../../src/sets/held-pages.ts'
import { PageSizes } from '../../src/sets/page-sizes.ts'
import { SEES_ALL } from '../../src/source/db/visibility.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'

const UNREADABLE = new RowcastError('MODEL_UNAVAILABLE', 'Its changes cannot be read.')
const ENDS: Readonly<Record<string, (bus: ChangeBus) => void>> = {
  SERVER_STOPPING: (bus) => bus.stop(serverStopping),
  MODEL_UNAVAILABLE: (bus) => bus.hold(new Map([['User', UNREADABLE]])),
}

/** Two rows, in a page each. */
function twoRows() {
  const bus = createMemoryBus()
  bus.open({ ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(10n) })
  bus.passed(toLsn(500n))
  const rows = new FirstRows({
    changeCursor: async () => bus.cursorBefore(SEES_ALL) ?? '',
    subscribe: (after) => bus.subscribe({ model: 'User', after }),
    readPage: async (behind) => ({
      ...{ rows: behind === null ? [{ id: 1 }] : behind['id'] === 1 ? [{ id: 2 }] : [], bytes: 1 },
      fence: { sees: () => true, endLsn: toLsn(400n), text: '' },
    }),
    keyOf: ({ id }) => ({ id }),
    compareKeys: (a, b) => Number(a['id']) - Number(b['id']),
    sizes: new PageSizes(1, () => 1_000),
    held: new HeldPages(1_000_000),
    wait: () => new Promise((resolve) => setImmediate(resolve)),
  })
  const failure = () =>
    rows.next().then(
      () => expect.unreachable(),
      (error: unknown) => error as RowcastError,
    )
  return { bus, rows, failure }
}

describe.each(Object.entries(ENDS))('%s', (code, end) => {
  it('before READY has a cursor that nothing goes on after', async () => {
    const { bus, rows, failure } = twoRows()
    expect((await rows.next()).value).toMatchObject({ kind: 'read', row: { id: 1 } })
    end(bus)
    const error = await failure()
    expect(error.code).toBe(code)
    expect(parseCursor(String(error.details['cursor'])).isPartial).toBe(true)
  })

  it('behind READY has the one to go on after', async () => {
    const { bus, rows, failure } = twoRows()
    for (const kind of ['read', 'read', 'ready']) expect((await rows.next()).value).toMatchObject({ kind })
    end(bus)
    const error = await failure()
    expect(error.code).toBe(code)
    expect(parseCursor(String(error.details['cursor'])).isPartial).toBeUndefined()
  })
})
