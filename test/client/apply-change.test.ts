/** A list kept up by changes is the list that a query would give. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { applyChange, type ListChange, type ListShape } from '../../src/client/apply-change.ts'

interface Row {
  readonly id: number
  readonly team: string
  readonly rank: number
  readonly body: string
}

const row = (id: number, more: Partial<Row> = {}): Row => ({ id, team: 'a', rank: 0, body: '', ...more })
const insert = (now: Row): ListChange<Row> => ({ action: 'INSERT', new: now, key: { id: now.id } })
const update = (old: Row, now: Row): ListChange<Row> => ({
  ...{ action: 'UPDATE', old: { id: old.id }, new: now, key: { id: now.id } },
})
const remove = (id: number): ListChange<Row> => ({ action: 'DELETE', new: null, key: { id } })
const byRank = (a: Row, b: Row) => a.rank - b.rank || a.id - b.id
const isOfTeamA = ({ team }: Row) => team === 'a'

/** A step of a table's life; the id picks a row that is there, or one that will be. */
type Step =
  | { readonly kind: 'write'; readonly row: Row }
  | { readonly kind: 'rename'; readonly id: number; readonly to: number }
  | { readonly kind: 'remove'; readonly id: number }
  | { readonly kind: 'truncate' }

const id = fc.integer({ min: 0, max: 8 })
const anyRow: fc.Arbitrary<Row> = fc.record({
  ...{
    id,
    team: fc.constantFrom('a', 'b'),
    rank: fc.integer({ min: 0, max: 3 }),
    body: fc.string({ maxLength: 3 }),
  },
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('write' as const), row: anyRow }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), id }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rename' as const), id, to: id }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'truncate' as const }) },
)

/** Does it to the table; the changes that PostgreSQL would show. */
function run(table: Map<number, Row>, one: Step): ListChange<Row> | null {
  if (one.kind === 'truncate') {
    table.clear()
    return { action: 'TRUNCATE', new: null, old: null, key: null }
  }
  if (one.kind === 'write') {
    const old = table.get(one.row.id)
    table.set(one.row.id, one.row)
    return old === undefined ? insert(one.row) : update(old, one.row)
  }
  const old = table.get(one.id)
  if (old === undefined || (one.kind === 'rename' && table.has(one.to))) return null
  table.delete(one.id)
  if (one.kind === 'remove') return remove(one.id)
  const now = { ...old, id: one.to }
  table.set(now.id, now)
  return update(old, now)
}

describe('applying changes', () => {
  it.each([
    ['all rows', { key: 'id' }],
    ['filtered and sorted rows', { key: 'id', where: isOfTeamA, sort: byRank }],
  ] as const)('to a list gives what the query would give again: %s', (_name, given) => {
    const shape: ListShape<Row> = given
    const query = (table: Map<number, Row>) => {
      const rows = [...table.values()].filter((each) => shape.where?.(each) ?? true)
      return rows.sort(shape.sort ?? ((a, b) => a.id - b.id))
    }
    fc.assert(
      fc.property(fc.array(step), fc.nat(), fc.nat(), (steps, from, to) => {
        const table = new Map<number, Row>()
        const changes: ListChange<Row>[] = []
        const cursor = steps.length === 0 ? 0 : from % steps.length
        // The query sees the table some way after the cursor: changes it has seen come once more.
        const queried = cursor + (to % (steps.length - cursor + 1))
        let list: readonly Row[] = []
        for (const [index, one] of steps.entries()) {
          if (index === queried) list = query(table)
          const change = run(table, one)
          if (change !== null && index >= cursor) changes.push(change)
        }
        if (queried === steps.length) list = query(table)
        for (const change of changes) {
          const before = structuredClone(list)
          const next = applyChange(list, change, shape)
          expect(list).toEqual(before)
          // What comes again right away changes nothing more.
          expect(applyChange(next, change, shape)).toEqual(next)
          list = next
        }
        expect(shape.sort === undefined ? list.toSorted((a, b) => a.id - b.id) : list).toEqual(query(table))
      }),
      { numRuns: 500 },
    )
  })

  it('keeps rows where they are, and adds new ones at the end, without a sort', () => {
    const list = [row(2), row(1)]
    expect(applyChange(list, update(row(2), row(2, { rank: 9 })), { key: 'id' })).toEqual([
      row(2, { rank: 9 }),
      row(1),
    ])
    expect(applyChange(list, insert(row(3)), { key: 'id' }).map((each) => each.id)).toEqual([2, 1, 3])
  })

  it('puts a row behind its equals', () => {
    const sort = (a: Row, b: Row) => a.rank - b.rank
    const list = [row(5, { rank: 1 }), row(4, { rank: 1 }), row(3, { rank: 2 })]
    expect(
      applyChange(list, insert(row(6, { rank: 1 })), { key: 'id', sort }).map((each) => each.id),
    ).toEqual([5, 4, 6, 3])
  })

  it('removes on LEFT, whatever the row is like now', () => {
    const left: ListChange<Row> = { ...update(row(1), row(1, { team: 'b' })), transition: 'LEFT' }
    expect(applyChange([row(1), row(2)], left, { key: 'id' })).toEqual([row(2)])
    // The viewer may not see the row any more.
    expect(applyChange([row(1), row(2)], { ...left, new: null }, { key: 'id' })).toEqual([row(2)])
  })

  it('keeps what PostgreSQL did not send', () => {
    const change = { ...update(row(1), row(1, { rank: 5 })), unavailable: ['body'] }
    expect(applyChange([row(1, { body: 'long' })], change, { key: 'id' })).toEqual([
      row(1, { rank: 5, body: 'long' }),
    ])
  })

  it('knows keys of several fields', () => {
    const list = [row(1, { team: 'a' }), row(1, { team: 'b' })]
    const gone: ListChange<Row> = { action: 'DELETE', key: { id: 1, team: 'a' } }
    expect(applyChange(list, gone, { key: ['id', 'team'] })).toEqual([list[1]])
  })

  it('gives the same array where nothing differs', () => {
    const list = [row(1)]
    expect(applyChange(list, remove(7), { key: 'id' })).toBe(list)
    expect(applyChange(list, { ...insert(row(7)), transition: 'LEFT' }, { key: 'id' })).toBe(list)
  })
})

describe('a column that is called rowId itself', () => {
  interface Seat {
    readonly id: number
    readonly rowId: number
  }
  const shape: ListShape<Seat> = { key: 'id' }
  const seats: readonly Seat[] = [
    { id: 1, rowId: 2 },
    { id: 2, rowId: 7 },
  ]

  it('of the row before does not pass for its id', () => {
    const now = { id: 1, rowId: 3 }
    const change = { action: 'UPDATE', new: now, old: { rowId: 2 }, key: { rowId: 1 } } as const
    expect(applyChange(seats, change, shape)).toEqual([now, seats[1]])
    expect(applyChange(seats, { action: 'DELETE', old: { rowId: 2 }, key: { rowId: 1 } }, shape)).toEqual([
      seats[1],
    ])
  })

  it('has the name, and the id one with an underscore', () => {
    const both = { rowId_: 1, rowId: 2 }
    const composite: ListShape<Seat> = { key: ['id', 'rowId'] }
    expect(applyChange(seats, { action: 'DELETE', key: both } as never, composite)).toEqual([seats[1]])
    const now = { id: 5, rowId: 2 }
    expect(applyChange(seats, { action: 'UPDATE', new: now, old: both } as never, shape)).toEqual([
      seats[1],
      now,
    ])
  })
})
