/** What is said of a change and a filter: never another verdict than the delivery's, and the right place of the filter. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ChangeFilterInput, parseChangeFilter } from '../../../src/bus/filter/change-filter.ts'
import { explainChange } from '../../../src/bus/filter/explain-change.ts'
import { judgeChange } from '../../../src/bus/filter/judge-change.ts'
import { parseWhere } from '../../../src/bus/filter/parse-where.ts'
import type { ModelCatalog } from '../../../src/catalog/model-catalog.ts'
import type { AnyRow, ChangeAction } from '../../../src/changes/change.ts'
import { buildField, buildModel } from '../../support/catalog-builder.ts'
import { buildChange, type ChangeParts } from '../../support/filter-changes.ts'
import { whereFilter } from '../../support/where-arbitrary.ts'

const thing = buildModel([
  buildField('id', 'Int'),
  buildField('name', 'String', { isRequired: false }),
  buildField('isOpen', 'Boolean'),
])
const catalog: ModelCatalog = { formatVersion: 1, models: { Thing: thing }, enums: {}, joinTables: [] }
const row: fc.Arbitrary<AnyRow> = fc.record({
  id: fc.nat(5),
  name: fc.constantFrom(null, 'a', 'A', 'ab'),
  isOpen: fc.boolean(),
})
const change: fc.Arbitrary<ChangeParts> = fc.oneof(
  row.map((after) => ({ action: 'INSERT' as const, new: after })),
  fc.tuple(row, row).map(([old, after]) => ({ action: 'UPDATE' as const, old, new: after })),
  row.map((after) => ({ action: 'UPDATE' as const, new: after })),
  fc.option(row).map((old) => ({ action: 'DELETE' as const, old })),
  fc.constant({ action: 'TRUNCATE' as const }),
)
const where = whereFilter(
  {
    model: thing,
    catalog,
    rows: fc.sample(row, { seed: 1, numRuns: 40 }),
    jsonNulls: { DbNull: 0, JsonNull: 0, AnyNull: 0 },
  },
  thing.fields,
)
const request = fc.record(
  {
    ...{ where, old: where, new: where, rows: where },
    changed: fc.subarray(['id', 'name'], { minLength: 1 }),
    visible: fc.subarray(['id', 'name', 'isOpen'], { minLength: 1 }),
    isDeliveredWhenUnknown: fc.boolean(),
  },
  { requiredKeys: [] },
)

function explain(
  parts: ChangeParts,
  {
    rows,
    visible,
    isDeliveredWhenUnknown = true,
    actions,
    ...input
  }: ChangeFilterInput & {
    rows?: unknown
    visible?: readonly string[]
    isDeliveredWhenUnknown?: boolean
    actions?: readonly ChangeAction[]
  },
) {
  const filter = parseChangeFilter(thing, catalog, input, {
    rows: rows === undefined ? null : parseWhere(thing, catalog, rows),
    visible: visible === undefined ? null : { fields: new Set(visible), isDeliveredWhenUnknown },
  })
  const built = buildChange(parts)
  return { filter, built, steps: explainChange({ model: thing, catalog, actions, filter, input }, built) }
}

describe('an explanation', () => {
  it('agrees with the delivery, and says what of it no value stands in', () => {
    let misses = 0
    fc.assert(
      fc.property(change, request, (parts, asked) => {
        const { filter, built, steps } = explain(parts, asked)
        const isMatch = filter === null || judgeChange(filter, built).verdict === 'match'
        expect(steps.every(({ isPassed }) => isPassed)).toBe(isMatch)
        misses += isMatch ? 0 : 1
      }),
      { numRuns: 3_000 },
    )
    expect(misses).toBeGreaterThan(500)
  })

  const insert = (after: AnyRow): ChangeParts => ({
    action: 'INSERT',
    new: { id: 1, name: 'a', isOpen: true, ...after },
  })
  const update = (old: AnyRow, after: AnyRow): ChangeParts => ({
    action: 'UPDATE',
    old: { id: 1, name: 'a', isOpen: true, ...old },
    new: { id: 1, name: 'a', isOpen: true, ...after },
  })

  it.each<[string, ChangeParts, ChangeFilterInput, string]>([
    [
      'a value',
      insert({ id: 2 }),
      { where: { name: 'a', id: 7 } },
      '`where.id` is not true of the row after it',
    ],
    [
      'one of several operators',
      insert({ id: 2 }),
      { where: { id: { gte: 1, lt: 2, not: 9 } } },
      '`where.id.lt` is not true of the row after it',
    ],
    [
      'an operator with a mode',
      insert({ name: 'abc' }),
      { where: { name: { startsWith: 'A', endsWith: 'X', mode: 'insensitive' } } },
      '`where.name.endsWith` is',
    ],
    [
      'both rows of an update, each by its own',
      update({ id: 1, isOpen: false }, { id: 2 }),
      { where: { isOpen: true, id: { equals: 1 } } },
      '`where.id.equals` is not true of the row after it, nor `where.isOpen` of the row before it',
    ],
    [
      'deep within AND',
      insert({ id: 2 }),
      { where: { AND: [{ name: 'a' }, { AND: { isOpen: true, id: { in: [7] } } }] } },
      '`where.AND[1].AND.id.in` is',
    ],
    ['alternatives', insert({}), { where: { OR: [{ id: 7 }, { name: 'z' }] } }, '`where.OR` is'],
    ['a NOT', insert({}), { new: { NOT: { id: 1 } } }, '`new.NOT` is'],
    [
      'the row before',
      update({}, {}),
      { old: { isOpen: false } },
      '`old.isOpen` is not true of the row before it',
    ],
    [
      'a row that there is not',
      insert({}),
      { old: { id: 1 } },
      '`old` asks for a row that a change of this kind does not have',
    ],
    [
      'fields that did not change',
      update({}, { id: 9 }),
      { changed: ['name'] },
      'None of the fields that `changed` names differs',
    ],
    ['rows of a truncate', { action: 'TRUNCATE' }, { new: { id: 1 } }, 'a TRUNCATE names none'],
    [
      'what was not sent',
      { action: 'DELETE', old: null },
      { where: { id: 1 } },
      '`where` cannot be answered without the old row, which PostgreSQL did not send',
    ],
  ])('names %s', (_name, parts, input, text) => {
    const { steps } = explain(parts, input)
    expect(steps.map(({ stage, isPassed }) => [stage, isPassed])).toEqual([
      ['allowed', true],
      ['matched', false],
    ])
    expect(steps[1]?.text).toContain(text)
  })

  it('names the action', () => {
    const { steps } = explain(insert({}), { actions: ['UPDATE', 'DELETE'] })
    expect(steps[1]?.text).toBe('`action` does not name INSERT, which it is.')
  })

  it('stops at a policy, and shows nothing of its conditions nor of what it hides', () => {
    const hidden = explain(insert({ id: 4 }), {
      rows: { name: 'secret' },
      where: { id: 7 },
      actions: ['DELETE'],
    })
    expect(hidden.steps).toEqual([
      { stage: 'allowed', isPassed: false, text: 'A policy hides it: `rows` of Thing.' },
    ])
    const unseen = explain(update({}, { isOpen: false }), { visible: ['id'], where: { isOpen: true } })
    expect(unseen.steps).toEqual([
      { stage: 'allowed', isPassed: false, text: 'It changed nothing of Thing that you may see.' },
    ])
    // A row that goes out of sight: of the one after it nothing is said.
    const left = explain(update({}, { name: 'b' }), { rows: { name: 'a' }, where: { id: 7 } })
    expect(left.steps[1]?.text).toBe(
      'It is not what the subscription asks for: `where.id` is not true of the row before it.',
    )
  })
})
