/**
 * Stage 8, server. GraphQL with all that `rowcast serve` has, in an HTTP server that is somebody else's: a request listener, what an
 * upgrade goes to, a plugin for a Yoga that is there, and sockets that another WebSocketServer has let in.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { RowcastError } from '../errors.ts'
import { memberOf } from '../member-of.ts'
import { GRAPHQL_PATH } from './graphql-path.ts'
import { respondFailure, respondJson } from './health.ts'
import { noteArrivals } from './http/open-sockets.ts'
import { hasValidAddress, pathOf } from './http/request-path.ts'
import { countForeignResponses } from './limits/counted-response.ts'
import { inTurns } from './limits/request-turns.ts'
import { asksForSingleConnection, type Refusal, SINGLE_CONNECTION, STOPPING_REFUSAL } from './refusal.ts'
import { checkedHandlersOptions, type HandlersOptions } from './server-options.ts'
import type { ForeignYogaPlugin, ServingControl } from './serving-control.ts'
import { createServingParts, type ServingParts } from './serving-parts.ts'
import { refusalOfPage } from './upgrade-gate.ts'
import { SERVICE_RESTART } from './websocket/socket-departure.ts'
import { closeCodeOf } from './websocket/websocket-protocol.ts'
import { socketOptions } from './websocket/websocket-transport.ts'
import { createYogaPlugin } from './yoga-plugin.ts'

/** A socket of ws. */
export interface ForeignWebSocket {
  close(code?: number, reason?: string): void
  terminate(): void
}

/** A `WebSocketServer` of ws. */
export interface ForeignWebSocketServer {
  readonly options: object
  listenerCount(event: 'connection'): number
  on(event: 'connection', listener: (webSocket: ForeignWebSocket, request: IncomingMessage) => void): unknown
}

/** One pipeline, and the ways into it. Whoever comes by one of them shares results with those who come by another. */
export interface RowcastHandlers extends ServingControl {
  /** Answers a request: GraphQL over HTTP, event streams, multipart. For `app.use('/graphql', handle)` and `createServer(handle)`. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
  /** Takes over a connection that asked for an upgrade, or refuses it; which paths come here is yours to say. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** Takes the upgrades to `path` of an HTTP server, and leaves others to whoever listens besides; if nobody does, they are refused. */
  attach(http: Pick<Server, 'on' | 'listenerCount'>): void
  /** For `createYoga({ schema, plugins: [yogaPlugin] })`: its HTTP requests, with your plugins beside. */
  readonly yogaPlugin: ForeignYogaPlugin
  /** In place of graphql-ws's: operations of the sockets of a `WebSocketServer` of ws. Its bounds of messages become ours. @throws CONFIG_BAD_FIELD where something takes them already */
  useServer(sockets: ForeignWebSocketServer): void
  /** Takes no one new, ends what is open so that clients know to come back, and resolves within the bound. Your server is yours to close. */
  close(): Promise<void>
}

/** Creates them. @throws CONFIG_BAD_FIELD */
export function createHandlers(options: HandlersOptions): RowcastHandlers {
  const checked = checkedHandlersOptions(options)
  const { path = GRAPHQL_PATH } = checked
  // Whoever has the request come here says where: mounted, its path may have been cut.
  const parts = createServingParts({ ...checked, host: 'localhost', path: '*' })
  let ended: Promise<void> | null = null
  return {
    ...parts.control,
    handle: createHandle(parts),
    ...createUpgrades(parts, path),
    yogaPlugin: createYogaPlugin(parts),
    useServer: (sockets) => useServer(sockets, parts),
    close() {
      ended ??= end(parts)
      return ended
    },
  }
}

async function end({ state, sessions, endpoints, limits }: ServingParts): Promise<void> {
  state.isClosing = true
  state.isRefusing = true
  sessions.close()
  await endpoints.close(limits.closeTimeoutMs)
  await endpoints.dispose()
}

