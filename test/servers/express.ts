/** The handlers in an Express application that parses bodies itself, as many do. */
import express from 'express'
import type { GraphQLSchema } from 'graphql'
import { silentLogger } from '../../src/logger.ts'
import { createHandlers } from '../../src/server/create-server.ts'
import type { ConformanceTarget } from '../conformance/target.ts'
import { viewerContext } from '../conformance/viewer-context.ts'

/** Serves it. */
export async function serveWithExpress(schema: GraphQLSchema): Promise<ConformanceTarget> {
  const live = createHandlers({ schema, logger: silentLogger, introspection: true, context: viewerContext })
  const app = express()
  app.use(express.json())
  app.use('/graphql', live.handle)
  const http = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => http.once('listening', resolve))
  live.attach(http)
  const address = http.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    async close() {
      await live.close()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}
