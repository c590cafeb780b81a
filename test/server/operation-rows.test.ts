/** Rows that an operation can ask for, counted before it is executed. */
import { buildSchema, isObjectType, Kind, parse } from 'graphql'
import { expect, test } from 'vitest'
import { coerceVariables } from '../../src/graphql/graphql-version.ts'
import { countRows } from '../../src/server/operation-rows.ts'

const schema = buildSchema(`
  type Query { posts(take: Int = 50): [Post!] sum(of: [Int!]): Int }
  type Post { id: Int comments(take: Int): [Comment!] }
  type Comment { id: Int }
`)
for (const name of ['Post', 'Comment']) {
  const type = schema.getType(name)
  if (isObjectType(type)) type.extensions = { pothosPrismaModel: name }
}

const rowsOf = (query: string, variableValues: Record<string, unknown>) =>
  countRows({ schema, document: parse(query), variableValues }, 1_000_000)

test('variables count with what they hold', () => {
  const query =
    'query ($n: Int, $is: Boolean = true) { posts(take: 10) { comments(take: $n) @include(if: $is) { id } } }'
  expect(rowsOf(query, { n: 100 })).toBe(10 + 10 * 100)
  expect(rowsOf(query, { n: 100, is: false })).toBe(10)
  expect(rowsOf(query, { n: 'many' })).toBe(0)
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
