/**
 * Stage 8, server. One node:http server: GraphQL over HTTP, SSE and WebSocket at /graphql, GraphiQL there
 * too, and health. Owns the connections and their end.
 */
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { GraphQLSchema } from 'graphql'
import { createGuard, createSafeLogger, type Guard } from '../guard.ts'
import type { Logger } from '../log.ts'
import { createErrorLocator } from './errors/error-location.ts'
import { createErrorMask } from './errors/mask-error.ts'
import { createGraphqlEndpoints, type GraphqlEndpoints, type OpenConnections } from './graphql-endpoints.ts'
import { GRAPHQL_PATH } from './graphql-path.ts'
import { createMetricsEndpoint, METRICS_PATH, type MetricsPage } from './health/metrics-endpoint.ts'
import { type HealthReport, respondFailure, respondJson, respondLive, respondReady } from './health.ts'
import { createHostGuard } from './http/host-guard.ts'
import { IncomingRequest } from './http/incoming-request.ts'
import { listenOn } from './http/listen-on.ts'
import { createOriginGuard } from './http/origin-guard.ts'
import { hasValidAddress, pathOf } from './http/request-path.ts'
import { createClientAccounts } from './limits/client-accounts.ts'
import { clientAddress, createConnectionCounter } from './limits/client-address.ts'
import { countResponses } from './limits/counted-response.ts'
import { limitsOf, type ServerLimits } from './limits/limits.ts'
import { OperationTurns } from './limits/operation-turns.ts'
import { inTurns } from './limits/request-turns.ts'
import type { ServerSecurity } from './limits/server-security.ts'
import { SocketBudget } from './limits/socket-budget.ts'
import { createGraphiqlPage } from './pages/graphiql-page.ts'
import { createLivePage, type ServedPage } from './pages/live-page.ts'
import {
  createRefusals,
  HOST_REFUSAL,
  NOT_FOUND,
  ORIGIN_REFUSAL,
  type Refusal,
  SINGLE_CONNECTION,
  STOPPING_REFUSAL,
  TOO_MANY,
} from './refusal.ts'
import { createSessionKeeper } from './session/session-keeper.ts'

/** What the server needs, and its bounds. */
export interface ServerOptions extends ServerSecurity {
  readonly schema: GraphQLSchema
  readonly logger: Logger
  /** Whether changes flow: the answer of /health/ready. */
  readonly health: () => HealthReport
  /** Address to listen on. @default '127.0.0.1' */
  readonly host?: string | undefined
  /** TCP port; 0 takes a free one. @default 4000 */
  readonly port?: number | undefined
  /** Whether a browser at /graphql gets GraphiQL. @default false */
  readonly graphiql?: boolean | undefined
  /** What GraphiQL shows in its first tab. */
  readonly graphiqlQuery?: string | undefined
  /** The live page's own schema, with which a browser at / gets the page. @default no page */
  readonly activitySchema?: GraphQLSchema | undefined
  /** What `/metrics` serves, and to whom. @default nothing */
  readonly metrics?: MetricsPage | undefined
  /** Notified of each delivery that is handed to a client. */
  readonly onDelivered?: ((delivery: unknown) => void) | undefined
}

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

