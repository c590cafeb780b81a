/**
 * Stage 8, server. The operations of a WebSocket: graphql-ws keeps the protocol, graphql-transport-ws, and
 * the pipeline is Yoga's. A client is let in once, at `connection_init`.
 * https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { ExecutionArgs, ExecutionResult, FormattedExecutionResult, GraphQLError } from 'graphql'
import {
  CloseCode,
  type Context,
  makeServer,
  type OperationResult,
  type Server,
  type SubscribePayload,
} from 'graphql-ws'
import { invariant, RowcastError } from '../errors.ts'
import { CONNECTION, type ConnectionState, formatGraphqlError } from './connection-state.ts'
import type { Session } from './context.ts'
import type { Deliveries } from './deliveries.ts'
import type { GraphqlHandler } from './graphql-pipeline.ts'
import type { ServerLimits } from './limits.ts'
import type { ErrorMask } from './mask-error.ts'
import { ResultStream } from './result-stream.ts'
import type { SessionKeeper } from './session-keeper.ts'
import type { SocketOutbox } from './socket-outbox.ts'

/** What the protocol needs. */
export interface WebSocketProtocolOptions {
  readonly handler: Pick<GraphqlHandler, 'getEnveloped'>
  readonly deliveries: Pick<Deliveries, 'subscribe'>
  readonly errorMask: ErrorMask
  readonly sessions: SessionKeeper
  readonly limits: ServerLimits
}

/** One socket, as its transport tells of it. */
export interface SocketExtra {
  readonly address: string
  /** Of its upgrade request; null once it was let in. */
  headers: IncomingHttpHeaders | null
  /** Where the `next` messages of its subscriptions go. */
  readonly outbox: SocketOutbox
  /** Closes the socket; the reason is cut to what a close frame holds. */
  close(code: number, reason: string): void
  readonly isOpen: boolean
  noteActivity(): void
  /** Filled in by the protocol: what is running, and whose it is. */
  context: SocketContext | null
  connection: ConnectionState | null
  stopSession: (() => void) | null
}

type ConnectionParams = Record<string, unknown> | undefined

/** graphql-ws's view of a socket. */
export type SocketContext = Context<ConnectionParams, SocketExtra>

type Enveloped = ReturnType<GraphqlHandler['getEnveloped']>

/** Creates the protocol for all sockets of a server. */
export function createWebSocketProtocol(options: WebSocketProtocolOptions): Server<SocketExtra> {
  const { errorMask, limits } = options
  // The functions that Yoga wrapped for one operation, from onSubscribe to execute.
  const pipelines = new WeakMap<ExecutionArgs, Enveloped>()
  return makeServer<ConnectionParams, SocketExtra>({
    connectionInitWaitTimeout: limits.connectionInitTimeoutMs,
    onConnect: (context) => letIn(context, options),
    execute(args) {
      const pipeline = pipelines.get(args)
      invariant(pipeline, 'graphql-ws ran an operation that was never prepared.')
      return pipeline.execute(args) as OperationResult
    },
    // Not by the pipeline, which would wrap each stream several times, to mask what is masked here.
    subscribe: (args) => subscribe(args, options),
    onSubscribe: async (context, _id, payload) => {
      context.extra.noteActivity()
      if (Object.keys(context.subscriptions).length > limits.subscriptionsPerSocketMax) {
        return [errorMask.mask(tooManySubscriptions(limits.subscriptionsPerSocketMax))]
      }
      const pipeline = envelop(options.handler, context.extra, payload)
      const prepared = await prepareOperation(pipeline, payload, errorMask)
      if ('document' in prepared) pipelines.set(prepared, pipeline)
      return prepared
    },
    onOperation({ extra }, id, _payload, _args, result) {
      if (!(result instanceof ResultStream)) return
      // graphql-ws waits for the end of the results and says it; what comes before goes straight to the socket.
      result.sendTo({ outbox: extra.outbox, id, payloadBytesMax: limits.payloadBytesMax })
    },
    onNext: (_context, _id, _payload, _args, result) =>
      result.errors === undefined
        ? undefined
        : formatFailedResult(result.data, result.extensions, result.errors),
    onError: (_context, _id, _payload, errors) =>
      errors.map((error) => formatGraphqlError(errorMask.mask(error.originalError ?? error))),
    onComplete: ({ extra }) => extra.noteActivity(),
  })
}

async function subscribe(
  args: ExecutionArgs,
  { deliveries, errorMask }: WebSocketProtocolOptions,
): Promise<ResultStream | ExecutionResult> {
  const result = await deliveries.subscribe(args)
  if (result instanceof ResultStream || result.errors === undefined) return result
  return { ...result, errors: result.errors.map((error) => errorMask.mask(error)) }
}

/** Opens the session of a socket; a client that is refused is told why in the reason of the close frame. */
async function letIn(
  context: SocketContext,
  { sessions, errorMask }: WebSocketProtocolOptions,
): Promise<boolean> {
  const { extra, connectionParams } = context
  extra.context = context
  const source = { headers: extra.headers ?? {}, remoteAddress: extra.address }
  extra.headers = null
  let session: Session
  try {
    session = await sessions.open({ kind: 'websocket', ...source, connectionParams: connectionParams ?? {} })
  } catch (error) {
    const { message, extensions } = errorMask.mask(error)
    const isOurFault = extensions['code'] === 'INTERNAL_SERVER_ERROR'
    extra.close(
      isOurFault ? CloseCode.InternalServerError : CloseCode.Forbidden,
      reasonOf(message, extensions),
    )
    return false
  }
  // The client may have left while its session was looked up; nobody would end the watch.
  if (!extra.isOpen) return false
  extra.connection = { kind: 'websocket', address: extra.address, session }
  extra.stopSession = sessions.watch(session, (why) => extra.close(CloseCode.Forbidden, why.code))
  return true
}

/** The code of an error that has one: clients can act on it, and it fits. */
function reasonOf(message: string, { code, id }: GraphQLError['extensions']): string {
  if (typeof id === 'string') return `Internal server error ${id}`
  return typeof code === 'string' ? code : message
}

function tooManySubscriptions(max: number): RowcastError {
  return new RowcastError('TOO_MANY_SUBSCRIPTIONS', `This WebSocket already runs ${max} operations.`)
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
  handler: WebSocketProtocolOptions['handler'],
  { connection }: SocketExtra,
  params: SubscribePayload,
): Enveloped {
  invariant(connection, 'An operation came before its socket was let in.')
  return handler.getEnveloped({ [CONNECTION]: connection, params })
}

/** Parses, validates and makes the context; what fails becomes the operation's error, not the socket's end. */
async function prepareOperation(
  pipeline: Enveloped,
  payload: SubscribePayload,
  errorMask: ErrorMask,
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
    return [errorMask.mask(error)]
  }
}
