/**
 * Stage 8, server. GraphQL over WebSocket, protocol graphql-transport-ws, on the path of HTTP. graphql-ws
 * keeps the protocol, the pipeline is Yoga's, and each socket has a bound on what it may hold back.
 * https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ExecutionArgs, ExecutionResult, FormattedExecutionResult, GraphQLError } from 'graphql'
import {
  CloseCode,
  type Context,
  handleProtocols,
  makeServer,
  type OperationResult,
  type Server,
  type SubscribePayload,
} from 'graphql-ws'
import { type WebSocket, WebSocketServer } from 'ws'
import { invariant } from '../errors.ts'
import type { Logger } from '../log.ts'
import { describeError } from './describe-error.ts'
import { formatGraphqlError, type GraphqlHandler } from './graphql-pipeline.ts'
import { maskError } from './mask-error.ts'
import { createSocketSender } from './socket-sender.ts'

/** What the transport needs. */
export interface WebSocketTransportOptions {
  readonly handler: Pick<GraphqlHandler, 'getEnveloped'>
  readonly logger: Logger
  /** What one socket may hold back before its subscriptions wait. @default 1_048_576 // 1 MiB */
  readonly socketBufferedBytesMax: number
  /** The longest message a client may send. @default 1_048_576 // 1 MiB */
  readonly requestBytesMax: number
  /** A client that leaves a ping unanswered for this long is cut off. @default 12_000 // 12 s */
  readonly pingIntervalMs: number
  /** How long a client may take to send `connection_init`. @default 3_000 // 3 s */
  readonly connectionInitTimeoutMs: number
}

/** The WebSocket side of the server. */
export interface WebSocketTransport {
  /** Takes over a connection that asked for an upgrade. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Closes every socket with 1001, which tells clients to come back; cuts those that linger. */
  close(timeoutMs: number): Promise<void>
}

interface SocketExtra extends Record<PropertyKey, unknown> {
  readonly request: IncomingMessage
}
type ConnectionParams = Record<string, unknown> | undefined
type SocketContext = Context<ConnectionParams, SocketExtra>

/** WebSocket close code: the server goes away. RFC 6455, section 7.4.1. */
const GOING_AWAY = 1001

/** Creates the transport. */
export function createWebSocketTransport(options: WebSocketTransportOptions): WebSocketTransport {
  const protocol = createProtocolServer(options)
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: options.requestBytesMax,
    handleProtocols,
  })
  return {
    handleUpgrade(request, socket, head) {
      sockets.handleUpgrade(request, socket, head, (webSocket) => {
        attachSocket(protocol, webSocket, request, options)
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
  request: IncomingMessage,
  options: WebSocketTransportOptions,
): void {
  const { logger } = options
  // ws closes the socket itself on a malformed frame; the listener keeps that from ending the process.
  socket.on('error', (error) => logger.debug('a WebSocket failed', describeError(error)))
  const stopPinging = startPinging(socket, options.pingIntervalMs)
  const onClosed = protocol.opened(
    {
      protocol: socket.protocol,
      send: createSocketSender(socket, options.socketBufferedBytesMax),
      close: (code, reason) => socket.close(code, reason),
      onMessage(handle) {
        socket.on('message', (data) => {
          handle(String(data)).catch((error: unknown) => {
            logger.error('a WebSocket message could not be handled', describeError(error))
            socket.close(CloseCode.InternalServerError, 'Internal server error')
          })
        })
      },
    },
    { request },
  )
  socket.once('close', (code, reason) => {
    stopPinging()
    onClosed(code, String(reason)).catch((error: unknown) => {
      logger.error('a WebSocket could not be cleaned up', describeError(error))
    })
  })
}

/** Pings at the interval and terminates a socket that left the last ping unanswered. */
function startPinging(socket: WebSocket, intervalMs: number): () => void {
  let isAnswered = true
  socket.on('pong', () => {
    isAnswered = true
  })
  const timer = setInterval(() => {
    if (socket.readyState !== socket.OPEN) return
    if (!isAnswered) return socket.terminate()
    isAnswered = false
    socket.ping()
  }, intervalMs)
  return () => clearInterval(timer)
}

type Enveloped = ReturnType<GraphqlHandler['getEnveloped']>

function createProtocolServer(options: WebSocketTransportOptions): Server<SocketExtra> {
  // The functions that Yoga wrapped for one operation, from onSubscribe to execute or subscribe.
  const pipelines = new WeakMap<ExecutionArgs, Enveloped>()
  const run =
    (kind: 'execute' | 'subscribe') =>
    (args: ExecutionArgs): OperationResult => {
      const pipeline = pipelines.get(args)
      invariant(pipeline, 'graphql-ws ran an operation that was never prepared.')
      return pipeline[kind](args) as OperationResult
    }
  return makeServer<ConnectionParams, SocketExtra>({
    connectionInitWaitTimeout: options.connectionInitTimeoutMs,
    execute: run('execute'),
    subscribe: run('subscribe'),
    onSubscribe: async (context, _id, payload) => {
      const pipeline = envelop(options.handler, context, payload)
      const prepared = await prepareOperation(pipeline, payload)
      if ('document' in prepared) pipelines.set(prepared, pipeline)
      return prepared
    },
    onNext: (_context, _id, _payload, _args, result) =>
      result.errors === undefined
        ? undefined
        : formatFailedResult(result.data, result.extensions, result.errors),
    onError: (_context, _id, _payload, errors) =>
      errors.map((error) => formatGraphqlError(maskError(error.originalError ?? error))),
  })
}

function formatFailedResult(
  data: ExecutionResult['data'],
  extensions: ExecutionResult['extensions'],
  errors: readonly GraphQLError[],
): FormattedExecutionResult {
  return {
    ...(data === undefined ? {} : { data }),
    ...(extensions === undefined ? {} : { extensions }),
    errors: errors.map(formatGraphqlError),
  }
}

function envelop(
  handler: WebSocketTransportOptions['handler'],
  context: SocketContext,
  params: SubscribePayload,
): Enveloped {
  const { connectionParams, extra } = context
  return handler.getEnveloped({ req: extra.request, isWebSocket: true, connectionParams, params })
}

/** Parses, validates and makes the context; what fails becomes the operation's error, not the socket's end. */
async function prepareOperation(
  pipeline: Enveloped,
  payload: SubscribePayload,
): Promise<ExecutionArgs | readonly GraphQLError[]> {
  try {
    const document = pipeline.parse(payload.query)
    const errors = pipeline.validate(pipeline.schema, document)
    if (errors.length > 0) return errors
    return {
      schema: pipeline.schema,
      document,
      contextValue: await pipeline.contextFactory(),
      operationName: payload.operationName,
      variableValues: payload.variables,
    }
  } catch (error) {
    return [maskError(error)]
  }
}
