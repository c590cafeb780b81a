/** A schema under Yoga, with graphql-ws beside it: the README of Yoga, and nothing of rowcast's server. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { GraphQLSchema } from 'graphql'
import { useServer } from 'graphql-ws/use/ws'
import { createYoga } from 'graphql-yoga'
import { WebSocketServer } from 'ws'
import { type ConformanceTarget, VIEWER_HEADER, type ViewerContext } from './target.ts'

/** Serves it. */
export async function serveWithYoga(schema: GraphQLSchema): Promise<ConformanceTarget> {
  const yoga = createYoga({
    schema,
    logging: false,
    context: ({ request }): ViewerContext => ({ viewer: request.headers.get(VIEWER_HEADER) ?? 'nobody' }),
  })
  const http = createServer(yoga)
  return listenWithSockets(http, schema)
}

/** graphql-ws at `/graphql` of an HTTP server that is not listening yet. */
export async function listenWithSockets(
  http: ReturnType<typeof createServer>,
  schema: GraphQLSchema,
): Promise<ConformanceTarget> {
  const sockets = new WebSocketServer({ server: http, path: '/graphql' })
  const served = useServer(
    {
      schema,
      context: ({ connectionParams }): ViewerContext => ({
        viewer: String(connectionParams?.['viewer'] ?? 'nobody'),
      }),
    },
    sockets,
  )
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    async close() {
      await served.dispose()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}
