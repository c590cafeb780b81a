/**
 * A team's own subgraph, made with Apollo's library, that rowcast's changes are added to: its `_service` has them as well, two composers take it, and a
 * gateway subscribes.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buildSubgraphSchema } from '@apollo/subgraph'
import { buildSchema, type GraphQLSchema, parse } from 'graphql'
import { createYoga } from 'graphql-yoga'
import { expect, it, onTestFinished } from 'vitest'
import { addChanges, changeResolvers, changeTypeDefs } from '../../src/graphql/kit/schema-kit.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { createFakeFeed } from '../graphql/fake-feed.ts'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { compose, serveGateway, subgraphOf } from './hive-gateway.ts'

const OWN = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.7", import: ["@key"])
  type User @key(fields: "id") { id: ID! email: String! shout: String! }
  type Query { hello: String }`
const RESOLVERS = {
  Query: { hello: () => 'world' },
  User: { shout: ({ email }: { readonly email: string }) => email.toUpperCase() },
}

async function serve(schema: GraphQLSchema): Promise<string> {
  const http = createServer(createYoga({ schema, logging: false }))
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    http.closeAllConnections()
    http.close()
  })
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`
}

it('is composed with all that is added to it, and a gateway subscribes', async () => {
  const feed = createFakeFeed(blogCatalog, ['User', 'Tag'])
  feed.open()
  const own = buildSubgraphSchema({ typeDefs: parse(OWN), resolvers: RESOLVERS })
  const schema = addChanges(own, feed, { models: { User: { type: 'User' }, Tag: {} } })
  const subgraph = await subgraphOf(await serve(schema))
  const supergraph = buildSchema(compose([subgraph]).apollo)
  // All that it serves is composed, but for what is the gateway's own.
  for (const [name, type] of Object.entries(schema.getTypeMap())) {
    if (/^_|__/.test(name)) continue
    expect(supergraph.getType(name)?.toString(), name).toBe(type.toString())
  }
  expect(Object.keys(supergraph.getSubscriptionType()?.getFields() ?? {})).toEqual(
    Object.keys(schema.getSubscriptionType()?.getFields() ?? {}),
  )
  await using gateway = await serveGateway([subgraph])
  const changes = await subscribeSse(
    gateway.url,
    'subscription { userChanged { action new { email shout } } }',
  )
  await expect.poll(() => feed.requests.length).toBe(1)
  feed.commit({ model: 'User', action: 'INSERT', new: { id: '1', email: 'ada@x' } })
  expect(await changes.nextData()).toEqual({
    userChanged: { action: 'INSERT', new: { email: 'ada@x', shout: 'ADA@X' } },
  })
  changes.unsubscribe()
})

it.each([
  'import: ["@key"]',
  'import: ["@key", "@shareable"]',
  'import: ["@key", { name: "@shareable", as: "@ours" }]',
])('two of them are composed: %s', async (linked) => {
  const subgraphs = await Promise.all(
    ['User', 'Tag'].map(async (model) => {
      const feed = createFakeFeed(blogCatalog, [model])
      const typeDefs = parse(`extend schema @link(url: "https://specs.apollo.dev/federation/v2.7", ${linked})
        type ${model} @key(fields: "id") { id: ID! }
        type Query { hello${model}: String }`)
      const schema = addChanges(buildSubgraphSchema({ typeDefs }), feed, {
        models: { [model]: { type: model } },
      })
      return { ...(await subgraphOf(await serve(schema))), name: model.toLowerCase() }
    }),
  )
  const { apollo, guild } = compose(subgraphs)
  for (const supergraph of [apollo, guild])
    expect(Object.keys(buildSchema(supergraph).getSubscriptionType()?.getFields() ?? {})).toEqual(
      expect.arrayContaining(['userChanged', 'tagChanged']),
    )
})

it('SDL and resolvers of changes are modules of it: two such are composed, and a gateway subscribes', async () => {
  const subgraphs = await Promise.all(
    (['User', 'Tag'] as const).map(async (model) => {
      const feed = createFakeFeed(blogCatalog, [model])
      feed.open()
      const typeDefs =
        parse(`extend schema @link(url: "https://specs.apollo.dev/federation/v2.7", import: ["@key", "@shareable"])
        type ${model} @key(fields: "id") { id: ID! shout: String! }
        type Query { hello${model}: String }`)
      const resolvers = { [model]: { shout: ({ id }: { readonly id: unknown }) => `${id}!` } }
      const options = { models: { [model]: { type: model } }, subgraph: true }
      const schema = buildSubgraphSchema([
        { typeDefs, resolvers },
        {
          typeDefs: parse(changeTypeDefs(feed, options)),
          resolvers: changeResolvers(feed, options) as never,
        },
      ])
      return { feed, subgraph: { ...(await subgraphOf(await serve(schema))), name: model.toLowerCase() } }
    }),
  )
  const { apollo, guild } = compose(subgraphs.map(({ subgraph }) => subgraph))
  for (const supergraph of [apollo, guild])
    expect(Object.keys(buildSchema(supergraph).getSubscriptionType()?.getFields() ?? {})).toEqual(
      expect.arrayContaining(['userChanged', 'tagChanged']),
    )
  await using gateway = await serveGateway(subgraphs.map(({ subgraph }) => subgraph))
  const changes = await subscribeSse(gateway.url, 'subscription { userChanged { action new { id shout } } }')
  const feed = subgraphs[0]?.feed
  await expect.poll(() => feed?.requests.length).toBe(1)
  feed?.commit({ model: 'User', action: 'INSERT', new: { id: '1', email: 'ada@x' } })
  expect(await changes.nextData()).toEqual({
    userChanged: { action: 'INSERT', new: { id: '1', shout: '1!' } },
  })
  changes.unsubscribe()
})

it('is composed with a service of rowcast beside it, whose cursor has a name of its own', async () => {
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database, {
    config: {
      subgraph: { entities: 'keys', changeCursor: 'teamsCursor' },
      models: { Team: { public: true } },
    },
  })
  const feed = createFakeFeed(blogCatalog, ['User'])
  const own = buildSubgraphSchema({ typeDefs: parse(OWN), resolvers: RESOLVERS })
  const schema = addChanges(own, feed, { models: { User: { type: 'User' } } })
  const { apollo, guild } = compose([
    { ...(await subgraphOf(await serve(schema))), name: 'own' },
    await subgraphOf(running.url),
  ])
  for (const supergraph of [apollo, guild]) {
    const composed = buildSchema(supergraph)
    expect(Object.keys(composed.getSubscriptionType()?.getFields() ?? {})).toEqual(
      expect.arrayContaining(['teamChanged', 'userChanged']),
    )
    expect(Object.keys(composed.getQueryType()?.getFields() ?? {})).toEqual(
      expect.arrayContaining(['changeCursor', 'hello', 'teamsCursor']),
    )
  }
})
