/** Subscriptions whose filters have the same key are judged once for all: each gets what it would get by itself. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Delivery } from '../../src/bus/bus.ts'
import { createChangeFilter, parseChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { ModelCatalog } from '../../src/catalog/model-catalog.ts'
import type { AnyChange, ChangeAction } from '../../src/changes/change.ts'
import { isRowcastError } from '../../src/errors.ts'
import { parseFilterArguments } from '../../src/graphql/where/filter-arguments.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { buildChange, type ChangeParts } from '../support/filter-changes.ts'
import { plainTransaction } from '../support/plain-change.ts'

const thing = buildModel([buildField('id', 'Int'), buildField('name', 'String', { isRequired: false })])
const catalog: ModelCatalog = { formatVersion: 1, models: { Thing: thing }, enums: {}, joinTables: [] }

const row = fc.record({ id: fc.nat(3), name: fc.constantFrom(null, 'a', 'b') })
const change: fc.Arbitrary<ChangeParts> = fc.oneof(
  row.map((after) => ({ action: 'INSERT' as const, new: after })),
  fc.tuple(row, row).map(([old, after]) => ({ action: 'UPDATE' as const, old, new: after })),
  // Without its old row: some filters cannot be answered.
  row.map((after) => ({ action: 'UPDATE' as const, new: after })),
  fc.option(row).map((old) => ({ action: 'DELETE' as const, old })),
)
const condition = fc.constantFrom(
  { id: 1 },
  { id: { lt: 2 } },
  { name: 'a' },
  { name: null },
  { name: { not: 'b' } },
)
const input = fc.record(
  { where: condition, old: condition, new: condition, rows: condition },
  { requiredKeys: [] },
)
const member = fc.record({
  which: fc.nat(2),
  actions: fc.constantFrom<readonly ChangeAction[] | undefined>(undefined, ['INSERT'], ['UPDATE', 'DELETE']),
  /** Transactions that are over when it comes. */
  since: fc.constantFrom(0, 0, 0, 1, 2),
})

type Input = typeof input extends fc.Arbitrary<infer I> ? I : never
type Member = typeof member extends fc.Arbitrary<infer M> ? M : never

/** What each member gets, in words. */
async function deliver(
  inputs: readonly Input[],
  members: readonly Member[],
  transactions: readonly (readonly ChangeParts[])[],
): Promise<string[][]> {
  const bus = createMemoryBus({ models: catalog.models })
  bus.open({ systemId: '1', timeline: 1, isFirst: true, floorLsn: 1n as never, serverLsn: 1n as never })
  const filters = inputs.map(({ rows, ...given }) =>
    parseChangeFilter(thing, catalog, given, {
      rows: rows === undefined ? null : parseWhere(thing, catalog, rows),
    }),
  )
  const reading: Promise<string[]>[] = []
  const subscribe = ({ which, actions }: Member) => {
    const filter = filters[which % filters.length] ?? null
    const keyed = filter === null ? null : createChangeFilter(filter, `key ${which % filters.length}`)
    const subscription = bus.subscribe({ model: 'Thing', actions, filter: keyed })
    return (async () => {
      const seen: string[] = []
      try {
        for await (const delivery of subscription) seen.push(describe(delivery))
      } catch (error) {
        seen.push(isRowcastError(error) ? error.code : String(error))
      }
      return seen
    })()
  }
  for (const [count, changes] of [...transactions, []].entries()) {
    for (const each of members) if (each.since === count) reading.push(subscribe(each))
    const transaction = plainTransaction(count + 2)
    const made = changes.map((parts, index) => ({ ...buildChange(parts), index, transaction }) as AnyChange)
    if (made.length > 0) bus.publish({ transaction, changes: made, isFinal: true, byteLength: 0 })
  }
  bus.close()
  return Promise.all(reading)
}

function describe({ change: { action, index, transaction }, ...rest }: Delivery): string {
  const { transition, hidesOld, hidesNew, isLastOfTransaction } = rest
  return JSON.stringify([transaction.xid, index, action, transition, hidesOld, hidesNew, isLastOfTransaction])
}

it('each gets what it would get by itself', async () => {
  let shared = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(input, { minLength: 1, maxLength: 3 }),
      fc.array(member, { minLength: 4, maxLength: 8 }),
      fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 6 }),
      async (inputs, members, transactions) => {
        const inOrder = [...members].sort((a, b) => a.since - b.since)
        const together = await deliver(inputs, inOrder, transactions)
        const alone = await Promise.all(inOrder.map((each) => deliver(inputs, [each], transactions)))
        expect(together).toEqual(alone.flat())
        shared += together.flat().length
      },
    ),
    { numRuns: 1_000 },
  )
  expect(shared).toBeGreaterThan(1_000)
})

it('a key distinguishes arguments, rights and left-out fields, and nothing else', () => {
  const view = (text: string | null, where?: object) => ({
    rows:
      where === undefined
        ? null
        : { condition: parseWhere(thing, catalog, where), test: () => 0 as never, asksRows: false, where },
    hidden: new Set<string>(),
    text,
  })
  const key = (given: object, text: string | null, omit: readonly string[] = []) =>
    parseFilterArguments(catalog, { model: thing, omit }, given, view(text, { id: 1 }))?.key
  const keys = [
    key({}, 'one'),
    key({}, 'two'),
    key({ where: { id: 1 } }, 'one'),
    key({ where: { id: 2 } }, 'one'),
    key({ old: { id: 1 } }, 'one'),
    key({ where: { name: null } }, 'one'),
    key({ changed: ['id'] }, 'one'),
    key({}, 'one', ['name']),
  ]
  expect(new Set(keys).size).toBe(keys.length)
  expect(keys.every((each) => typeof each === 'string' && each !== '')).toBe(true)
  expect(key({ where: { name: 'a', id: 1 } }, 'one')).toBe(key({ where: { id: 1, name: 'a' } }, 'one'))
  // Whose rights are not known shares with nobody.
  expect(key({}, null)).toBeNull()
})
