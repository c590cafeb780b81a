import { describe, expect, it } from 'vitest'
import {
  areSameColumns,
  columnsOf,
  isTableColumns,
  type TableColumns,
} from '../../src/source/published/table-columns.ts'

/** `id`, `note` and `spare`, of one CREATE TABLE. */
const before: TableColumns = { names: 'id______note____spar____', written: [[700, 3]] }
const now = (names: string, ...written: [number, number][]): TableColumns => ({ names, written })

describe('columns are the same', () => {
  it.each<[string, TableColumns, boolean, boolean]>([
    ['when nothing differs', before, true, true],
    ['when one is added', now('id______note____spar____more____', [700, 3], [701, 1]), true, true],
    ['when one is dropped', now('id______note____--------', [700, 2], [0, 1]), true, true],
    [
      'not when one is dropped and made again',
      now('id______--------spar____note____', [700, 1], [0, 1], [700, 2]),
      false,
      false,
    ],
    ['not when two change their names', now('id______wasn____note____', [700, 1], [701, 2]), false, false],
    ['when one gets another name', now('id______othr____spar____', [700, 1], [701, 1], [700, 1]), true, true],
    [
      'when one is altered, and nothing is written again',
      now('id______note____spar____', [700, 1], [701, 2]),
      false,
      true,
    ],
    [
      'not when one is altered, and the table is written again',
      now('id______note____spar____', [700, 1], [701, 2]),
      true,
      false,
    ],
    ['where nothing is said of who wrote it', now('id______note____spar____', [700, 1], [0, 2]), true, true],
  ])('%s', (_title, columns, isRewritten, areSame) => {
    expect(areSameColumns(before, columns, isRewritten)).toBe(areSame)
  })

  it('not where one that had a value for rows of before it is written again, by whatever', () => {
    const added = now('id______note____spar____', [700, 2], [0, 1])
    expect(areSameColumns(added, now('id______note____spar____', [700, 2], [702, 1]), true)).toBe(false)
    expect(areSameColumns(added, now('id______note____spar____', [700, 2], [702, 1]), false)).toBe(true)
    expect(areSameColumns(added, added, true)).toBe(true)
  })

  it('whatever comes of those that no field reads', () => {
    const of = (spare: number) =>
      columnsOf(
        [
          [1, 'id', 700],
          [spare, 'spare', 700 + spare],
          [4, 'note', 700],
        ],
        ['id', 'note'],
      )
    expect(of(2)).toEqual(of(3))
    expect(of(2).written).toEqual([
      [700, 1],
      [0, 2],
      [700, 1],
    ])
  })

  it('of one reader and of the next, whose schema has a field more', () => {
    const raw = [[1, 'id', 700] as const, [2, 'note', 700] as const]
    expect(areSameColumns(columnsOf(raw, ['id']), columnsOf(raw, ['id', 'note']), true)).toBe(true)
    const [, again] = raw
    const moved = [raw[0] ?? again, [3, 'note', 700] as const]
    expect(areSameColumns(columnsOf(raw), columnsOf(moved as typeof raw), false)).toBe(false)
  })

  it('not when two swap their names, whose hashes have 16 bits in common', () => {
    const of = (...names: string[]) => columnsOf(names.map((name, at) => [at + 1, name, 700] as const))
    expect(areSameColumns(of('id', 'c32', 'c316'), of('id', 'c316', 'c32'), false)).toBe(false)
  })

  it('where an older process wrote four digits of each name', () => {
    const old: TableColumns = { names: 'id__noteidentity', written: [[700, 4]] }
    expect(areSameColumns(old, { names: 'note____id______', written: [[700, 2]] }, true)).toBe(true)
    expect(areSameColumns(before, { names: 'spar____id__', written: [[700, 3]] }, true)).toBe(true)
  })

  it('not when a label of an enum gets another name, and when labels come', () => {
    const of = (...labels: number[]) => columnsOf([[1, 'id', 700] as const, [2, 'hue', 700, labels] as const])
    expect(of(700, 700).labels).toEqual([[2, [[700, 2]]]])
    expect(areSameColumns(of(700, 700), of(700, 700, 701), false)).toBe(true)
    expect(areSameColumns(of(700, 700, 701), of(700, 700, 701, 701, 702), false)).toBe(true)
    for (const renamed of [of(701, 700), of(700, 701), of(701, 701)])
      expect(areSameColumns(of(700, 700), renamed, false)).toBe(false)
    // Of what an older process has written nothing is known, and another column is another one's.
    const plain = columnsOf([
      [1, 'id', 700],
      [2, 'hue', 700],
    ])
    expect(areSameColumns(plain, of(701, 701), false)).toBe(true)
    expect(areSameColumns(of(700), plain, false)).toBe(true)
  })

  it('where an older process has not looked at them', () => {
    expect([areSameColumns(undefined, before, true), areSameColumns(before, undefined, true)]).toEqual([
      true,
      true,
    ])
  })
})

it('what a message says is columns, or nothing', () => {
  expect(isTableColumns(JSON.parse(JSON.stringify(before)))).toBe(true)
  for (const value of [null, 'x', { names: 1, written: [] }, { names: '' }, { names: '', written: [[1]] }])
    expect(isTableColumns(value)).toBe(false)
  expect(isTableColumns({ names: 'id______', written: [[700, 2 ** 60]] })).toBe(false)
  expect(isTableColumns({ ...before, labels: [[2, [[700, 2]]]] })).toBe(true)
  for (const labels of [null, 1, [[2]], [['2', []]], [[2, [[1]]]]])
    expect(isTableColumns({ ...before, labels })).toBe(false)
  // Whoever may write to the database may write a message: it costs no memory.
  expect(areSameColumns({ names: 'id______', written: [[700, 2 ** 50]] }, before, true)).toBe(true)
})
