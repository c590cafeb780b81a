/** The schema can be read however many models there are; everything else keeps to its own bound. */
import {
  buildClientSchema,
  buildSchema,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
  getIntrospectionQuery,
  type IntrospectionQuery,
  parse,
} from 'graphql'
import { expect, onTestFinished, test } from 'vitest'
import type { ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import { printServiceSchema } from '../../src/graphql/print-schema.ts'
import { isIntrospection } from '../../src/server/execution/introspection.ts'
import { field, model, relation } from '../graphql/blog-catalog.ts'
import { createWsClient } from '../support/ws-client.ts'
import { postGraphql, startServer } from './server-fixture.ts'

const MODELS = 300

/** A schema of many models, each of which points at the next. */
function manyModels(): ModelCatalog {
  const specs = Array.from({ length: MODELS }, (_, index): ModelSpec => {
    const next = `Model${(index + 1) % MODELS}`
    const before = `Model${(index + MODELS - 1) % MODELS}`
    const texts = Array.from({ length: 10 }, (_, at) => field(`text${at}`, 'String'))
    return model(`Model${index}`, {
      fields: [field('id', 'Int'), field('nextId', 'Int'), ...texts],
      relations: [
        relation('next', next, `r${index}`, { fields: ['nextId'], references: ['id'] }),
        relation('before', before, `r${(index + MODELS - 1) % MODELS}`, { isList: true }),
      ],
    })
  })
  const models = Object.fromEntries(specs.map((spec) => [spec.name, spec]))
  return { formatVersion: 1, models, enums: {}, joinTables: [] }
}

/** The types of such a service, and a query with an answer as long as a client likes. */
function largeSchema(): GraphQLSchema {
  const config = buildSchema(printServiceSchema({ catalog: manyModels() })).toConfig()
  const { subscription, types } = config
  const Long = new GraphQLObjectType({
    name: 'Query',
    fields: {
      ...config.query?.toConfig().fields,
      long: { type: GraphQLString, resolve: () => 'x'.repeat(2 ** 20) },
    },
  })
  return new GraphQLSchema({ query: Long, subscription, types: types.filter(({ name }) => name !== 'Query') })
}

const source = getIntrospectionQuery({
  descriptions: true,
  inputValueDeprecation: true,
  specifiedByUrl: true,
})
const largest = `{ long }`
const aliased = `{ __schema { description } __type: long }`

// A schema of eight megabytes is built and read five times: a busy machine takes its time.
test('GraphiQL and code generators read a schema of 300 models, over HTTP and WebSocket', async () => {
  const { url } = await startServer({ schema: largeSchema(), graphiql: true })
  const { body } = await postGraphql(url, source)
  expect(body['errors']).toBeUndefined()
  expect(JSON.stringify(body).length).toBeGreaterThan(4 * 2 ** 20)
  const read = buildClientSchema(body['data'] as IntrospectionQuery)
  expect(read.getType(`Model${MODELS - 1}`)).toBeDefined()
  const client = createWsClient(url)
  onTestFinished(() => client.close())
  const first = await client.subscribe<IntrospectionQuery>(source).nextData()
  expect(first).toEqual(body['data'])
  for (const query of [largest, aliased]) {
    const refused = await postGraphql(url, query)
    expect(JSON.stringify(refused.body)).toContain('PAYLOAD_TOO_LARGE')
    expect(JSON.stringify(refused.body).length).toBeLessThan(1_000)
  }
}, 240_000)

test('what is introspection', () => {
  const is = (text: string) => isIntrospection(parse(text), null)
  expect(is('{ __schema { description } a: __type(name: "A") { name } __typename }')).toBe(true)
  expect(is('{ ...A ... { __typename } } fragment A on Query { ...A __schema { description } }')).toBe(true)
  expect(is('{ _service { sdl } }')).toBe(true)
  expect(is('{ __schema { description } user }')).toBe(false)
  expect(is('{ __schema: user }')).toBe(false)
  expect(is('{ ...A } fragment A on Query { __typename ... on Query { user } }')).toBe(false)
  expect(is('subscription { __typename }')).toBe(false)
})
