/** The kit under Apollo Server 5: its README with Express and graphql-ws. */
import { createServer } from 'node:http'
import { ApolloServer } from '@apollo/server'
import { expressMiddleware } from '@as-integrations/express5'
import { makeExecutableSchema } from '@graphql-tools/schema'
import express from 'express'
import { changeResolvers, changeTypeDefs } from '../../src/graphql/kit/schema-kit.ts'
import {
  type ConformanceFeed,
  type ConformanceTarget,
  OWN_RESOLVERS,
  OWN_SDL,
  VIEWER_HEADER,
  type ViewerContext,
} from '../conformance/target.ts'
import { listenWithSockets } from '../conformance/yoga.ts'

/** Serves it. */
export async function serveWithApollo(feed: ConformanceFeed): Promise<ConformanceTarget> {
  const options = { models: { User: { type: 'User' }, Tag: {} }, changes: true }
  const schema = makeExecutableSchema({
    typeDefs: [OWN_SDL, changeTypeDefs(feed, options)],
    resolvers: [OWN_RESOLVERS, changeResolvers(feed, options)] as never,
  })
  const apollo = new ApolloServer<ViewerContext>({ schema, introspection: true })
  await apollo.start()
  const app = express()
  const http = createServer(app)
  app.use(
    '/graphql',
    express.json(),
    expressMiddleware(apollo, {
      context: async ({ req }) => ({ viewer: String(req.headers[VIEWER_HEADER] ?? 'nobody') }),
    }),
  )
  const target = await listenWithSockets(http, schema)
  return {
    url: target.url,
    async close() {
      await apollo.stop()
      await target.close()
    },
  }
}
