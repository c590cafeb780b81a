/** Resolvers of the application that never answer: whoever asked gets an error in time, on every transport, and nothing is held for them; others never notice. */
import { buildSchema, type GraphQLSchema } from 'graphql'
import { expect, test, vi } from 'vitest'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { createFakeFeed } from '../graphql/fake-feed.ts'
import { createRecordingPrisma } from '../graphql/recording-prisma.ts'
import { startServer } from '../server/server-fixture.ts'
import { createWsClient } from '../support/ws-client.ts'
import { type Answer, STREAM_TRANSPORTS, TRANSPORTS } from './transports.ts'

const SDL = `
  type Node { now: Int later: Int }
  type Query { now: Int later: Int nodes: [Node] }
  type Mutation { later: Int }
  type Subscription { later: Int ticks: Int nodes: Node stuck: Int }
`
const never = () => new Promise<never>(() => undefined)

/** Gives one event, and never lets go. */
function stuck(): AsyncIterable<unknown> {
  const events = [{}]
  const iterator = {
    next: () => (events.length > 0 ? Promise.resolve({ done: false, value: events.pop() }) : never()),
    return: never,
  }
  return { [Symbol.asyncIterator]: () => iterator as AsyncIterator<unknown> }
}

/** How often sources were let go of. */
const returned = { count: 0 }

/** One that begins once it may. */
function lateSource(begin: Promise<void>) {
  return begin.then(() => ({
    [Symbol.asyncIterator]: () => ({
      next: never,
      return: async () => {
        returned.count += 1
        return { done: true, value: undefined }
      },
    }),
  }))
}

function buildLateSchema(begin: Promise<void>): GraphQLSchema {
  const schema = buildSchema(SDL)
  const fields = (type: string): Record<string, { resolve?: unknown; subscribe?: unknown }> =>
    (schema.getType(type) as never as { getFields(): never }).getFields()
  const [query, mutation, subscription] = ['Query', 'Mutation', 'Subscription'].map(fields) as [
    ReturnType<typeof fields>,
    ReturnType<typeof fields>,
    ReturnType<typeof fields>,
  ]
  Object.assign(query['now'] ?? {}, { resolve: () => 1 })
  Object.assign(query['later'] ?? {}, { resolve: never })
  Object.assign(query['nodes'] ?? {}, { resolve: () => [{}, {}] })
  Object.assign(mutation['later'] ?? {}, { resolve: never })
  Object.assign(fields('Node')['now'] ?? {}, { resolve: () => 1 })
  Object.assign(fields('Node')['later'] ?? {}, { resolve: never })
  Object.assign(subscription['later'] ?? {}, { subscribe: () => lateSource(begin), resolve: () => 1 })
  Object.assign(subscription['ticks'] ?? {}, { subscribe: stuck, resolve: () => 1 })
  Object.assign(subscription['nodes'] ?? {}, { subscribe: stuck, resolve: () => ({}) })
  Object.assign(subscription['stuck'] ?? {}, { subscribe: stuck, resolve: never })
  return schema
}

async function serve() {
  let onBegin = () => {}
  const begin = new Promise<void>((resolve) => {
    onBegin = resolve
  })
  const fixture = await startServer({ schema: buildLateSchema(begin), limits: { operationTimeoutMs: 60 } })
  return { ...fixture, onBegin }
}

function expectLate({ data, errors }: Answer): void {
  expect(data).toBeNull()
  expect(errors).toMatchObject([{ extensions: { code: 'OPERATION_TIMEOUT' } }])
}

test.each([
  ['a query', '{ now later }'],
  ['a field within a list', '{ nodes { now later } }'],
  ['a mutation', 'mutation { later }'],
])('%s', async (_, document) => {
  const { url } = await serve()
  const isMutation = document.startsWith('mutation')
  const transports = TRANSPORTS.filter(({ name }) => !(isMutation && / GET$/.test(name)))
  await Promise.all(transports.map(async ({ ask }) => expectLate(await ask(url, document))))
  for (const { ask } of TRANSPORTS) expect((await ask(url, '{ now }')).data).toEqual({ now: 1 })
})

test.each([
  ['the result of an event', 'subscription { stuck }'],
  ['a field of a result', 'subscription { nodes { now later } }'],
])('%s, of a source that never lets go', async (_, document) => {
  const { url } = await serve()
  await Promise.all(
    STREAM_TRANSPORTS.map(async ({ open }) => {
      const stream = await open(url, document)
      expect(await stream.ended()).toBe('OPERATION_TIMEOUT')
      await stream.leave()
    }),
  )
})

test('the beginning of a subscription: what begins later is let go of', async () => {
  const { url, onBegin } = await serve()
  returned.count = 0
  await Promise.all(
    STREAM_TRANSPORTS.map(async ({ ask }) => expectLate(await ask(url, 'subscription { later }'))),
  )
  expect(returned.count).toBe(0)
  onBegin()
  await vi.waitUntil(() => returned.count === STREAM_TRANSPORTS.length, 30_000)
})

test('a WebSocket with many queries that never answer has its next one answered', async () => {
  const { url } = await serve()
  const client = createWsClient(url, {})
  const late = Array.from({ length: 30 }, () => client.subscribe('{ later }'))
  const next = client.subscribe('{ now }')
  for (const results of late) expectLate({ errors: [], data: null, ...(await results.next()) } as Answer)
  expect(await next.next()).toMatchObject({ data: { now: 1 } })
  await client.close()
})

test('who may ask why: a check that never answers', async () => {
  const feed = { ...createFakeFeed(blogCatalog, ['User']), explain: never }
  const schema = buildServiceSchema({
    ...{ catalog: blogCatalog, prisma: createRecordingPrisma({}), feed: feed as never },
    ...{ models: { User: {} }, canExplain: never },
  })
  const { url } = await startServer({ schema, limits: { queryTimeoutMs: 60 } })
  const query = '{ whyNot(cursor: "x", subscription: "subscription { userChanged { action } }") { reason } }'
  for (const { ask } of TRANSPORTS)
    expect((await ask(url, query)).errors).toMatchObject([{ extensions: { code: 'POLICY_TIMEOUT' } }])
})
