import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/bus/bus.ts'
import { conflate } from '../../src/bus/conflate.ts'
import { createInvalidDate } from '../../src/catalog/values/unrepresentable-value.ts'
import type { AnyChange } from '../../src/changes/change.ts'
import { applyChange, type ListChange } from '../../src/client/apply-change.ts'
import { plainChange } from '../support/plain-change.ts'

function deliver(...changes: readonly Partial<AnyChange>[]): Delivery[] {
  return changes.map((details, index) => ({
    change: plainChange({ index, ...details }),
    transition: null,
    hidesOld: false,
    hidesNew: false,
    isLastOfTransaction: true,
  }))
}

interface Row {
  readonly id: number
  readonly big?: number
}

interface Step {
  readonly kind: string
  readonly id: number
  readonly to: number
}

/** A change as it stands in the queue; of a row that is there, `big` comes with every other one only. */
function deliveryOf({ kind, id, to }: Step, at: number): Delivery {
  const isWhole = kind === 'put' || at % 2 === 0
  const [unavailable, row] = isWhole ? [[], { at, big: at }] : [['big'], { at }]
  const isMoved = (kind === 'move' || kind === 'left') && id !== to
  const details: Partial<AnyChange> =
    kind === 'truncate'
      ? { action: 'TRUNCATE', key: null }
      : kind === 'gone'
        ? // Also what a mark is reported as: by the key that the row had, without the one it went with.
          { action: 'DELETE', key: { id } }
        : kind === 'put'
          ? { action: 'INSERT', key: { id }, new: row }
          : { action: 'UPDATE', key: { id: to }, oldKey: isMoved ? { id } : null, new: row, unavailable }
  const delivery = deliver({ ...details, index: at })[0] as Delivery
  return { ...delivery, transition: kind === 'left' ? 'LEFT' : null }
}

/**
 * The rows of a client that has these changes: `applyChange` of rowcast/client, which is what clients have. Only what can happen
 * happens: rows that are there are updated, and none moves onto another.
 */
function fold(deliveries: readonly Delivery[]) {
  let rows: readonly Row[] = []
  for (const { change, transition } of deliveries) {
    const { action, key, oldKey, unavailable } = change
    const row = change.new === null ? null : ({ ...key, ...change.new } as unknown as Row)
    const listed = { action, key, old: oldKey ?? key, new: row, unavailable, transition } as ListChange<Row>
    rows = applyChange(rows, listed, { key: 'id', sort: (a, b) => a.id - b.id })
  }
  return rows
}

/** Of random steps those that a table can have: rows that are there change, and none takes the key of another. */
function possible(steps: readonly Step[]): Step[] {
  let ids = new Set<number>()
  return steps.flatMap((step) => {
    const { kind, id } = step
    const to = kind === 'update' ? id : step.to
    if (kind === 'put' ? ids.has(id) : kind !== 'truncate' && !ids.has(id)) return []
    if ((kind === 'move' || kind === 'left') && to !== id && ids.has(to)) return []
    if (kind === 'truncate') ids = new Set()
    else ids.delete(id)
    if (kind !== 'gone' && kind !== 'truncate') ids.add(kind === 'put' ? id : to)
    return [{ ...step, to }]
  })
}

/** A queue conflates whenever it is full, what is kept of before included. */
function conflateAt(bound: number, all: readonly Delivery[]): Delivery[] {
  let kept: Delivery[] = []
  for (const delivery of all) {
    kept.push(delivery)
    if (kept.length >= bound) kept = conflate(kept)
  }
  return conflate(kept)
}

const indexes = (deliveries: readonly Delivery[]) => deliveries.map((d) => d.change.index)