/** Creates the server; nothing listens before `listen()`. */
export function createServer(options: ServerOptions): RowcastServer {
  const { host = '127.0.0.1', port = 4000, graphiql = false, trustedProxyCount = 0 } = options
  const limits = limitsOf(options.limits)
  const allowedOrigins = options.allowedOrigins ?? []
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
  const turns = new OperationTurns(guard)
  const { allowedHosts, context } = options
  const hostGuard = createHostGuard({ allowedHosts, host, hasContext: context !== undefined })
  const endpoints = createGraphqlEndpoints({
    ...{ schema: options.schema, activitySchema: options.activitySchema, onDelivered: options.onDelivered },
    ...{
      logger,
      guard,
      limits,
      errorMask,
      sessions,
      connections,
      accounts,
      originGuard,
      refusals,
      ...{ socketBudget, turns },
    },
    ...{ trustedProxyCount, isIntrospectionEnabled, isStopping: () => isRefusing },
    hasForeignOrigins: allowedOrigins.length > 0,
    mayCarryCredentials: (options.allowCredentials ?? false) && !allowedOrigins.includes('*'),
  })
  const pages = pagesOf(options)
  const respondMetrics =
    options.metrics === undefined ? null : createMetricsEndpoint(options.metrics, logger, limits)
  let isClosing = false
  let isRefusing = false
  const health = (): HealthReport => (isRefusing ? STOPPING : options.health())
  const onResponseClosed = guard.wrap('let idle connections go', () => {
    // A kept-alive connection whose last response ends after close() began would hold the server open.
    if (isClosing) http.closeIdleConnections()
  })
  const answer = (request: IncomingMessage, response: ServerResponse): unknown => {
    response.once('close', onResponseClosed)
    if (!hostGuard.isAllowed(request.headers.host) && !OPERATORS_PATHS.has(pathOf(request))) {
      return refusals.respond(request, response, HOST_REFUSAL)
    }
    if (isSingleConnection(request)) return refusals.respond(request, response, SINGLE_CONNECTION)
    for (const page of pages) {
      const sent = page.respond(request, response)
      if (sent !== null) return sent
    }
    if (respondMetrics !== null && pathOf(request) === METRICS_PATH) return respondMetrics(request, response)
    return route(request, response, health, endpoints)
  }
  const guarded = guard.wrap('answer a request', answer, respondFailure)
  const ServerResponse = countResponses(socketBudget, guard)
  const http = createHttpServer({ ...httpOptions(limits), ServerResponse }, inTurns(guarded, guard))
  const silentSockets = trackSilentSockets(http, guard)
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): unknown => {
    const refuse = (refusal: Refusal) => refusals.refuseUpgrade(request, socket, refusal)
    if (isRefusing) return refuse(STOPPING_REFUSAL)
    const endpoint = endpoints.at(request)
    if (endpoint === undefined) return refuse(NOT_FOUND)
    if (!hostGuard.isAllowed(request.headers.host)) return refuse(HOST_REFUSAL)
    if (!originGuard.mayUpgrade(request.headers)) return refuse(ORIGIN_REFUSAL)
    const address = clientAddress(request, trustedProxyCount)
    const release = connections.acquire(address)
    if (release === null) return refuse(TOO_MANY)
    socket.once('close', guard.wrap('count a connection less', release))
    return endpoint.handleUpgrade(request, socket, head, address)
  }
  http.on(
    'upgrade',
    guard.wrap('upgrade a connection', upgrade, (_failure, _request, socket) => socket.destroy()),
  )
  return {
    listen: () => listenOn(http, host, port, logger),
    revalidateSessions: sessions.revalidate,
    connections: () => endpoints.connections,
    refuse() {
      isRefusing = true
    },
    drain() {
      const isDrained = () => endpoints.operationCount === 0
      return waitUntil(isDrained, limits.drainTimeoutMs)
    },
    async close() {
      if (isClosing || !http.listening) return
      isClosing = true
      isRefusing = true
      sessions.close()
      endpoints.endStreams()
      for (const socket of silentSockets) socket.destroy()
      const { closeTimeoutMs } = limits
      await Promise.all([endpoints.closeWebSockets(closeTimeoutMs), closeHttp(http, closeTimeoutMs)])
      await endpoints.dispose()
    },
  }
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

/** GraphQL over SSE's other mode begins with a PUT that reserves a stream, and names it in a header from then on. */
function isSingleConnection(request: IncomingMessage): boolean {
  if (pathOf(request) !== GRAPHQL_PATH) return false
  return request.method === 'PUT' || request.headers['x-graphql-event-stream-token'] !== undefined
}

/** For probes and scrapers, under whatever name: they hold no rows. */
const OPERATORS_PATHS: ReadonlySet<string> = new Set(['/health/live', '/health/ready', METRICS_PATH])

const STOPPING: HealthReport = { isReady: false, details: { server: 'stopping' } }

function route(
  request: IncomingMessage,
  response: ServerResponse,
  health: () => HealthReport,
  endpoints: GraphqlEndpoints,
): unknown {
  const endpoint = endpoints.at(request)
  if (endpoint !== undefined) {
    if (hasValidAddress(request)) return endpoint.handle(request, response)
    return respondJson(response, 400, { error: 'BAD_REQUEST', message: 'Host and path make no address.' })
  }
  switch (pathOf(request)) {
    case '/health/live':
      return respondLive(response)
    case '/health/ready':
      return respondReady(response, health())
    default:
      return respondJson(response, 404, { error: NOT_FOUND.code, message: NOT_FOUND.message })
  }
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

/**
 * Connections that never asked for anything, as browsers open them in advance. Node.js counts them as busy,
 * and `close()` would wait for them.
 */
function trackSilentSockets(http: Server, guard: Guard): ReadonlySet<Socket> {
  const sockets = new Set<Socket>()
  const forget = guard.wrap('forget a connection', (socket: Socket) => sockets.delete(socket))
  const add = guard.wrap('note a connection', (socket: Socket) => {
    sockets.add(socket)
    // Bound, and no function of ours: it is called outside the guard.
    socket.once('close', forget.bind(null, socket))
  })
  const noteRequest = guard.wrap('note a request', (request: IncomingMessage) => forget(request.socket))
  http.on('connection', add)
  http.on('request', noteRequest)
  http.on('upgrade', noteRequest)
  return sockets
}

function closeHttp(http: Server, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => http.closeAllConnections(), timeoutMs)
    http.close(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
