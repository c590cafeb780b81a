import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/bus/bus.ts'
import { conflate } from '../../src/bus/conflate.ts'
import { createInvalidDate } from '../../src/catalog/values/unrepresentable-value.ts'
import type { AnyChange } from '../../src/changes/change.ts'
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

interface Step {
  readonly kind: string
  readonly id: number
  readonly to: number
}

function changeOf({ kind, id, to }: Step, at: number): Partial<AnyChange> {
  if (kind === 'truncate') return { action: 'TRUNCATE', key: null, new: null }
  if (kind === 'gone') return { action: 'DELETE', key: { id }, new: null }
  const isMoved = kind === 'move' && id !== to
  return { action: 'UPDATE', key: { id: to }, oldKey: isMoved ? { id } : null, new: { at } }
}

/** The rows of a client that has these changes, by their keys. */
function fold(deliveries: readonly Delivery[]): ReadonlyMap<unknown, unknown> {
  const rows = new Map<unknown, unknown>()
  for (const { change } of deliveries) {
    if (change.action === 'TRUNCATE') rows.clear()
    if (change.oldKey != null) rows.delete(change.oldKey['id'])
    if (change.action === 'DELETE') rows.delete(change.key?.['id'])
    else if (change.key !== null) rows.set(change.key['id'], change.new?.['at'])
  }
  return new Map([...rows].sort())
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
    const step = fc.record({ kind: fc.constantFrom('put', 'gone', 'move', 'truncate'), id: ids, to: ids })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const all = deliver(...steps.map((each, at) => changeOf(each, at)))
        expect(fold(conflate(all))).toEqual(fold(all))
      }),
      { numRuns: 500 },
    )
  })

  it('drops everything before a TRUNCATE', () => {
    const deliveries = deliver({ key: { id: 1 } }, { action: 'TRUNCATE', key: null }, { key: { id: 2 } })
    expect(indexes(conflate(deliveries))).toEqual([1, 2])
  })

  it('keeps all changes of rows that have no key', () => {
    expect(indexes(conflate(deliver({ key: null }, { key: null })))).toEqual([0, 1])
  })
})
