/** What an operation can ask for, counted before it is executed. */
import { buildSchema, isObjectType, Kind, parse } from 'graphql'
import { expect, test } from 'vitest'
import { coerceVariables } from '../../src/graphql/graphql-version.ts'
import { createSizeLimit, sizeOfOperation } from '../../src/server/execution/operation-size.ts'

const schema = buildSchema(`
  type Query { posts(take: Int = 50): [Post!] sum(of: [Int!]): Int tags: [String] feed(first: Int, last: Int): Feed
    _entities(representations: [_Any!]!): [_Entity]! }
  scalar _Any
  union _Entity = Post | User
  type Post { id: Int comments(take: Int): [Comment!] author: User }
  type User { id: Int posts(take: Int): [Post!] }
  type Comment { id: Int post: Post }
  type Feed { edges: [Edge] }
  type Edge { node: Post }
`)
for (const name of ['Post', 'Comment', 'User']) {
  const type = schema.getType(name)
  if (isObjectType(type)) type.extensions = { pothosPrismaModel: name }
}

const NO_BOUND = { rows: Number.POSITIVE_INFINITY, cost: Number.POSITIVE_INFINITY }
const sizeOf = (query: string, variableValues: Record<string, unknown> = {}) =>
  sizeOfOperation({ schema, document: parse(query), variableValues }, NO_BOUND)

const rowsOf = (query: string, variableValues: Record<string, unknown>) => sizeOf(query, variableValues).rows

test('variables count with what they hold', () => {
  const query =
    'query ($n: Int, $is: Boolean = true) { posts(take: 10) { comments(take: $n) @include(if: $is) { id } } }'
  expect(rowsOf(query, { n: 100 })).toBe(10 + 10 * 100)
  expect(rowsOf(query, { n: 100, is: false })).toBe(10)
  expect(rowsOf(query, { n: 'many' })).toBe(0)
})

test('entities of a subgraph count as often as they are asked for, inline or in variables', () => {
  const query =
    'query ($of: [_Any!]!) { _entities(representations: $of) { ... on User { posts(take: 200) { id } } } }'
  const representations = (count: number) => Array.from({ length: count }, () => ({ __typename: 'User' }))
  expect(rowsOf(query, { of: representations(1_000) })).toBe(1_000 + 1_000 * 200)
  expect(rowsOf(query, { of: representations(1)[0] as never })).toBe(1 + 200)
  const inline = query
    .replace('$of)', `[${'{ __typename: "User" } '.repeat(3)}])`)
    .replace('($of: [_Any!]!) ', '')
  expect(rowsOf(inline, {})).toBe(3 + 3 * 200)
  expect(
    rowsOf('query ($of: [_Any!]!) { _entities(representations: $of) { ... on User { id } } }', {
      of: representations(7),
    }),
  ).toBe(7)
})

test('a long list of what does not fit costs no more than a few errors', () => {
  const [operation] = parse('query ($of: [Int!]) { sum(of: $of) }').definitions
  const definitions =
    operation?.kind === Kind.OPERATION_DEFINITION ? (operation.variableDefinitions ?? []) : []
  const of = Array.from({ length: 1_000 }, () => 'no number')
  const { variables, errors } = coerceVariables(schema, definitions, { of })
  expect(variables).toBeNull()
  expect(errors.length).toBeLessThan(60)
})

/** What a list of the size costs at a level: its objects, and what each of them has. */
const list = (level: number, size: number, each: number) => size * (2 * 1.5 ** level + each)
const value = (level: number) => 1.5 ** level

test('a cost is multiplied by the size of each list that it is in, at every depth', () => {
  const { cost } = sizeOf(
    '{ posts(take: 7) { id comments(take: 5) { id post { id comments(take: 3) { id } } } } }',
  )
  const innermost = list(4, 3, value(5))
  const post = 2 * 1.5 ** 3 + value(4) + innermost
  expect(cost).toBeCloseTo(list(1, 7, value(2) + list(2, 5, value(3) + post)), 6)
})

test.each<[string, Record<string, unknown>, number]>([
  ['{ posts { id } }', {}, 50],
  ['{ posts(take: 9) { id } }', {}, 9],
  ['{ posts(take: -9) { id } }', {}, 9],
  ['{ posts(take: null) { id } }', {}, 50],
  ['query ($n: Int) { posts(take: $n) { id } }', {}, 50],
  ['query ($n: Int) { posts(take: $n) { id } }', { n: 9 }, 9],
  ['query ($n: Int = 9) { posts(take: $n) { id } }', {}, 9],
  ['query ($n: Int = 9) { posts(take: $n) { id } }', { n: null }, 50],
  ['query ($n: Int = 9) { ...F } fragment F on Query { posts(take: $n) { ... on Post { id } } }', {}, 9],
])('the cost of %s with %j is that of %i', (query, variables, size) => {
  expect(sizeOf(query, variables).cost).toBeCloseTo(list(1, size, value(2)), 6)
})

test('aliases cost each; an empty list costs its look; a list without a size is one; connections have one', () => {
  const one = sizeOf('{ a: posts(take: 4) { id } }').cost
  expect(sizeOf('{ a: posts(take: 4) { id } b: posts(take: 4) { id } }').cost).toBeCloseTo(2 * one, 6)
  expect(sizeOf('{ posts(take: 0) { id } }').cost).toBe(3)
  expect(sizeOf('{ tags }').cost).toBe(1.5)
  const feed = (size: string) => sizeOf(`{ feed${size} { edges { node { id } } } }`)
  expect(feed('(first: 100)').rows).toBe(100)
  expect(feed('(last: 20)').cost).toBeCloseTo(feed('(first: 100)').cost / 5, 6)
  expect(feed('').rows).toBe(50)
})

test('one result has as many changes as it may have rows and cost for, and at least one', () => {
  const changesMax = (query: string, rows: number, cost: number) =>
    createSizeLimit({ rows, cost }).changesMaxOf({ schema, document: parse(query), variableValues: {} })
  const query = '{ posts(take: 30) { id } }'
  const { cost } = sizeOf(query)
  expect(changesMax(query, 100, Number.POSITIVE_INFINITY)).toBe(3)
  expect(changesMax(query, 1_000, cost * 2.5)).toBe(2)
  expect(changesMax(query, 30, cost)).toBe(1)
  expect(changesMax(query, 29, cost)).toBe(1)
  expect(changesMax('{ tags }', 100, Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY)
})
