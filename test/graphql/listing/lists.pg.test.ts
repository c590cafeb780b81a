/** Lists on the root: what a query finds is what the subscription's filter judges, and pages by key are the whole list, cut. */
import { PrismaPg } from '@prisma/adapter-pg'
import fc from 'fast-check'
import {
  coerceInputValue,
  type ExecutionResult,
  execute,
  type GraphQLInputType,
  type GraphQLSchema,
  parse,
} from 'graphql'
import { describe, expect, it } from 'vitest'
import { Prisma, PrismaClient } from '../../../prisma/generated/client/client.ts'
import { catalog } from '../../../prisma/generated/rowcast.ts'
import { compileCondition } from '../../../src/bus/filter/compile-condition.ts'
import { isFilterObject } from '../../../src/bus/filter/filter-object.ts'
import { graphqlOperatorName } from '../../../src/bus/filter/operators.ts'
import { TRUE } from '../../../src/bus/filter/outcome.ts'
import { parseWhere } from '../../../src/bus/filter/parse-where.ts'
import type { FieldSpec } from '../../../src/catalog/model-catalog.ts'
import { buildServiceSchema } from '../../../src/graphql/service-schema.ts'
import { noRowOf } from '../../../src/sets/no-row.ts'
import { columnText } from '../../support/column-text.ts'
import { openDatabase, type TestDatabase } from '../../support/database.ts'
import { since } from '../../support/since.ts'
import { type AnyObject, whereFilter } from '../../support/where-arbitrary.ts'
import { createFakeFeed } from '../fake-feed.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 20_261_127)
const RUNS = Number(process.env['ROWCAST_TEST_FILTERS'] ?? 150)
const USERS = 30

interface Lists extends AsyncDisposable {
  readonly database: TestDatabase
  readonly prisma: PrismaClient
  readonly schema: GraphQLSchema
  run(source: string, variableValues?: Record<string, unknown>): Promise<ExecutionResult>
}

async function openLists(): Promise<Lists> {
  const database = await openDatabase({ migrate: true })
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) })
  const feed = createFakeFeed(catalog, [])
  const schema = buildServiceSchema({ catalog, prisma, feed, models: {} })
  return {
    ...{ database, prisma, schema },
    run: async (source, variableValues = {}) => {
      const result = await execute({ schema, document: parse(source), variableValues, contextValue: {} })
      return JSON.parse(JSON.stringify(result))
    },
    async [Symbol.asyncDispose]() {
      await prisma.$disconnect()
      await database[Symbol.asyncDispose]()
    },
  }
}

const usersOf = (data: ExecutionResult['data']) =>
  (data?.['users'] ?? []) as readonly { readonly id: string }[]

const visible = catalog.models.User.fields.filter(({ isOmitted }) => !isOmitted)

/** Few values of each column, so that filters hit and orders have equals. */
async function insertUsers({ database }: Lists): Promise<void> {
  const columns = visible.filter(({ name }) => name !== 'id' && name !== 'email')
  const pools = columns.map((field, at) =>
    fc
      .sample(columnText(field, catalog), { seed: SEED + at, numRuns: 12 })
      .map((text) => (field.type === 'DateTime' ? (text?.replaceAll(/(\.\d{3})\d+/g, '$1') ?? null) : text))
      .filter((text) => field.type !== 'DateTime' || text === null || /^(19|20)\d\d-[^B]*$/.test(text))
      .filter((text) => field.type !== 'Json' || !/1e400|\d{15}/.test(text ?? ''))
      .filter((text) => field.type !== 'Decimal' || text !== 'NaN')
      .slice(0, 4),
  )
  const names = ['email', ...columns.map(({ column }) => column)].map((name) => `"${name}"`)
  for (let user = 0; user < USERS; user += 1) {
    const values = pools.map((pool, at) => pool[(user * (at + 3) + at) % pool.length] ?? null)
    const parameters = names.map((_, at) => `$${at + 1}`)
    await database.query(`INSERT INTO users (${names}) VALUES (${parameters})`, [`u${user}@x`, ...values])
  }
}

/** A filter of Prisma's as GraphQL writes it. */
function written(where: unknown): unknown {
  if (Array.isArray(where)) return where.map(written)
  const entries = Object.entries(Object(where)).map(([name, value]) => {
    const field = visible.find((each) => each.name === name)
    return [name, field === undefined ? written(value) : writtenFilter(field, value)]
  })
  return Object.fromEntries(entries)
}

