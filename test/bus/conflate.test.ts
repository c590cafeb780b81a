import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/bus/bus.ts'
import { conflate } from '../../src/bus/conflate.ts'
import { createInvalidDate } from '../../src/catalog/values/unrepresentable-value.ts'
import type { AnyChange, TransactionInfo } from '../../src/changes/change.ts'
import { keyBefore } from '../../src/changes/key-before.ts'
import { applyChange, type ListChange } from '../../src/client/apply-change.ts'
import { plainChange, plainTransaction } from '../support/plain-change.ts'

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

/** What a row is to a subscriber: whether a policy lets it through, and whether `where` holds. */
interface Standing {
  readonly isSeen: boolean
  readonly isIn: boolean
}

interface Step extends Standing {
  readonly kind: string
  readonly id: number
  readonly to: number
}

/** A step that a table can have, and what the row was before it; null where there was none. */
interface Written extends Step {
  readonly before: Standing | null
}

/** A change as it stands in the queue, where it is for the subscriber; of a row that is there, `big` comes with every other one only. */
function deliveriesOf({ kind, id, to, before, isSeen, isIn }: Written, at: number): Delivery[] {
  const isWhole = kind === 'put' || at % 2 === 0
  const [unavailable, row] = isWhole ? [[], { at, big: at }] : [['big'], { at }]
  const details: Partial<AnyChange> =
    kind === 'truncate'
      ? { action: 'TRUNCATE', key: null }
      : kind === 'gone'
        ? // Also what a mark is reported as: by the key that the row had, without the one it went with.
          { action: 'DELETE', key: { id } }
        : kind === 'put'
          ? { action: 'INSERT', key: { id }, new: row }
          : { action: 'UPDATE', key: { id: to }, oldKey: id === to ? null : { id }, new: row, unavailable }
  const delivery = deliver({ ...details, index: at })[0] as Delivery
  if (kind === 'truncate') return [{ ...delivery, transition: 'LEFT' }]
  const wasIn = before?.isSeen === true && before.isIn
  const isInNow = kind !== 'gone' && isSeen && isIn
  if (!wasIn && !isInNow) return []
  const transition = wasIn && isInNow ? 'STAYED' : isInNow ? 'ENTERED' : 'LEFT'
  const hidesOld = before?.isSeen === false
  return [{ ...delivery, transition, hidesOld, hidesNew: kind !== 'gone' && !isSeen }]
}

/**
 * The rows of a client that has these changes: `applyChange` of rowcast/client, which is what clients have, of what GraphQL shows of them.
 */
function fold(deliveries: readonly Delivery[]) {
  let rows: readonly Row[] = []
  for (const { change, transition, hidesOld, hidesNew } of deliveries) {
    const { action, unavailable } = change
    const [key, oldKey] = hidesNew ? [keyBefore(change), null] : [change.key, hidesOld ? null : change.oldKey]
    const row = change.new === null || hidesNew ? null : ({ ...key, ...change.new } as unknown as Row)
    const listed = { action, key, oldKey, new: row, unavailable, transition } as ListChange<Row>
    rows = applyChange(rows, listed, { key: 'id', sort: (a, b) => a.id - b.id })
  }
  return rows
}

/** Of random steps those that a table can have: a row that is not there is put, and none takes the key of another. */
function possible(steps: readonly Step[]): Written[] {
  let rows = new Map<number, Standing>()
  return steps.flatMap((step) => {
    const { id } = step
    const before = rows.get(id) ?? null
    const isWrite = step.kind === 'update' || step.kind === 'move'
    const kind = isWrite && before === null ? 'put' : step.kind
    const to = kind === 'move' && !rows.has(step.to) ? step.to : id
    if (kind === 'gone' && before === null) return []
    if (kind === 'truncate') rows = new Map()
    else rows.delete(id)
    if (isWrite) rows.set(to, step)
    return [{ ...step, kind, to, before }]
  })
}

/** A queue conflates whenever it is full, what is kept of before included. */
function conflateAt(bound: number, all: readonly Delivery[]): Delivery[] {
  let kept: Delivery[] = []
  for (const delivery of all) {
    kept.push(delivery)
    if (kept.length > bound) kept = conflate(kept)
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
    const ids = fc.integer({ min: 0, max: 2 })
    const kind = fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom('update', 'move') },
      { weight: 3, arbitrary: fc.constant('gone') },
      { weight: 1, arbitrary: fc.constant('truncate') },
    )
    const isTrue = fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, fc.constant(false))
    const step = fc.record({ kind, id: ids, to: ids, isSeen: isTrue, isIn: isTrue })
    const steps = fc.array(step, { maxLength: 30, size: 'max' })
    const few = fc.integer({ min: 0, max: 20 })
    fc.assert(
      fc.property(steps, few, few, (steps, bound, taken) => {
        const all = possible(steps).flatMap(deliveriesOf)
        // What the client has taken before, it has.
        const kept = [...all.slice(0, taken), ...conflateAt(bound, all.slice(taken))]
        expect(fold(kept)).toEqual(fold(all))
      }),
      { numRuns: process.env['ROWCAST_LONG'] === undefined ? 1_000 : 50_000 },
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

it('a transaction whose last change fell away says it with the last that is kept', () => {
  const [first, second] = [plainTransaction(1), plainTransaction(2)]
  const write = (transaction: TransactionInfo, index: number, id: number) =>
    deliver({ transaction, index, action: 'UPDATE', key: { id }, new: { id } })[0] as Delivery
  const earlier = [write(first, 0, 1), write(first, 1, 2)].map((each, at) => ({
    ...each,
    isLastOfTransaction: at === 1,
  }))
  const kept = conflate([...earlier, write(second, 0, 2)])
  expect(kept.map(({ change, isLastOfTransaction }) => [change.key, isLastOfTransaction])).toEqual([
    [{ id: 1 }, true],
    [{ id: 2 }, true],
  ])
  // Others may wait for the same delivery, and get what followed it.
  expect(earlier[0]?.isLastOfTransaction).toBe(false)
})
