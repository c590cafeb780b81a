/** The kit under Mercurius, the GraphQL server of Fastify: its README with subscriptions. */
import { fastify } from 'fastify'
import type { GraphQLSchema } from 'graphql'
import { mercurius } from 'mercurius'
import { type ConformanceTarget, VIEWER_HEADER, type ViewerContext } from '../conformance/target.ts'

/** Serves it. */
export async function serveWithMercurius(schema: GraphQLSchema): Promise<ConformanceTarget> {
  const app = fastify()
  await app.register(mercurius, {
    schema,
    context: ({ headers }): ViewerContext => ({ viewer: String(headers[VIEWER_HEADER] ?? 'nobody') }),
    subscription: {
      onConnect: ({ payload }): ViewerContext => ({ viewer: String(payload?.viewer ?? 'nobody') }),
    },
  })
  return {
    url: await app.listen({ port: 0, host: '127.0.0.1' }),
    close: () => app.close(),
  }
}
