/**
 * Stage 8, server. The WebSockets of a server: takes them over from HTTP, hands their messages to the
 * protocol, and bounds what each may send, hold back and leave unsaid.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { CloseCode, GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import { describeError } from '../../describe-error.ts'
import type { Guard } from '../../guard.ts'
import type { Logger } from '../../logger.ts'
import type { Deliveries } from '../delivery/deliveries.ts'
import { SocketOutbox } from '../delivery/socket-outbox.ts'
import type { ServerLimits } from '../limits/limits.ts'
import type { SocketBudget } from '../limits/socket-budget.ts'
import { SocketReading } from '../limits/socket-reading.ts'
import type { Refusals } from '../refusal.ts'
import type { Transport } from '../transport.ts'
import { ClientSocket } from './client-socket.ts'
import { SERVICE_RESTART } from './socket-departure.ts'
import { createInboxHost, type InboxHost, SocketInbox } from './socket-inbox.ts'
import { createSocketSender } from './socket-sender.ts'
import {
  createWebSocketProtocol,
  type WebSocketProtocol,
  type WebSocketProtocolOptions,
} from './websocket-protocol.ts'

/** What the transport needs. */
export interface WebSocketTransportOptions extends WebSocketProtocolOptions {
  readonly logger: Logger
  readonly guard: Guard
  readonly deliveries: Deliveries
  readonly refusals: Refusals
  /** Of all sockets of the server, at whatever path. */
  readonly socketBudget: SocketBudget
}

/** The WebSocket side of the server. */
export interface WebSocketTransport extends Transport {
  /** Takes over a connection that asked for an upgrade. @param address the client's */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, address: string): void
  /** Takes over a WebSocket that another server has let in. @param address the client's */
  takeSocket(webSocket: WebSocket, request: IncomingMessage, address: string): void
  /** Closes every socket with 1012, which asks clients to come back; cuts those that linger. */
  close(timeoutMs: number): Promise<void>
}

/** graphql-ws' own legacy subprotocol has the package's name, the package speaks another. */
const USE_OTHER_SUBPROTOCOL = `Use the subprotocol ${GRAPHQL_TRANSPORT_WS_PROTOCOL}, as the npm package graphql-ws does.`
const INIT_TIMEOUT = 'Connection initialisation timeout'

/** Creates the transport. */
export function createWebSocketTransport(options: WebSocketTransportOptions): WebSocketTransport {
  const { limits, guard, socketBudget } = options
  const protocol = createWebSocketProtocol(options)
  const inboxes = createInboxHost(options.turns, guard)
  const attached = new Map<ClientSocket, WebSocket>()
  let onLastLeft: (() => void) | null = null
  const detach = (client: ClientSocket): void => {
    attached.delete(client)
    if (attached.size === 0) onLastLeft?.()
  }
  const sockets = new WebSocketServer({ noServer: true, ...socketOptions(limits) })
  sockets.on(
    'wsClientError',
    guard.wrap(
      'refuse a handshake',
      ({ message }: Error, socket: Duplex, request: IncomingMessage) =>
        options.refusals.refuseUpgrade(request, socket, { code: 'BAD_HANDSHAKE', message: `${message}.` }),
      (_failure, _error, socket) => socket.destroy(),
    ),
  )
  /** A function of its own: what lives as long as the socket must not keep its upgrade request alive. */
  function take(webSocket: WebSocket, socket: Duplex, headers: IncomingHttpHeaders, address: string): void {
    const reading = new SocketReading(webSocket, limits.socketBufferedBytesMax)
    const outbox = new SocketOutbox({
      ...{ webSocket, socket, bufferedBytesMax: limits.socketBufferedBytesMax },
      ...{ frames: options.deliveries.frames, turn: options.deliveries.turn, guard },
      ...{ budget: socketBudget, reading },
    })
    const client = new ClientSocket({
      ...{ webSocket, outbox, address, headers, operationsMax: limits.subscriptionsPerSocketMax },
      send: createSocketSender(webSocket, reading, () => outbox.recount(), guard),
      ...{ guard, socketBudget, reading, turns: options.turns },
    })
    attached.set(client, webSocket)
    attachSocket({ protocol, webSocket, client, inboxes, reading, onClose: () => detach(client) }, options)
  }

  return {
    kind: 'websocket',
    get connectionCount() {
      return attached.size
    },
    get operationCount() {
      let count = 0
      for (const { operations } of attached.keys()) count += operations.count
      return count
    },
    handleUpgrade(request, socket, head, address) {
      const { headers } = request
      sockets.handleUpgrade(request, socket, head, (webSocket) => take(webSocket, socket, headers, address))
    },
    takeSocket: (webSocket, request, address) => take(webSocket, request.socket, request.headers, address),
    close(timeoutMs) {
      for (const client of attached.keys()) client.close(SERVICE_RESTART, 'Server is stopping')
      const terminateAll = (): void => {
        for (const socket of attached.values()) socket.terminate()
      }
      const timer = setTimeout(guard.wrap('cut sockets', terminateAll), timeoutMs)
      sockets.close()
      return new Promise((resolve) => {
        onLastLeft = () => {
          clearTimeout(timer)
          resolve()
        }
        if (attached.size === 0) onLastLeft()
      })
    },
  }
}