/** What answers requests. */
function createHandle(parts: ServingParts): RowcastHandlers['handle'] {
  const { guard, refusals, endpoints, socketBudget } = parts
  const count = countForeignResponses(socketBudget, guard)
  const answer = (request: IncomingMessage, response: ServerResponse): unknown => {
    count(response)
    const refusal = refusalOf(request, parts)
    if (refusal !== null) return refusals.respond(request, response, refusal)
    if (hasValidAddress(request)) return endpoints.main.handle(request, response)
    return respondJson(response, 400, { error: 'BAD_REQUEST', message: 'Host and path make no address.' })
  }
  return inTurns(guard.wrap('answer a request', answer, respondFailure), guard)
}

function refusalOf(request: IncomingMessage, parts: ServingParts): Refusal | null {
  if (parts.state.isClosing) return STOPPING_REFUSAL
  const refusal = refusalOfPage(request.headers, parts)
  if (refusal !== null) return refusal
  return asksForSingleConnection(request) ? SINGLE_CONNECTION : null
}

function createUpgrades(
  { guard, upgradeGate, endpoints }: ServingParts,
  path: string,
): Pick<RowcastHandlers, 'upgrade' | 'attach'> {
  const ownPath = pathOf({ url: path })
  const destroy = (_failure: unknown, _request: IncomingMessage, socket: Duplex) => socket.destroy()
  const take = (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    upgradeGate.accept(request, socket, head, endpoints.main)
  return {
    upgrade: guard.wrap('upgrade a connection', take, destroy),
    attach(http) {
      noteArrivals(http, guard)
      const takeAtPath = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
        if (pathOf(request) === ownPath) take(request, socket, head)
        else if (http.listenerCount('upgrade') === 1) upgradeGate.accept(request, socket, head, undefined)
      }
      http.on('upgrade', guard.wrap('upgrade a connection', takeAtPath, destroy))
    },
  }
}

const OTHER_LISTENER =
  'Something takes the sockets of this WebSocketServer already: it listens to `connection`.'
const OTHER_LISTENER_HINT =
  'Call `useServer` of the handlers once, in place of graphql-ws’s, before anything else listens to the WebSocketServer.'
/** graphql-ws's own would run what a client asks for once more, without context, limits and policies of the handlers. */
const SHARED =
  'Something has taken over a WebSocketServer that `useServer` was given: its sockets are closed.'
/** WebSocket close code. RFC 6455, section 7.4.1. */
const INTERNAL_ERROR = 1011

function useServer(
  sockets: ForeignWebSocketServer,
  { guard, upgradeGate, endpoints, limits, refusals, logger }: ServingParts,
): void {
  if (sockets.listenerCount('connection') > 0)
    throw new RowcastError('CONFIG_BAD_FIELD', OTHER_LISTENER, { hint: OTHER_LISTENER_HINT })
  const own = socketOptions(limits)
  // ws reads them for each connection.
  Object.assign(sockets.options, own)
  let isReported = false
  const refuseShared = (webSocket: ForeignWebSocket): void => {
    if (!isReported) logger.error(SHARED, { code: 'CONFIG_BAD_FIELD', hint: OTHER_LISTENER_HINT })
    isReported = true
    webSocket.close(INTERNAL_ERROR, 'Internal server error')
  }
  const take = (foreign: ForeignWebSocket, request: IncomingMessage): void => {
    const webSocket = foreign as WebSocket
    const admitted = upgradeGate.admit(request, request.socket)
    if (admitted === null) {
      webSocket.terminate()
      return
    }
    const isShared = memberOf(sockets.options, 'handleProtocols') !== own.handleProtocols
    if (typeof admitted === 'string' && !isShared) {
      endpoints.main.takeSocket(webSocket, request, admitted)
      return
    }
    // Without a listener a malformed frame would end the process.
    webSocket.on(
      'error',
      guard.wrap('let a refused WebSocket fail', () => undefined),
    )
    if (typeof admitted === 'string') {
      refuseShared(webSocket)
      return
    }
    refusals.note(request.headers, admitted)
    const isStopping = admitted.code === 'SERVER_STOPPING'
    webSocket.close(isStopping ? SERVICE_RESTART : closeCodeOf({ code: admitted.code }), admitted.code)
  }
  sockets.on(
    'connection',
    guard.wrap('take a WebSocket', take, (_failure, webSocket) => webSocket.terminate()),
  )
}
