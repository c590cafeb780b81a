/** What graphql-js says, in the installed version: each sentence is provoked, and one that is none of them is not taken for one. */
import {
  buildSchema,
  execute,
  GraphQLBoolean,
  GraphQLEnumType,
  GraphQLError,
  GraphQLFloat,
  GraphQLID,
  GraphQLInt,
  GraphQLString,
  parse,
  validate,
} from 'graphql'
import { expect, test } from 'vitest'
import * as sentences from '../../src/graphql/graphql-sentences.ts'

const schema = buildSchema(
  'type Query { first(size: Int!): Int, users(where: UserWhere): Int } input UserWhere { name: StringFilter } input StringFilter { equals: String }',
)

function said(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('Nothing was refused.')
}

async function saidOf(document: string, variableValues: Record<string, unknown> = {}): Promise<string> {
  const { errors } = await execute({ schema, document: parse(document), variableValues })
  return errors?.[0]?.message ?? ''
}

const faultsOf = (document: string) => validate(schema, parse(document)).map(({ message }) => message)

test('of what cannot be parsed, and of too many tokens', () => {
  const syntax = said(() => parse('{ hello'))
  expect(sentences.isSyntaxError(syntax)).toBe(true)
  expect(sentences.withoutSyntaxError(syntax)).not.toContain('Syntax Error')
  expect(sentences.isTokenLimit(syntax)).toBe(false)
  expect(sentences.isTokenLimit(said(() => parse('{ a b c }', { maxTokens: 3 })))).toBe(true)
})

test('of an argument whose variable does not fit', async () => {
  const missing = await saidOf('query ($size: Int = 1) { first(size: $size) }', { size: null })
  expect(sentences.isArgumentRefusal(missing)).toBe(true)
  expect(sentences.isArgumentRefusal(faultsOf('{ nothing }')[0] ?? '')).toBe(false)
})

test.each([
  ['not-finite', () => GraphQLFloat.serialize(Number.NaN)],
  ['not-finite', () => GraphQLFloat.serialize(Number.NEGATIVE_INFINITY)],
  ['int-out-of-range', () => GraphQLInt.serialize(2 ** 40)],
  ['wrong-type', () => GraphQLInt.serialize('x')],
  ['wrong-type', () => GraphQLBoolean.serialize('x')],
  ['wrong-type', () => GraphQLString.serialize([])],
  ['wrong-type', () => GraphQLID.serialize([])],
  ['unknown-label', () => new GraphQLEnumType({ name: 'Role', values: { A: {} } }).serialize('secret')],
] as const)('of a value that cannot be shown: %s %#', (reason, show) => {
  const message = said(show)
  expect(sentences.isScalarRefusal(message)).toBe(true)
  expect(sentences.quotesValue(message)).toBe(true)
  expect(sentences.scalarRefusalReason(message)).toBe(reason)
})

test('of a list that is none', () => {
  expect(sentences.isScalarRefusal(new GraphQLError('Said on purpose.').message)).toBe(false)
  expect(sentences.quotesValue('Said on purpose.')).toBe(false)
})

test('of names that may have been meant', () => {
  const [message = ''] = faultsOf('{ firs(size: 1) }')
  expect(message).toContain('"first"')
  expect(sentences.cutSuggestion(message)).toBe('Cannot query field "firs" on type "Query".')
})

test('of a value in the place of a filter, written out or in a variable', async () => {
  const written = faultsOf('{ users(where: { name: "Ada" }) }')
  expect(written.some(sentences.isFilterShorthand)).toBe(true)
  const given = await saidOf('query ($where: UserWhere) { users(where: $where) }', { where: { name: 'Ada' } })
  expect(sentences.isFilterShorthand(given)).toBe(true)
  expect(faultsOf('{ users(where: 7) }').some(sentences.isFilterShorthand)).toBe(false)
})
