/**
 * Stage 8, server. The WebSockets of a server: takes them over from HTTP, hands their messages to the
 * protocol, and bounds what each may send, hold back and leave unsaid.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { CloseCode, handleProtocols, type Server } from 'graphql-ws'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import type { Logger } from '../log.ts'
import { ClientSocket } from './client-socket.ts'
import type { Deliveries } from './deliveries.ts'
import { describeError } from './describe-error.ts'
import { isLongerThan, payloadTooLarge } from './payload-bound.ts'
import { SocketOutbox } from './socket-outbox.ts'
import { createSocketSender, type SocketSender } from './socket-sender.ts'
import {
  createWebSocketProtocol,
  type SocketExtra,
  type WebSocketProtocolOptions,
} from './websocket-protocol.ts'

/** What the transport needs. */
export interface WebSocketTransportOptions extends WebSocketProtocolOptions {
  readonly logger: Logger
  readonly deliveries: Deliveries
}

/** The WebSocket side of the server. */
export interface WebSocketTransport {
  /** Open sockets. */
  readonly size: number
  /** Operations that are running. */
  readonly operationCount: number
  /** Takes over a connection that asked for an upgrade. @param address the client's */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, address: string): void
  /** Closes every socket with 1001, which tells clients to come back; cuts those that linger. */
  close(timeoutMs: number): Promise<void>
}

/** WebSocket close code: the server goes away. RFC 6455, section 7.4.1. */
const GOING_AWAY = 1001

/** Creates the transport. */
export function createWebSocketTransport(options: WebSocketTransportOptions): WebSocketTransport {
  const { limits } = options
  const protocol = createWebSocketProtocol(options)
  const attached = new Set<ClientSocket>()
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.requestBytesMax,
    maxFragments: limits.messageFragmentsMax,
    // Inflating what a client deflated is work that the client decides about.
    perMessageDeflate: false,
    // The types lack it: how long a socket that was closed waits for the client to agree.
    ...{ closeTimeout: limits.closeTimeoutMs },
    handleProtocols,
  })
  /** A function of its own: what lives as long as the socket must not keep its upgrade request alive. */
  function take(webSocket: WebSocket, socket: Duplex, headers: IncomingHttpHeaders, address: string): void {
    const outbox = new SocketOutbox({
      ...{ webSocket, socket, bufferedBytesMax: limits.socketBufferedBytesMax },
      ...{ frames: options.deliveries.frames, turn: options.deliveries.turn },
    })
    const client = new ClientSocket({ webSocket, outbox, address, headers })
    attached.add(client)
    attachSocket(protocol, webSocket, client, options, () => attached.delete(client))
  }

  return {
    get size() {
      return sockets.clients.size
    },
    get operationCount() {
      let count = 0
      for (const { operationCount } of attached) count += operationCount
      return count
    },
    handleUpgrade(request, socket, head, address) {
      const { headers } = request
      sockets.handleUpgrade(request, socket, head, (webSocket) => take(webSocket, socket, headers, address))
    },
    close(timeoutMs) {
      for (const socket of sockets.clients) socket.close(GOING_AWAY, 'Server is stopping')
      const timer = setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate()
      }, timeoutMs)
      return new Promise((resolve) => {
        sockets.close(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    },
  }
}

function attachSocket(
  protocol: Server<SocketExtra>,
  socket: WebSocket,
  client: ClientSocket,
  { logger, limits }: WebSocketTransportOptions,
  onClose: () => void,
): void {
  // ws closes the socket itself on a malformed frame; the listener keeps that from ending the process.
  socket.on('error', (error) => logger.debug('a WebSocket failed', describeError(error)))
  client.watch(limits)
  const send = createSocketSender(socket, limits.socketBufferedBytesMax)
  const onClosed = protocol.opened(
    {
      protocol: socket.protocol,
      send: createBoundedSender(send, limits.payloadBytesMax),
      close: (code, reason) => client.close(code ?? CloseCode.InternalServerError, reason ?? ''),
      onMessage(handle) {
        socket.on('message', (data, isBinary) => {
          receive(data, isBinary, client, handle, logger)
        })
      },
    },
    client,
  )
  socket.once('close', (code, reason) => {
    onClose()
    client.stopSession?.()
    onClosed(code, String(reason)).catch((error: unknown) => {
      logger.error('a WebSocket could not be cleaned up', describeError(error))
    })
  })
}

function receive(
  data: RawData,
  isBinary: boolean,
  client: ClientSocket,
  handle: (text: string) => Promise<void>,
  logger: Logger,
): void {
  // After our close frame the client may still send, and it is no longer who it was.
  if (!client.isOpen) return
  if (isBinary) {
    client.close(CloseCode.BadRequest, 'Invalid message received')
    return
  }
  handle(String(data)).catch((error: unknown) => {
    if (isUnexpectedMessage(error)) return client.close(CloseCode.BadRequest, 'Invalid message received')
    logger.error('a WebSocket message could not be handled', describeError(error))
    client.close(CloseCode.InternalServerError, 'Internal server error')
  })
}

/** A message that only servers send: graphql-ws throws, as if it were our fault. */
function isUnexpectedMessage(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Unexpected message of type ')
}

/** Bounds the text of a single result, which is replaced by the error; what is streamed does not come this way. */
function createBoundedSender(send: SocketSender, bytesMax: number): SocketSender {
  return async (text) => {
    if (!isLongerThan(text, bytesMax)) return send(text)
    const { id, type } = JSON.parse(text) as { id?: string; type: string }
    // A pong that echoes, or an error that quotes: bounded by what the client sent.
    if (type !== 'next' || id === undefined) return send(text)
    const error = payloadTooLarge(bytesMax)
    const payload = {
      errors: [{ message: error.message, extensions: { code: error.code, mend: error.mend } }],
    }
    return send(JSON.stringify({ id, type, payload }))
  }
}
