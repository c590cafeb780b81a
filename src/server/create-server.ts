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
import { createGuard, createSafeLogger } from '../guard.ts'
import type { Logger } from '../log.ts'
import { createClientAccounts } from './client-accounts.ts'
import { clientAddress, createConnectionCounter } from './client-address.ts'
import { createErrorLocator } from './error-location.ts'
import { GRAPHQL_PATH } from './graphql-path.ts'
import { createGraphqlPipeline } from './graphql-pipeline.ts'
import { type HealthReport, respondFailure, respondJson, respondLive, respondReady } from './health.ts'
import { createHostGuard } from './host-guard.ts'
import { DEFAULT_LIMITS, type ServerLimits } from './limits.ts'
import { listenOn } from './listen-on.ts'
import { createLivePage } from './live-page.ts'
import { createErrorMask } from './mask-error.ts'
import { METRICS_PATH, type MetricsSource, respondMetrics } from './metrics-endpoint.ts'
import { createOriginGuard } from './origin-guard.ts'
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
import { hasValidAddress, pathOf } from './request-path.ts'
import { inTurns } from './request-turns.ts'
import type { ServerSecurity } from './server-security.ts'
import { createSessionKeeper } from './session-keeper.ts'
import { createWebSocketTransport } from './websocket-transport.ts'

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
  /** Whether a browser at / gets the live page; what it shows comes from the schema. @default false */
  readonly livePage?: boolean | undefined
  /** What `/metrics` serves, and to whom. @default nothing */
  readonly metrics?: MetricsSource | undefined
  /** Told of each delivery that is handed to a client. */
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
  connections(): { readonly webSockets: number; readonly eventStreams: number }
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
  const limits: ServerLimits = { ...DEFAULT_LIMITS, ...definedOf(options.limits ?? {}) }
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
  const { allowedHosts, context } = options
  const hostGuard = createHostGuard({ allowedHosts, host, hasContext: context !== undefined })
  const pipeline = createGraphqlPipeline({
    ...{ schema: options.schema, graphiqlQuery: options.graphiqlQuery, logger, guard, limits, errorMask },
    ...{ sessions, connections, accounts, originGuard, refusals, trustedProxyCount },
    isStopping: () => isRefusing,
    onDelivered: options.onDelivered,
    isGraphiqlEnabled: graphiql,
    isIntrospectionEnabled,
    hasForeignOrigins: allowedOrigins.length > 0,
    mayCarryCredentials: (options.allowCredentials ?? false) && !allowedOrigins.includes('*'),
  })
  const { handler, deliveries } = pipeline
  const webSockets = createWebSocketTransport({
    ...{ handler, deliveries, logger, guard, errorMask, sessions, accounts, limits },
    ...{ refusals, isStopping: () => isRefusing },
  })
  const page = options.livePage === true ? createLivePage() : null
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
    if (page?.respond(request, response)) return undefined
    if (options.metrics !== undefined && pathOf(request) === METRICS_PATH)
      return respondMetrics(request, response, options.metrics, logger)
    return route(request, response, health, handler)
  }
  const guarded = guard.wrap('answer a request', answer, respondFailure)
  const http = createHttpServer(httpOptions(limits), inTurns(guarded))
  const silentSockets = trackSilentSockets(http)
  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): unknown => {
    const refuse = (refusal: Refusal) => refusals.refuseUpgrade(request, socket, refusal)
    if (isRefusing) return refuse(STOPPING_REFUSAL)
    if (pathOf(request) !== GRAPHQL_PATH) return refuse(NOT_FOUND)
    if (!hostGuard.isAllowed(request.headers.host)) return refuse(HOST_REFUSAL)
    if (!originGuard.mayUpgrade(request.headers)) return refuse(ORIGIN_REFUSAL)
    const address = clientAddress(request, trustedProxyCount)
    const release = connections.acquire(address)
    if (release === null) return refuse(TOO_MANY)
    socket.once('close', release)
    return webSockets.handleUpgrade(request, socket, head, address)
  }
  http.on(
    'upgrade',
    guard.wrap('upgrade a connection', upgrade, (_failure, _request, socket) => socket.destroy()),
  )
  return {
    listen: () => listenOn(http, host, port, logger),
    revalidateSessions: sessions.revalidate,
    connections: () => ({ webSockets: webSockets.size, eventStreams: pipeline.streamCount }),
    refuse() {
      isRefusing = true
    },
    drain() {
      const isDrained = () => webSockets.operationCount + pipeline.streamCount === 0
      return waitUntil(isDrained, limits.drainTimeoutMs)
    },
    async close() {
      if (isClosing || !http.listening) return
      isClosing = true
      isRefusing = true
      sessions.close()
      pipeline.endStreams()
      for (const socket of silentSockets) socket.destroy()
      const { closeTimeoutMs } = limits
      await Promise.all([webSockets.close(closeTimeoutMs), closeHttp(http, closeTimeoutMs)])
      await handler.dispose()
    },
  }
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
  graphql: (request: IncomingMessage, response: ServerResponse) => unknown,
): unknown {
  switch (pathOf(request)) {
    case GRAPHQL_PATH:
      if (hasValidAddress(request)) return graphql(request, response)
      return respondJson(response, 400, { error: 'BAD_REQUEST', message: 'Host and path make no address.' })
    case '/health/live':
      return respondLive(response)
    case '/health/ready':
      return respondReady(response, health())
    default:
      return respondJson(response, 404, { error: NOT_FOUND.code, message: NOT_FOUND.message })
  }
}

/** Settings left undefined stay at their default. */
function definedOf(limits: Partial<ServerLimits>): Partial<ServerLimits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined))
}

/** A request that comes in drop by drop is cut; Node.js looks at the interval. */
function httpOptions({ requestTimeoutMs }: ServerLimits) {
  return {
    requestTimeout: requestTimeoutMs,
    headersTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(requestTimeoutMs, 5_000),
  }
}

/**
 * Connections that never asked for anything, as browsers open them in advance. Node.js counts them as busy,
 * and `close()` would wait for them.
 */
function trackSilentSockets(http: Server): ReadonlySet<Socket> {
  const sockets = new Set<Socket>()
  http.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  http.on('request', (request) => sockets.delete(request.socket))
  http.on('upgrade', (request) => sockets.delete(request.socket))
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