function writtenFilter(field: FieldSpec, filter: unknown): unknown {
  if (filter === null) return null
  if (!isFilterObject(filter)) return { equals: writtenValue(field, filter) }
  const entries = Object.entries(filter).map(([operator, operand]) => {
    if (operator === 'mode') return [operator, String(operand).toUpperCase()]
    if (operator === 'path' || operator === 'isEmpty') return [operator, operand]
    if (field.type === 'Json') return writtenJson(operator, operand)
    if (operator !== 'not' || operand === null) return [operator, writtenValue(field, operand)]
    return [operator, writtenFilter(field, operand)]
  })
  return Object.fromEntries(entries)
}

function writtenJson(operator: string, operand: unknown): [string, unknown] {
  const nulls = [Prisma.DbNull, Prisma.JsonNull, Prisma.AnyNull] as const
  const kind = ['DB_NULL', 'JSON_NULL', 'ANY_NULL'][nulls.indexOf(operand as never)]
  return kind === undefined ? [graphqlOperatorName(operator), operand] : [`${operator}Null`, kind]
}

function writtenValue(field: FieldSpec, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => writtenValue(field, each))
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (field.nativeType === 'Date' && value !== null)
    return new Date(value as string).toISOString().slice(0, 10)
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'bigint' || Prisma.Decimal.isDecimal(value) ? String(value) : value
}

const testInUnicodeLocale = since(
  17,
  'the builtin locale C.UTF-8: before it the embedded server folds ASCII only',
)

describe('where', () => {
  testInUnicodeLocale(
    'finds what the filter of a subscription judges to be asked for',
    { timeout: 120_000 },
    async () => {
      await using lists = await openLists()
      await insertUsers(lists)
      const rows = (await lists.prisma.user.findMany({})) as readonly AnyObject[]
      expect(rows.length).toBe(USERS)
      const subject = { model: catalog.models.User, catalog, rows, jsonNulls: Prisma }
      const type = lists.schema.getType('UserWhere') as GraphQLInputType
      const seen = { compared: 0, refused: 0, matches: 0 }
      await fc.assert(
        fc.asyncProperty(whereFilter(subject, visible), async (where) => {
          const given = written(where)
          const { data, errors } = await lists.run(
            'query ($w: UserWhere) { users(where: $w, first: 200) { id } }',
            { w: given },
          )
          const judge = () => {
            const coerced = coerceInputValue(given, type)
            const isMatch = compileCondition(
              parseWhere(catalog.models.User, catalog, coerced, { emptyObjects: 'refuse' }),
            )
            return rows.filter((row) => isMatch(row) === TRUE).map(({ id }) => id)
          }
          if (errors !== undefined) {
            seen.refused += 1
            // What is refused is refused with a word, and by both.
            expect(errors[0]?.extensions?.['code'] ?? errors[0]?.message).toMatch(
              /BAD_FILTER|FILTER_TOO_COSTLY|Variable "\$w"/,
            )
            return
          }
          const found = usersOf(data).map(({ id }) => id)
          expect(found).toEqual(judge().sort())
          seen.compared += 1
          seen.matches += found.length
        }),
        { seed: SEED, numRuns: RUNS },
      )
      expect(seen.compared).toBeGreaterThan(RUNS / 2)
      expect(seen.matches).toBeGreaterThan(RUNS)
    },
  )
})

describe('no row', () => {
  it('is none, whatever stands beside it', { timeout: 60_000 }, async () => {
    await using lists = await openLists()
    await lists.database.query(`INSERT INTO users (email) VALUES ('a@x'), ('b@x')`)
    const { prisma } = lists
    for (const field of visible.filter(({ isList, type }) => !isList && type !== 'Json')) {
      const where = { AND: [{ email: 'a@x' }, noRowOf([field])] }
      expect([field.name, await prisma.user.count({ where: where as never })]).toEqual([field.name, 0])
    }
    const id = '00000000-0000-0000-0000-000000000000'
    for (const args of ['where: { OR: [] }', `where: { OR: [] }, after: { id: "${id}" }`]) {
      const { data } = await lists.run(`{ users(${args}) { id } }`)
      expect(usersOf(data)).toEqual([])
    }
  })
})

/** Prisma Client takes `nulls` of fields that may be null alone. */
function prismaSort(name: string, { sort, nulls }: { sort: string; nulls?: string | undefined }) {
  const field = catalog.models.User.fields.find((each) => each.name === name)
  return (nulls === undefined || field?.isRequired === true ? sort : { sort, nulls }) as 'asc'
}