describe('conflate', () => {
  it('keeps the latest delivery of each row, in order', () => {
    expect(indexes(conflate(deliver({ key: { id: 1 } }, { key: { id: 2 } }, { key: { id: 1 } })))).toEqual([
      1, 2,
    ])
  })

  it('distinguishes keys of every type', () => {
    const keys = [
      { id: 1n },
      { id: '1' },
      { id: 1 },
      { id: new Uint8Array([1]) },
      { a: 1, b: 2 },
      { a: 12, b: 0 },
      { id: Number.NaN },
      { id: Number.POSITIVE_INFINITY },
      { id: Number.NEGATIVE_INFINITY },
      { id: createInvalidDate('infinite-date', Number.POSITIVE_INFINITY) },
      { id: createInvalidDate('infinite-date', Number.NEGATIVE_INFINITY) },
      { id: createInvalidDate('date-out-of-range', Date.UTC(12_000, 0)) },
      { id: createInvalidDate('date-out-of-range', Date.UTC(12_001, 0)) },
    ]
    expect(conflate(deliver(...keys.map((key) => ({ key }))))).toHaveLength(keys.length)
  })

  it('keeps what replaced a key, or may have: nobody else says that the row before is gone', () => {
    const moved = { action: 'UPDATE', key: { id: 2 }, oldKey: { id: 1 } } as const
    const [before, after] = [{ key: { id: 1 } }, { action: 'UPDATE', key: { id: 2 } } as const]
    expect(indexes(conflate(deliver(before, moved, after, after)))).toEqual([1, 3])
    // There and back, and another row under the key that was left.
    const back = { action: 'UPDATE', key: { id: 1 }, oldKey: { id: 2 } } as const
    expect(indexes(conflate(deliver(moved, back, before, before)))).toEqual([0, 1, 3])
    expect(indexes(conflate(deliver({ ...moved, oldKey: undefined }, after)))).toEqual([0, 1])
  })

  it('leaves whoever folds what is kept with the rows of whoever folds everything', () => {
    const ids = fc.integer({ min: 0, max: 3 })
    const kind = fc.constantFrom('put', 'gone', 'update', 'move', 'left', 'truncate')
    const step = fc.record({ kind, id: ids, to: ids })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 30 }), (steps, bound) => {
        const all = possible(steps).map(deliveryOf)
        const rows = fold(all)
        // Who hears of a row that left and came back has forgotten what is not sent again; who did not hear of it may have it.
        const kept = fold(conflateAt(bound, all)).map((row, n) =>
          rows[n]?.big === undefined ? { ...row, big: undefined } : row,
        )
        expect(kept).toEqual(rows)
      }),
      { numRuns: process.env['ROWCAST_LONG'] === undefined ? 500 : 20_000 },
    )
  })

  it('keeps who had a field that the latest came without, as it did not change', () => {
    const update = { action: 'UPDATE', key: { id: 1 } } as const
    const whole = { ...update, new: { id: 1, note: 'a', body: 'long' } }
    const partial = { ...update, new: { id: 1, note: 'b' }, unavailable: ['body'] }
    expect(indexes(conflate(deliver(whole, whole, partial, partial)))).toEqual([1, 3])
    // What nobody ever sends keeps nothing, and a row that was there before has nothing of this one.
    expect(indexes(conflate(deliver(partial, partial)))).toEqual([1])
    const gone = { action: 'DELETE', key: { id: 1 } } as const
    expect(indexes(conflate(deliver(whole, gone, whole)))).toEqual([2])
    // The client may have the row that had the key, with another body.
    const moved = { ...partial, oldKey: { id: 2 } }
    expect(indexes(conflate(deliver(gone, { ...whole, key: { id: 2 } }, moved)))).toEqual([0, 1, 2])
  })

  it('drops everything before a TRUNCATE', () => {
    const deliveries = deliver({ key: { id: 1 } }, { action: 'TRUNCATE', key: null }, { key: { id: 2 } })
    expect(indexes(conflate(deliveries))).toEqual([1, 2])
  })

  it('keeps all changes of rows that have no key', () => {
    expect(indexes(conflate(deliver({ key: null }, { key: null })))).toEqual([0, 1])
  })
})
