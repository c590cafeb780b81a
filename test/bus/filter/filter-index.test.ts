/** The index finds whom a scan of all subscribers would find, and keeps nothing of those that left. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createChangeFilter, parseChangeFilter } from '../../../src/bus/filter/change-filter.ts'
import { createFilterIndex } from '../../../src/bus/filter/filter-index.ts'
import { judgeChange } from '../../../src/bus/filter/judge-change.ts'
import { parseWhere } from '../../../src/bus/filter/parse-where.ts'
import type { ModelCatalog } from '../../../src/catalog/model-catalog.ts'
import { Decimal } from '../../../src/catalog/prisma-runtime.ts'
import { UnrepresentableValue } from '../../../src/catalog/values/unrepresentable-value.ts'
import type { AnyRow } from '../../../src/changes/change.ts'
import { isRowcastError } from '../../../src/errors.ts'
import { buildField, buildModel } from '../../support/catalog-builder.ts'
import { buildChange, type ChangeParts } from '../../support/filter-changes.ts'
import { whereFilter } from '../../support/where-arbitrary.ts'

const thing = buildModel([
  buildField('id', 'Int'),
  buildField('name', 'String', { isRequired: false }),
  buildField('price', 'Decimal', { isRequired: false }),
  buildField('at', 'DateTime'),
  buildField('isOpen', 'Boolean'),
  buildField('code', 'String', { nativeType: 'Char' }),
])
const catalog: ModelCatalog = { formatVersion: 1, models: { Thing: thing }, enums: {}, joinTables: [] }

const row: fc.Arbitrary<AnyRow> = fc.record({
  id: fc.nat(5),
  name: fc.constantFrom(null, 'a', 'A', 'ab', new UnrepresentableValue('unreadable', null)),
  price: fc.constantFrom(null, new Decimal('1.0'), new Decimal('1.00'), new Decimal(2)),
  at: fc.constantFrom(new Date(0), new Date(1)),
  isOpen: fc.boolean(),
  code: fc.constantFrom('a   ', 'b   '),
})
const rows: readonly AnyRow[] = fc.sample(row, { seed: 1, numRuns: 40 })
const partialRow = fc
  .tuple(row, fc.subarray(['name', 'price']))
  .map(
    ([whole, missing]) =>
      [
        Object.fromEntries(Object.entries(whole).filter(([field]) => !missing.includes(field))),
        missing,
      ] as const,
  )

const change: fc.Arbitrary<ChangeParts> = fc.oneof(
  row.map((after) => ({ action: 'INSERT' as const, new: after })),
  fc.tuple(row, row).map(([old, after]) => ({ action: 'UPDATE' as const, old, new: after })),
  partialRow.map(([after, unavailable]) => ({ action: 'UPDATE' as const, new: after, unavailable })),
  fc.option(row).map((old) => ({ action: 'DELETE' as const, old })),
  fc.constant({ action: 'DELETE' as const, isOldMissing: true }),
  row.map((after) => ({ action: 'UPDATE' as const, new: after, isOldMissing: true })),
  fc.constant({ action: 'TRUNCATE' as const }),
)
const where = whereFilter(
  { model: thing, catalog, rows, jsonNulls: { DbNull: 0, JsonNull: 0, AnyNull: 0 } },
  thing.fields,
)
const filter = fc
  .record(
    { where, old: where, new: where, rows: where, changed: fc.subarray(['id', 'name'], { minLength: 1 }) },
    { requiredKeys: [] },
  )
  .map(({ rows: policy, ...input }) =>
    parseChangeFilter(thing, catalog, input, {
      rows: policy === undefined ? null : parseWhere(thing, catalog, policy),
    }),
  )

describe('the filter index', () => {
  it('finds all whose verdict is not a miss, each once, while subscribers come and go', () => {
    let found = 0
    let asked = 0
    fc.assert(
      fc.property(
        fc.array(filter, { minLength: 1, maxLength: 20 }),
        fc.array(fc.oneof(change, fc.nat(19)), { maxLength: 30 }),
        (filters, steps) => {
          const index = createFilterIndex<number>(thing)
          const present = new Set<number>()
          const toggle = (subscriber: number) => {
            if (present.delete(subscriber)) {
              index.remove(subscriber)
            } else {
              present.add(subscriber)
              index.add(subscriber, filters[subscriber] ?? null)
            }
          }
          for (const subscriber of filters.keys()) toggle(subscriber)
          for (const step of steps) {
            if (typeof step === 'number') {
              if (step < filters.length) toggle(step)
              continue
            }
            const made = buildChange(step)
            const candidates = index.candidates(made)
            expect(new Set(candidates).size).toBe(candidates.length)
            const isWanted = (subscriber: number) => {
              const wanted = filters[subscriber]
              return wanted === null || wanted === undefined || judgeChange(wanted, made).verdict !== 'miss'
            }
            const naive = [...present].filter(isWanted)
            expect(candidates.filter(isWanted).sort()).toEqual(naive.sort())
            found += candidates.length
            asked += present.size
          }
          for (const subscriber of [...present]) toggle(subscriber)
          expect(index.size).toEqual({ subscribers: 0, scanned: 0, keys: 0 })
        },
      ),
      { numRuns: 1_500 },
    )
    // It saves something even where every filter is about the same few values.
    expect(found).toBeLessThan(asked * 0.8)
  })

  it('asks one subscriber of many on distinct keys', () => {
    const index = createFilterIndex<number>(thing)
    for (let id = 0; id < 20_000; id++) {
      index.add(id, parseChangeFilter(thing, catalog, { where: { id, isOpen: true } }))
    }
    expect(index.size).toEqual({ subscribers: 20_000, scanned: 0, keys: 20_000 })
    const after = { id: 7, name: null, price: null, at: new Date(0), isOpen: true, code: 'a' }
    expect(index.candidates(buildChange({ action: 'INSERT', new: after }))).toEqual([7])
    const moved = buildChange({ action: 'UPDATE', old: after, new: { ...after, id: 9 } })
    expect([...index.candidates(moved)].sort()).toEqual([7, 9])
    for (let id = 0; id < 20_000; id++) index.remove(id)
    expect(index.size.keys).toBe(0)
  })

  it.each<[string, unknown, number]>([
    ['the narrowest of what has to hold', { AND: [{ isOpen: true }, { name: { in: ['x', 'y'] } }] }, 2],
    ['all of what is enough', { OR: [{ id: 1 }, { name: 'x' }, { price: null }] }, 3],
    ['what a NOT leaves', { NOT: { OR: [{ NOT: { id: 1 } }, { name: { contains: 'x' } }] } }, 1],
    ['a range beside an equality', { id: 3, at: { gt: new Date(0) } }, 1],
    ['text without regard to case', { name: { equals: 'X', mode: 'insensitive' } }, 1],
    ['nothing, where nothing can match', { OR: [] }, 0],
  ])('looks up %s', (_, given, keys) => {
    const index = createFilterIndex<string>(thing)
    index.add('it', parseChangeFilter(thing, catalog, { where: given }))
    expect(index.size).toEqual({ subscribers: 1, scanned: 0, keys })
  })

  it.each<[string, unknown]>([
    ['a range', { at: { gt: new Date(0) } }],
    ['what a value is not', { id: { not: 1 } }],
    ['an equality or a range', { OR: [{ id: 1 }, { at: { gt: new Date(0) } }] }],
  ])('asks about every change for %s', (_, given) => {
    const index = createFilterIndex<string>(thing)
    index.add('it', parseChangeFilter(thing, catalog, { where: given }))
    expect(index.size).toEqual({ subscribers: 1, scanned: 1, keys: 0 })
  })

  it('looks a filter up by its policy where that is narrower, of a row before by its key where only that was sent', () => {
    const index = createFilterIndex<string>(thing)
    const rowsOfOne = parseWhere(thing, catalog, { id: 1 })
    index.add(
      'it',
      createChangeFilter({ where: parseWhere(thing, catalog, { isOpen: true }), rows: rowsOfOne }),
    )
    expect(index.size).toMatchObject({ scanned: 0, keys: 1 })
    expect(index.candidates(buildChange({ action: 'INSERT', new: { isOpen: true } }))).toEqual([])
    expect(index.candidates(buildChange({ action: 'DELETE' }))).toEqual(['it'])
    expect(index.candidates(buildChange({ action: 'DELETE', key: { id: 1 } }))).toEqual(['it'])
    expect(index.candidates(buildChange({ action: 'DELETE', key: { id: 2 } }))).toEqual([])
    expect(index.candidates(buildChange({ action: 'DELETE', old: { id: 1, isOpen: true } }))).toEqual(['it'])
  })

  it('takes a subscriber once, and lets go of one it does not have', () => {
    const index = createFilterIndex<string>(thing)
    index.add('it', null)
    index.remove('other')
    let caught: unknown
    try {
      index.add('it', null)
    } catch (error) {
      caught = error
    }
    expect(isRowcastError(caught, 'BUG')).toBe(true)
  })
})