describe('pages by key', () => {
  it('are the whole list in its order, cut, also where the row they begin after is gone', {
    timeout: 120_000,
  }, async () => {
    await using lists = await openLists()
    await insertUsers(lists)
    const names = [
      'fullName',
      'balance',
      'storageBytes',
      'signInCount',
      'isActive',
      'birthDate',
      'createdAt',
      'deletedAt',
    ]
    const sorts = fc.record({
      sort: fc.constantFrom('asc', 'desc'),
      nulls: fc.constantFrom('first', 'last', undefined),
    })
    const orders = fc.array(fc.tuple(fc.constantFrom(...names), sorts), { maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(orders, fc.integer({ min: 1, max: 12 }), async (parts, first) => {
        const order = [...new Map(parts)]
        const orderBy = order.map(([name, { sort, nulls }]) => ({
          [name]: `${sort}${nulls === undefined ? '' : `_nulls_${nulls}`}`.toUpperCase(),
        }))
        const whole = await lists.prisma.user.findMany({
          orderBy: [...order.map(([name, sort]) => ({ [name]: prismaSort(name, sort) })), { id: 'asc' }],
        })
        const fields = ['id', ...order.map(([name]) => name)]
        const source = `query ($o: [UserOrderBy!], $n: Int, $a: UserAfter) { users(orderBy: $o, first: $n, after: $a) { ${fields.join(' ')} } }`
        const walked: unknown[] = []
        for (let after: unknown = null; ; ) {
          const { data, errors } = await lists.run(source, { o: orderBy, n: first, a: after })
          expect(errors).toBeUndefined()
          const page = usersOf(data)
          if (page.length === 0) break
          walked.push(...page.map(({ id }) => id))
          after = page.at(-1)
        }
        expect(walked).toEqual(whole.map(({ id }) => id))
      }),
      { seed: SEED, numRuns: 60 },
    )
    const { data } = await lists.run('{ users(first: 10, orderBy: { createdAt: DESC }) { id createdAt } }')
    const page = usersOf(data)
    const rest = await lists.prisma.user.findMany({
      orderBy: [{ createdAt: 'desc' }, { id: 'asc' }],
      skip: 10,
      take: 5,
    })
    await lists.database.query('DELETE FROM users WHERE id = $1', [page.at(-1)?.id])
    const next = await lists.run(
      'query ($a: UserAfter) { users(first: 5, orderBy: { createdAt: DESC }, after: $a) { id } }',
      { a: page.at(-1) },
    )
    expect(next.data?.['users']).toEqual(rest.map(({ id }) => ({ id })))
  })

  it('say what cannot be meant', { timeout: 60_000 }, async () => {
    await using lists = await openLists()
    await lists.database.query(`INSERT INTO users (email) VALUES ('a@x')`)
    const codeOf = async (field: string) => {
      const { errors } = await lists.run(`{ ${field} { __typename } }`)
      return errors?.map(({ message, extensions }) => extensions?.['code'] ?? message)
    }
    const bad = ['GRAPHQL_BAD_ARGUMENT']
    const id = '00000000-0000-4000-8000-000000000000'
    expect(await codeOf('users(first: 201)')).toEqual(bad)
    expect(await codeOf('users(orderBy: [{}])')).toEqual(bad)
    expect(await codeOf('users(orderBy: [{ email: ASC, id: ASC }])')).toEqual(bad)
    expect(await codeOf('users(orderBy: [{ email: null }])')).toEqual(bad)
    expect(await codeOf('users(after: {})')).toEqual(bad)
    expect(await codeOf('users(after: { id: null })')).toEqual(bad)
    expect(await codeOf('users(after: { id: "x" })')).toEqual(bad)
    expect(await codeOf(`users(after: { id: "${id}", email: "x" })`)).toEqual(bad)
    expect(await codeOf(`users(orderBy: { role: ASC }, after: { id: "${id}" })`)).toEqual(bad)
    expect(await codeOf(`users(orderBy: { email: ASC }, after: { id: "${id}", email: "\\u0000" })`)).toEqual([
      'BAD_FILTER',
    ])
    expect(await codeOf('users(where: {})')).toEqual(['BAD_FILTER'])
    expect(await codeOf('users(where: { email: { endsWith: "\\\\" } })')).toEqual(['BAD_FILTER'])
    expect(await codeOf('users(where: { email: { equals: "\\u0000" } })')).toEqual(['BAD_FILTER'])
    expect(await codeOf('users(where: { email: { equals: "x" } }, orderBy: { email: DESC })')).toBeUndefined()
    const missing = await lists.run('query ($e: String) { users(where: { email: { equals: $e } }) { id } }')
    expect(missing.errors?.[0]?.extensions?.['code']).toBe('BAD_FILTER')
  })
})
