/** rowcast's pipeline in a server of one's own: the two ways that the docs show. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { GraphQLSchema } from 'graphql'
import { createYoga } from 'graphql-yoga'
import { WebSocketServer } from 'ws'
import { silentLogger } from '../../src/logger.ts'
import { createHandlers, type HandlersOptions, type RowcastHandlers } from '../../src/server/create-server.ts'
import type { ConformanceTarget } from './target.ts'
import { viewerContext } from './viewer-context.ts'

/** A server that is not rowcast's, and the handlers in it. */
export interface OwnServer extends ConformanceTarget {
  readonly live: RowcastHandlers
}

/** Options, of which the logger may be left out. */
export type GivenOptions = Omit<HandlersOptions, 'logger'> & Partial<HandlersOptions>

/** Their requests and upgrades, at /graphql of a server that has more. */
export function openWithHandlers(
  options: GivenOptions,
  others: RequestListener = (_request, response) => response.writeHead(418).end(),
): Promise<OwnServer> {
  const live = createHandlers({ logger: silentLogger, ...options })
  const http = createServer((request, response) => {
    if (request.url?.startsWith('/graphql') === true) live.handle(request, response)
    else others(request, response)
  })
  live.attach(http)
  return listen(http, live)
}

/** A Yoga with plugins of its own, and a WebSocketServer. */
export function openWithYoga(options: GivenOptions, plugins: readonly object[] = []): Promise<OwnServer> {
  const live = createHandlers({ logger: silentLogger, ...options })
  const { schema } = options
  const http = createServer(createYoga({ schema, logging: false, plugins: [live.yogaPlugin, ...plugins] }))
  live.useServer(new WebSocketServer({ server: http, path: '/graphql' }))
  return listen(http, live)
}

async function listen(http: Server, live: RowcastHandlers): Promise<OwnServer> {
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    live,
    async close() {
      await live.close()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}

const shared = { context: viewerContext, introspection: true }

/** For the list of behaviours. */
export const serveWithHandlers = (schema: GraphQLSchema): Promise<ConformanceTarget> =>
  openWithHandlers({ schema, ...shared })

/** For the list of behaviours. */
export const serveWithYogaPlugin = (schema: GraphQLSchema): Promise<ConformanceTarget> =>
  openWithYoga({ schema, ...shared })
