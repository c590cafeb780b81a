/** A value that the type of its field cannot show is an error with a code on every transport, and never the value. */
import {
  GraphQLBoolean,
  GraphQLEnumType,
  GraphQLFloat,
  GraphQLID,
  GraphQLInt,
  GraphQLList,
  GraphQLObjectType,
  type GraphQLOutputType,
  GraphQLSchema,
  GraphQLString,
} from 'graphql'
import { describe, expect, test } from 'vitest'
import { SCALARS } from '../../src/graphql/scalars.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { createWsClient } from '../support/ws-client.ts'
import { postGraphql, startServer } from './server-fixture.ts'

const SECRET = 'hunter2'
const ROLE = new GraphQLEnumType({ name: 'Role', values: { ADMIN: {}, MEMBER: {} } })

/** A field's type, and what a resolver gives for it. */
const CASES: Readonly<Record<string, readonly [type: GraphQLOutputType, value: unknown]>> = {
  intTooLarge: [GraphQLInt, 2 ** 31],
  intTooSmall: [GraphQLInt, -(2 ** 31) - 1],
  intFraction: [GraphQLInt, 1.5],
  intNaN: [GraphQLInt, Number.NaN],
  intText: [GraphQLInt, SECRET],
  floatNaN: [GraphQLFloat, Number.NaN],
  floatInfinity: [GraphQLFloat, Number.POSITIVE_INFINITY],
  floatNegativeInfinity: [GraphQLFloat, Number.NEGATIVE_INFINITY],
  booleanText: [GraphQLBoolean, SECRET],
  textObject: [GraphQLString, { secret: SECRET }],
  idFraction: [GraphQLID, 1.5],
  enumUnknown: [ROLE, SECRET],
  dateInvalid: [SCALARS.DateTime, new Date(Number.NaN)],
  timeText: [SCALARS.Time, SECRET],
  bigIntText: [SCALARS.BigInt, SECRET],
  bigIntTooLarge: [SCALARS.BigInt, 2n ** 63n],
  decimalNaN: [SCALARS.Decimal, Number.NaN],
  bytesText: [SCALARS.Bytes, SECRET],
}
const NAMES = Object.keys(CASES)

const fields = Object.fromEntries(
  Object.entries(CASES).flatMap(([name, [type, value]]) => [
    [name, { type, resolve: () => value }],
    [`${name}List`, { type: new GraphQLList(type), resolve: () => [null, value] }],
  ]),
)

async function* once(): AsyncGenerator<number, undefined> {
  yield 1
  return undefined
}

const Row = new GraphQLObjectType({ name: 'Row', fields })
const schema = new GraphQLSchema({
  query: new GraphQLObjectType({ name: 'Query', fields: { row: { type: Row, resolve: () => ({}) } } }),
  subscription: new GraphQLObjectType({
    name: 'Subscription',
    fields: { row: { type: Row, subscribe: once, resolve: () => ({}) } },
  }),
})

const SELECTION = `{ row { ${NAMES.map((name) => `${name} ${name}List`).join(' ')} } }`

interface Answer {
  readonly data?: unknown
  readonly errors?: unknown
}

const TRANSPORTS: Readonly<Record<string, (url: string) => Promise<Answer>>> = {
  'a query over HTTP': async (url) => (await postGraphql(url, SELECTION)).body,
  'a query over SSE': async (url) => (await subscribeSse(url, SELECTION)).next(),
  'a subscription over SSE': async (url) => (await subscribeSse(url, `subscription ${SELECTION}`)).next(),
  'a query over WebSocket': (url) => firstOf(url, SELECTION),
  'a subscription over WebSocket': (url) => firstOf(url, `subscription ${SELECTION}`),
}

async function firstOf(url: string, query: string): Promise<Answer> {
  const client = createWsClient(url)
  const answer = await client.subscribe(query).next()
  await client.close()
  return answer
}

describe('a value that cannot be shown', () => {
  test.each(Object.keys(TRANSPORTS))('in %s', async (transport) => {
    const { url, logged } = await startServer({ schema })
    const answer = await (TRANSPORTS[transport] as (typeof TRANSPORTS)[string])(url)
    expect(answer.data).toEqual({
      row: Object.fromEntries(
        NAMES.flatMap((name) => [
          [name, null],
          [`${name}List`, [null, null]],
        ]),
      ),
    })
    const refusal = (path: readonly unknown[]) => ({
      message: expect.stringMatching(/^The value of .* cannot be shown/),
      locations: expect.any(Array),
      path,
      extensions: expect.objectContaining({
        code: 'GRAPHQL_VALUE_UNREPRESENTABLE',
        hint: expect.any(String),
      }),
    })
    expect(answer.errors).toEqual(
      NAMES.flatMap((name) => [refusal(['row', name]), refusal(['row', `${name}List`, 1])]),
    )
    expect(JSON.stringify([answer, logged])).not.toMatch(/hunter2|2147483648|9223372036854775808/)
  })
})