/** Of every server of WebSockets whose sockets come here. */
export function socketOptions(limits: ServerLimits) {
  return {
    maxPayload: limits.requestBytesMax,
    maxFragments: limits.messageFragmentsMax,
    // Others have their turn between two messages: a thousand of them may come in one piece.
    allowSynchronousEvents: false,
    // Inflating what a client deflated is work that the client decides about.
    perMessageDeflate: false,
    // The types lack it: how long a socket that was closed waits for the client to agree.
    ...{ closeTimeout: limits.closeTimeoutMs },
    handleProtocols: chooseSubprotocol,
  }
}

/** A subprotocol that is not spoken here is taken all the same: browsers show a close frame's reason, but no refusal's. */
function chooseSubprotocol(offered: ReadonlySet<string>): string | false {
  if (offered.has(GRAPHQL_TRANSPORT_WS_PROTOCOL)) return GRAPHQL_TRANSPORT_WS_PROTOCOL
  const [first] = offered
  return first ?? false
}

/** A socket, and who hears of it. */
interface Attachment {
  readonly webSocket: WebSocket
  readonly client: ClientSocket
  readonly protocol: WebSocketProtocol
  readonly inboxes: InboxHost
  readonly reading: SocketReading
  readonly onClose: () => void
}

function attachSocket(
  { webSocket: socket, client, protocol, inboxes, reading, onClose }: Attachment,
  { logger, limits, guard }: WebSocketTransportOptions,
): void {
  // ws closes the socket itself on a malformed frame; the listener keeps that from ending the process.
  socket.on(
    'error',
    guard.wrap('log what failed a WebSocket', (error: Error) =>
      logger.debug('a WebSocket failed', describeError(error)),
    ),
  )
  if (socket.protocol !== GRAPHQL_TRANSPORT_WS_PROTOCOL) {
    client.close(CloseCode.SubprotocolNotAcceptable, USE_OTHER_SUBPROTOCOL)
  }
  client.watch(limits, guard)
  const receive = (data: RawData, isBinary: boolean): void => {
    // After our close frame the client may still send, and it is no longer who it was.
    if (!client.isOpen) return
    if (isBinary) client.close(CloseCode.BadRequest, 'Invalid message received')
    else protocol.receive(client, String(data))
  }
  const inbox = new SocketInbox(inboxes, { webSocket: socket, reading, receive })
  const endSilence = (): void => {
    if (client.phase === 'silent') client.close(CloseCode.ConnectionInitialisationTimeout, INIT_TIMEOUT)
  }
  const initTimer = setTimeout(
    guard.wrap('end a silent WebSocket', () => inbox.afterTaken(endSilence)),
    limits.connectionInitTimeoutMs,
  )
  const take = (data: RawData, isBinary: boolean): void => inbox.accept(data, isBinary)
  socket.on(
    'message',
    guard.wrap('take a message', take, () => socket.terminate()),
  )
  const end = (): void => {
    clearTimeout(initTimer)
    onClose()
    client.release()
  }
  socket.once('close', guard.wrap('clean up after a WebSocket', end))
}
