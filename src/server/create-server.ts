/**
 * Stage 8, server. One node:http server: GraphQL over HTTP, its streams (SSE, multipart) and WebSocket at /graphql, GraphiQL there
 * too, and health. Owns the connections and their end.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { createHandlers, type ForeignWebSocketServer, type RowcastHandlers } from './create-handlers.ts'
import { GRAPHQL_PATH } from './graphql-path.ts'
import { createMetricsEndpoint } from './health/metrics-endpoint.ts'
import { type HealthReport, respondFailure } from './health.ts'
import { createBoundedServer } from './http/bounded-server.ts'
import { IncomingRequest } from './http/incoming-request.ts'
import { listenOn } from './http/listen-on.ts'
import { closeHttp, noteArrivals, trackSilentSockets } from './http/open-sockets.ts'
import { countResponses } from './limits/counted-response.ts'
import { createGraphiqlPage } from './pages/graphiql-page.ts'
import { createLivePage, type ServedPage } from './pages/live-page.ts'
import { RequestRouter } from './request-router.ts'
import { checkedServerOptions, type HandlersOptions, type ServerOptions } from './server-options.ts'
import type { ServingControl } from './serving-control.ts'
import { createServingParts } from './serving-parts.ts'

export type { ForeignWebSocketServer, HandlersOptions, RowcastHandlers, ServerOptions }
export { createHandlers, IncomingRequest }

/** The server while it lives. */
export interface RowcastServer extends ServingControl {
  /**
   * Starts listening.
   * @throws SERVER_PORT_IN_USE, SERVER_LISTEN_FAILED
   */
  listen(): Promise<{ readonly url: string; readonly port: number }>
  /** Takes no one new, ends what is open so that clients know to come back, and resolves within the bound. */
  close(): Promise<void>
}

/** Creates the server; nothing listens before `listen()`. @throws CONFIG_BAD_FIELD */
export function createServer(options: ServerOptions): RowcastServer {
  const checked = checkedServerOptions(options)
  const { host = '127.0.0.1', port = 4000 } = checked
  const parts = createParts(checked, host)
  const { limits, sessions, endpoints, state, control } = parts
  const { http, silentSockets } = createHttp(parts)
  const end = async (): Promise<void> => {
    state.isClosing = true
    state.isRefusing = true
    sessions.close()
    const { closeTimeoutMs } = limits
    const closed = endpoints.close(closeTimeoutMs)
    for (const socket of silentSockets) socket.destroy()
    await Promise.all([closed, closeHttp(http, closeTimeoutMs)])
    await endpoints.dispose()
  }
  let ended: Promise<void> | null = null
  return {
    ...control,
    listen: () => listenOn(http, host, port, parts.logger),
    async close() {
      if (http.listening) ended ??= end()
      await ended
    },
  }
}

const STOPPING: HealthReport = { isReady: false, details: { server: 'stopping' } }

/** What the server is made of beside what serves GraphQL. */
function createParts(options: ServerOptions, host: string) {
  const parts = createServingParts({ ...options, host, path: GRAPHQL_PATH })
  const { logger, limits, hostGuard, refusals, endpoints, upgradeGate, state } = parts
  const { metrics } = options
  const router = new RequestRouter({
    ...{ hostGuard, refusals, endpoints, upgradeGate },
    pages: pagesOf(options),
    otherRequests: options.otherRequests ?? null,
    respondMetrics: metrics === undefined ? null : createMetricsEndpoint(metrics, logger, limits),
    health: () => (state.isRefusing ? STOPPING : options.health()),
  })
  return { ...parts, router }
}

/** The server of Node.js, each of whose requests and upgrades goes through the guard. */
function createHttp(parts: ReturnType<typeof createParts>) {
  const { guard, socketBudget, router, state } = parts
  const onResponseClosed = guard.wrap('let idle connections go', () => {
    // A kept-alive connection whose last response ends after close() began would hold the server open.
    if (state.isClosing) http.closeIdleConnections()
  })
  const answer = (request: IncomingMessage, response: ServerResponse): unknown => {
    response.once('close', onResponseClosed)
    return router.answer(request, response)
  }
  const guarded = guard.wrap('answer a request', answer, respondFailure)
  const ServerResponse = countResponses(socketBudget, guard)
  const http = createBoundedServer(parts, guarded, { ServerResponse })
  noteArrivals(http, guard)
  const silentSockets = trackSilentSockets(http, guard)
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): unknown =>
    router.upgrade(request, socket, head)
  http.on(
    'upgrade',
    guard.wrap('upgrade a connection', upgrade, (_failure, _request, socket) => socket.destroy()),
  )
  return { http, silentSockets }
}

function pagesOf({ graphiql, graphiqlQuery, activitySchema }: ServerOptions): readonly ServedPage[] {
  const hasLivePage = activitySchema !== undefined
  const options = { defaultQuery: graphiqlQuery ?? '', hasLivePage }
  return [
    ...(graphiql === true ? [createGraphiqlPage(options)] : []),
    ...(hasLivePage ? [createLivePage()] : []),
  ]
}
