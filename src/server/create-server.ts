/**
 * Stage 8, server. One node:http server: GraphQL over HTTP, its streams (SSE, multipart) and WebSocket at /graphql, GraphiQL there
 * too, and health. Owns the connections and their end.
 */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { TurnShare } from '../bus/turn-share.ts'
import { giveReadLimits } from '../graphql/reading/schema-reads.ts'
import { createGuard, createSafeLogger } from '../guard.ts'
import { createErrorLocator } from './errors/error-location.ts'
import { createErrorMask } from './errors/mask-error.ts'
import { PersistedDocuments } from './execution/persisted-documents.ts'
import { createGraphqlEndpoints } from './graphql-endpoints.ts'
import { createMetricsEndpoint } from './health/metrics-endpoint.ts'
import { type HealthReport, respondFailure } from './health.ts'
import { createHostGuard } from './http/host-guard.ts'
import { IncomingRequest } from './http/incoming-request.ts'
import { listenOn } from './http/listen-on.ts'
import { closeHttp, noteArrivals, trackSilentSockets } from './http/open-sockets.ts'
import { createOriginGuard } from './http/origin-guard.ts'
import { createClientAccounts } from './limits/client-accounts.ts'
import { createConnectionCounter } from './limits/client-address.ts'
import { countResponses } from './limits/counted-response.ts'
import { limitsOf, readLimitsOf, type ServerLimits } from './limits/limits.ts'
import { boundPeers } from './limits/peer-connections.ts'
import { inTurns } from './limits/request-turns.ts'
import { SocketBudget } from './limits/socket-budget.ts'
import type { OpenConnections } from './open-connections.ts'
import { createGraphiqlPage } from './pages/graphiql-page.ts'
import { createLivePage, type ServedPage } from './pages/live-page.ts'
import { createRefusals } from './refusal.ts'
import { RequestRouter } from './request-router.ts'
import { checkedServerOptions, type ServerOptions } from './server-options.ts'
import { createSessionKeeper } from './session/session-keeper.ts'

export type { ServerOptions }

/** The server while it lives. */
export interface RowcastServer {
  /**
   * Starts listening.
   * @throws SERVER_PORT_IN_USE, SERVER_LISTEN_FAILED
   */
  listen(): Promise<{ readonly url: string; readonly port: number }>
  /** Asks the session of every open connection now whether it still holds; resolves once all have answered. */
  revalidateSessions(): Promise<void>
  /** Open connections of clients. */
  connections(): OpenConnections
  /** Takes no one new from now on: /health/ready says no, upgrades are refused. What is open goes on. */
  refuse(): void
  /** Resolves when no operation is running any more, or after `drainTimeoutMs`. */
  drain(): Promise<void>
  /** Takes no one new, ends what is open so that clients know to come back, and resolves within the bound. */
  close(): Promise<void>
}

/** Creates the server; nothing listens before `listen()`. @throws CONFIG_BAD_FIELD */
export function createServer(options: ServerOptions): RowcastServer {
  const checked = checkedServerOptions(options)
  giveReadLimits(checked.schema, readLimitsOf(checked.limits))
  const { host = '127.0.0.1', port = 4000 } = checked
  const state: ServerState = { isClosing: false, isRefusing: false }
  const parts = createParts(checked, host, state)
  const { limits, sessions, endpoints } = parts
  const { http, silentSockets } = createHttp(parts, state)
  return {
    listen: () => listenOn(http, host, port, parts.logger),
    revalidateSessions: sessions.revalidate,
    connections: () => endpoints.connections,
    refuse() {
      state.isRefusing = true
    },
    drain() {
      const isDrained = () => endpoints.operationCount === 0
      return waitUntil(isDrained, limits.drainTimeoutMs)
    },
    async close() {
      if (state.isClosing || !http.listening) return
      state.isClosing = true
      state.isRefusing = true
      sessions.close()
      const { closeTimeoutMs } = limits
      const closed = endpoints.close(closeTimeoutMs)
      for (const socket of silentSockets) socket.destroy()
      await Promise.all([closed, closeHttp(http, closeTimeoutMs)])
      await endpoints.dispose()
    },
  }
}

/** How far the server is on its way to its end. */
interface ServerState {
  /** `close()` was called: what is open ends. */
  isClosing: boolean
  /** Takes no one new. */
  isRefusing: boolean
}

