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

  it('drops everything before a TRUNCATE', () => {
    const deliveries = deliver({ key: { id: 1 } }, { action: 'TRUNCATE', key: null }, { key: { id: 2 } })
    expect(indexes(conflate(deliveries))).toEqual([1, 2])
  })

  it('keeps all changes of rows that have no key', () => {
    expect(indexes(conflate(deliver({ key: null }, { key: null })))).toEqual([0, 1])
  })
})
