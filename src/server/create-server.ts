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
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { GraphQLSchema } from 'graphql'
import { RowcastError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { type ContextFactory, createGraphqlPipeline, GRAPHQL_PATH } from './graphql-pipeline.ts'
import { type HealthReport, respondJson, respondLive, respondReady } from './health.ts'
import { createWebSocketTransport } from './websocket-transport.ts'

/** What the server needs, and its bounds. */
export interface ServerOptions {
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
  /** Makes the GraphQL context of an operation; the same for every transport. */
  readonly context?: ContextFactory | undefined
  /** What one WebSocket may hold back before its subscriptions wait. @default 1_048_576 // 1 MiB */
  readonly socketBufferedBytesMax?: number | undefined
  /** The longest request body or WebSocket message. @default 1_048_576 // 1 MiB */
  readonly requestBytesMax?: number | undefined
  /** Interval of WebSocket pings; an unanswered one ends the socket at the next. @default 12_000 // 12 s */
  readonly pingIntervalMs?: number | undefined
  /** How long a WebSocket may stay silent before `connection_init`. @default 3_000 // 3 s */
  readonly connectionInitTimeoutMs?: number | undefined
  /** How long `close()` waits for clients before it cuts them. @default 3_000 // 3 s */
  readonly closeTimeoutMs?: number | undefined
}

/** The server while it lives. */
export interface RowcastServer {
  /**
   * Starts listening.
   * @throws SERVER_PORT_IN_USE, SERVER_LISTEN_FAILED
   */
  listen(): Promise<{ readonly url: string; readonly port: number }>
  /** Takes no one new, ends what is open so that clients know to come back, and resolves within the bound. */
  close(): Promise<void>
}

const MEBIBYTE = 1_048_576

/** Creates the server; nothing listens before `listen()`. */
export function createServer(options: ServerOptions): RowcastServer {
  const { logger, host = '127.0.0.1', port = 4000, closeTimeoutMs = 3_000 } = options
  const requestBytesMax = options.requestBytesMax ?? MEBIBYTE
  const pipeline = createGraphqlPipeline({
    schema: options.schema,
    logger,
    isGraphiqlEnabled: options.graphiql ?? false,
    graphiqlQuery: options.graphiqlQuery,
    context: options.context,
    requestBytesMax,
  })
  const webSockets = createWebSocketTransport({
    handler: pipeline.handler,
    logger,
    socketBufferedBytesMax: options.socketBufferedBytesMax ?? MEBIBYTE,
    requestBytesMax,
    pingIntervalMs: options.pingIntervalMs ?? 12_000,
    connectionInitTimeoutMs: options.connectionInitTimeoutMs ?? 3_000,
  })
  let isClosing = false
  const health = (): HealthReport => (isClosing ? STOPPING : options.health())
  const http = createHttpServer((request, response) => {
    // A kept-alive connection whose last response ends after close() began would hold the server open.
    response.once('close', () => isClosing && http.closeIdleConnections())
    route(request, response, health, pipeline.handler)
  })
  const silentSockets = trackSilentSockets(http)
  http.on('upgrade', (request, socket, head) => {
    if (isClosing || pathOf(request) !== GRAPHQL_PATH) return refuseUpgrade(socket, isClosing ? 503 : 404)
    webSockets.handleUpgrade(request, socket, head)
  })
  return {
    async listen() {
      const address = await listen(http, host, port)
      const name = host.includes(':') ? `[${host}]` : host
      return { url: `http://${WILDCARDS.has(host) ? 'localhost' : name}:${address.port}`, port: address.port }
    },
    async close() {
      if (isClosing || !http.listening) return
      isClosing = true
      pipeline.endStreams()
      for (const socket of silentSockets) socket.destroy()
      await Promise.all([webSockets.close(closeTimeoutMs), closeHttp(http, closeTimeoutMs)])
      await pipeline.handler.dispose()
    },
  }
}

const STOPPING: HealthReport = { isReady: false, details: { server: 'stopping' } }
/** Hosts that mean every address of the machine. */
const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

function route(
  request: IncomingMessage,
  response: ServerResponse,
  health: () => HealthReport,
  graphql: (request: IncomingMessage, response: ServerResponse) => unknown,
): void {
  switch (pathOf(request)) {
    case GRAPHQL_PATH:
      graphql(request, response)
      break
    case '/health/live':
      respondLive(response)
      break
    case '/health/ready':
      respondReady(response, health())
      break
    default:
      respondJson(response, 404, {
        error: 'NOT_FOUND',
        message: `There is nothing here. GraphQL, its subscriptions and GraphiQL are at ${GRAPHQL_PATH}.`,
      })
  }
}

/** The path without query and trailing slash. */
function pathOf(request: IncomingMessage): string {
  const [path = '/'] = (request.url ?? '/').split('?', 1)
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

const REASONS = { 404: 'Not Found', 503: 'Service Unavailable' } as const

function refuseUpgrade(socket: Duplex, status: keyof typeof REASONS): void {
  socket.on('error', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status} ${REASONS[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}

function listen(http: Server, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    http.once('error', (error: NodeJS.ErrnoException) => reject(toListenError(error, host, port)))
    http.listen({ host, port }, () => {
      const address = http.address()
      if (address !== null && typeof address === 'object') resolve(address)
    })
  })
}

function toListenError(error: NodeJS.ErrnoException, host: string, port: number): RowcastError {
  return error.code === 'EADDRINUSE'
    ? new RowcastError('SERVER_PORT_IN_USE', `Port ${port} on ${host} is taken by another program.`, {
        cause: error,
        details: { host, port },
        mend: `Stop it, or choose another port: PORT=${port + 1}, or PORT=0 for any free one.`,
      })
    : new RowcastError(
        'SERVER_LISTEN_FAILED',
        `Cannot listen on ${host}, port ${port}: ${error.code ?? error.name}.`,
        { cause: error, details: { host, port } },
      )
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