const STOPPING: HealthReport = { isReady: false, details: { server: 'stopping' } }

/** What the server is made of, in the order in which its parts need each other. */
function createParts(options: ServerOptions, host: string, state: ServerState) {
  const { graphiql = false, trustedProxyCount = 0, allowedOrigins = [] } = options
  const limits = limitsOf(options.limits)
  const isIntrospectionEnabled = options.introspection ?? graphiql
  const logger = createSafeLogger(options.logger)
  const guard = createGuard(logger)
  const locate = createErrorLocator(options.schema)
  const errorMask = createErrorMask({ logger, areSuggestionsHidden: !isIntrospectionEnabled, locate })
  const sessions = createSessionKeeper({ ...options, ...limits, errorMask, guard })
  const connections = createConnectionCounter(limits)
  const accounts = createClientAccounts(limits)
  const originGuard = createOriginGuard(allowedOrigins)
  const refusals = createRefusals(logger, limits.closeTimeoutMs)
  const socketBudget = new SocketBudget(limits.socketsBufferedBytesMax)
  const turns = new TurnShare({ guard })
  const { allowedHosts, context, metrics } = options
  const hostGuard = createHostGuard({ allowedHosts, host, hasContext: context !== undefined })
  const isRefusing = (): boolean => state.isRefusing
  const endpoints = createGraphqlEndpoints({
    documents: documentsOfServer(options),
    ...{ schema: options.schema, activitySchema: options.activitySchema, onDelivered: options.onDelivered },
    ...{ logger, guard, limits, errorMask, sessions, connections, accounts, originGuard, refusals },
    ...{ socketBudget, turns, trustedProxyCount, isIntrospectionEnabled, isStopping: isRefusing },
    hasForeignOrigins: allowedOrigins.length > 0,
    mayCarryCredentials: (options.allowCredentials ?? false) && !allowedOrigins.includes('*'),
  })
  const router = new RequestRouter({
    ...{ guard, hostGuard, originGuard, refusals, connections, endpoints, trustedProxyCount, isRefusing },
    pages: pagesOf(options),
    otherRequests: options.otherRequests ?? null,
    respondMetrics: metrics === undefined ? null : createMetricsEndpoint(metrics, logger, limits),
    health: () => (state.isRefusing ? STOPPING : options.health()),
  })
  return { limits, logger, guard, sessions, socketBudget, endpoints, router, trustedProxyCount }
}

/** The server of Node.js, each of whose requests and upgrades goes through the guard. */
function createHttp(parts: ReturnType<typeof createParts>, state: ServerState) {
  const { limits, guard, socketBudget, router, trustedProxyCount } = parts
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
  const http = createHttpServer({ ...httpOptions(limits), ServerResponse }, inTurns(guarded, guard))
  if (trustedProxyCount === 0) boundPeers(http, limits, parts)
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

function documentsOfServer({
  persistedDocuments,
  onDocumentRefused,
}: ServerOptions): PersistedDocuments | null {
  if (persistedDocuments === undefined) return null
  const onlyPersisted = persistedDocuments.onlyPersisted ?? process.env['NODE_ENV'] === 'production'
  return new PersistedDocuments(
    { ...persistedDocuments, onlyPersisted },
    onDocumentRefused ?? (() => undefined),
  )
}

function pagesOf({ graphiql, graphiqlQuery, activitySchema }: ServerOptions): readonly ServedPage[] {
  const hasLivePage = activitySchema !== undefined
  const options = { defaultQuery: graphiqlQuery ?? '', hasLivePage }
  return [
    ...(graphiql === true ? [createGraphiqlPage(options)] : []),
    ...(hasLivePage ? [createLivePage()] : []),
  ]
}

const DRAIN_LOOK_MS = 10

/** Looks again and again: the ends of operations are graphql-ws's and Yoga's own. */
async function waitUntil(isMet: () => boolean, timeoutMs: number): Promise<void> {
  const endMs = performance.now() + timeoutMs
  while (!isMet() && performance.now() < endMs) await delay(DRAIN_LOOK_MS)
}

/** A request that comes in drop by drop is cut; Node.js looks at the interval. */
function httpOptions({ requestTimeoutMs }: ServerLimits) {
  return {
    IncomingMessage: IncomingRequest,
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(requestTimeoutMs, 5_000),
  }
}
