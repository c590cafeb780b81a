/**
 * Stage 8, server. The WebSockets of a server: takes them over from HTTP, hands their messages to the
 * protocol, and bounds what each may send, hold back and leave unsaid.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { CloseCode, handleProtocols, type Server } from 'graphql-ws'
import { type RawData, WebSocket, WebSocketServer } from 'ws'
import type { Logger } from '../log.ts'
import type { Deliveries } from './deliveries.ts'
import { describeError } from './describe-error.ts'
import { isLongerThan, payloadTooLarge } from './payload-bound.ts'
import { SocketOutbox } from './socket-outbox.ts'
import { createSocketSender, type SocketSender } from './socket-sender.ts'
import { type SocketWatch, watchSocket } from './socket-watch.ts'
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
  const attached = new Set<SocketExtra>()
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
  return {
    get size() {
      return sockets.clients.size
    },
    get operationCount() {
      let count = 0
      for (const extra of attached) count += operationCountOf(extra)
      return count
    },
    handleUpgrade(request, socket, head, address) {
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        const outbox = new SocketOutbox({
          ...{ webSocket, socket, bufferedBytesMax: limits.socketBufferedBytesMax },
          ...{ frames: options.deliveries.frames, turn: options.deliveries.turn },
        })
        const extra = attachSocket(protocol, webSocket, { request, address, outbox }, options)
        attached.add(extra)
        webSocket.once('close', () => attached.delete(extra))
      })
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
  client: Pick<SocketExtra, 'request' | 'address' | 'outbox'>,
  { logger, limits }: WebSocketTransportOptions,
): SocketExtra {
  // ws closes the socket itself on a malformed frame; the listener keeps that from ending the process.
  socket.on('error', (error) => logger.debug('a WebSocket failed', describeError(error)))
  const watch = watchSocket(socket, {
    ...limits,
    operationCount: () => operationCountOf(extra),
  })
  const extra = createExtra(socket, client, watch)
  const send = createSocketSender(socket, limits.socketBufferedBytesMax)
  const onClosed = protocol.opened(
    {
      protocol: socket.protocol,
      send: createBoundedSender(send, limits.payloadBytesMax),
      close: extra.close,
      onMessage(handle) {
        socket.on('message', (data, isBinary) => {
          receive(data, isBinary, extra, handle, logger)
        })
      },
    },
    extra,
  )
  socket.once('close', (code, reason) => {
    watch.stop()
    extra.stopSession?.()
    onClosed(code, String(reason)).catch((error: unknown) => {
      logger.error('a WebSocket could not be cleaned up', describeError(error))
    })
  })
  return extra
}

function operationCountOf({ context }: SocketExtra): number {
  return Object.keys(context?.subscriptions ?? {}).length
}

function createExtra(
  socket: WebSocket,
  client: Pick<SocketExtra, 'request' | 'address' | 'outbox'>,
  watch: SocketWatch,
): SocketExtra {
  return {
    ...client,
    close: (code, reason) => socket.close(code, cutReason(reason)),
    isOpen: () => socket.readyState === WebSocket.OPEN,
    noteActivity: watch.noteActivity,
    context: null,
    connection: null,
    stopSession: null,
  }
}

function receive(
  data: RawData,
  isBinary: boolean,
  extra: SocketExtra,
  handle: (text: string) => Promise<void>,
  logger: Logger,
): void {
  // After our close frame the client may still send, and it is no longer who it was.
  if (!extra.isOpen()) return
  if (isBinary) {
    extra.close(CloseCode.BadRequest, 'Invalid message received')
    return
  }
  handle(String(data)).catch((error: unknown) => {
    if (isUnexpectedMessage(error)) return extra.close(CloseCode.BadRequest, 'Invalid message received')
    logger.error('a WebSocket message could not be handled', describeError(error))
    extra.close(CloseCode.InternalServerError, 'Internal server error')
  })
}

/** A message that only servers send: graphql-ws throws, as if it were our fault. */
function isUnexpectedMessage(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Unexpected message of type ')
}

/** A close frame holds 123 bytes beside the code. RFC 6455, section 5.5. */
const REASON_BYTES_MAX = 123

/** ws throws on longer ones, and graphql-ws puts the client's own ids into them. */
function cutReason(reason: string): string {
  if (!isLongerThan(reason, REASON_BYTES_MAX)) return reason
  return new TextDecoder()
    .decode(Buffer.from(reason).subarray(0, REASON_BYTES_MAX - 3))
    .replace(/\uFFFD+$/, '')
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
