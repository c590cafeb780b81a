/**
 * Stage 8, server. One operation of a WebSocket, from its document to its last message. Whatever fails in it is its
 * own error: the socket and the operations beside it go on.
 */
import {
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLError,
  type GraphQLFormattedError,
  getOperationAST,
} from 'graphql'
import { MessageType, type SubscribePayload } from 'graphql-ws'
import type { TurnShare } from '../../bus/turn-share.ts'
import { invariant, isRowcastError } from '../../errors.ts'
import { abandonOperation } from '../../graphql/reading/read-pool.ts'
import { jsonWithin } from '../delivery/bounded-json.ts'
import type { Deliveries } from '../delivery/deliveries.ts'
import type { SocketOutbox } from '../delivery/socket-outbox.ts'
import { ResultStream } from '../delivery/subscription-results.ts'
import { payloadTooLarge } from '../errors/delivery-failure.ts'
import type { ErrorMask } from '../errors/mask-error.ts'
import { unknownOperation } from '../errors/request-errors.ts'
import { isQuery } from '../execution/abandoned-queries.ts'
import { resultBytesMax } from '../execution/introspection.ts'
import type { PersistedDocuments } from '../execution/persisted-documents.ts'
import type { GraphqlHandler } from '../graphql-pipeline.ts'
import type { ServerLimits } from '../limits/limits.ts'
import { CONNECTION, type ConnectionState, formatGraphqlError } from '../session/connection-state.ts'
import type { AnswerTurns } from './answer-turns.ts'
import { isSentAway, type SocketDeparture } from './socket-departure.ts'
import type { Operation, SocketOperations } from './socket-operations.ts'
import type { SocketSender } from './socket-sender.ts'

/** What all operations of a server share. */
export interface OperationPipeline {
  readonly handler: Pick<GraphqlHandler, 'getEnveloped'>
  readonly deliveries: Pick<Deliveries, 'subscribe'>
  readonly turns: TurnShare
  readonly errorMask: ErrorMask
  readonly limits: ServerLimits
  /** Those that clients may name; null: none. */
  readonly documents: Pick<PersistedDocuments, 'textOf'> | null
}

/** What an operation has of its socket. */
export interface OperationSocket {
  readonly connection: ConnectionState | null
  readonly operations: SocketOperations
  /** Of its queries and mutations. */
  readonly answers: AnswerTurns
  /** Where the `next` messages of subscriptions go. */
  readonly outbox: SocketOutbox
  /** Where everything else goes. */
  readonly send: SocketSender
  /** How its client is sent to another process. */
  readonly departure: SocketDeparture
  /** Whether the client takes the end of its subscriptions as an error when the server stops. */
  readonly isNotifiedOfStop: boolean
  /** Has it closed as by a server that restarts, soon at the latest: what waits on it is not to wait for ever. */
  awaitRestart(): void
}

type Enveloped = ReturnType<GraphqlHandler['getEnveloped']>

/** Runs it; never rejects. */
export async function runOperation(
  operation: Operation,
  payload: SubscribePayload,
  socket: OperationSocket,
  pipeline: OperationPipeline,
): Promise<void> {
  const fail = (error: unknown) => sendErrors(operation, [pipeline.errorMask.mask(error)], socket, pipeline)
  try {
    await pipeline.turns.wait()
    if (operation.isOver) return
    const prepared = await prepare(payload, socket, pipeline)
    // Completed meanwhile: it is not even begun.
    if (operation.isOver) return
    if (Array.isArray(prepared)) return await sendErrors(operation, prepared, socket, pipeline)
    await execute(operation, prepared as PreparedOperation, socket, pipeline)
    await sendEnd(operation, socket, { type: MessageType.Complete })
  } catch (error) {
    // An error may hold what cannot be written as JSON.
    await fail(error).catch(fail)
  }
}

interface PreparedOperation {
  readonly args: ExecutionArgs
  readonly enveloped: Enveloped
  readonly isSubscription: boolean
}

/** Parses, validates and makes the context. */
async function prepare(
  payload: SubscribePayload,
  { connection }: OperationSocket,
  { handler, documents }: OperationPipeline,
): Promise<PreparedOperation | readonly GraphQLError[]> {
  invariant(connection, 'An operation came before its socket was let in.')
  const query = documents === null ? payload.query : (documents.textOf(payload) ?? '')
  const enveloped = handler.getEnveloped({ [CONNECTION]: connection, params: { ...payload, query } })
  const document = enveloped.parse(query)
  const errors: readonly GraphQLError[] = enveloped.validate(enveloped.schema, document)
  if (errors.length > 0) return errors
  const definition = getOperationAST(document, payload.operationName)
  if (!definition) return [unknownOperation()]
  const args: ExecutionArgs = {
    schema: enveloped.schema,
    document,
    contextValue: await enveloped.contextFactory(),
    operationName: payload.operationName,
    variableValues: payload.variables,
  }
  return { args, enveloped, isSubscription: definition.operation === 'subscription' }
}

async function execute(
  operation: Operation,
  { args, enveloped, isSubscription }: PreparedOperation,
  socket: OperationSocket,
  pipeline: OperationPipeline,
): Promise<void> {
  const send = (result: ExecutionResult): Promise<void> => {
    const bytesMax = resultBytesMax(pipeline.limits, args.document, args.operationName)
    // A mutation is not to be done once more elsewhere.
    const mayLeave = isSubscription || isQuery(args)
    return sendResult(operation, result, socket, { ...pipeline, bytesMax, mayLeave })
  }
  if (!isSubscription) {
    // A client that completes it, or leaves, waits for it no more.
    if (isQuery(args)) operation.own({ return: async () => abandonOperation(args.contextValue) })
    return socket.answers.run(async () => {
      // Completed while it waited: it is not made.
      if (!operation.isOver) await send((await enveloped.execute(args)) as ExecutionResult)
    })
  }
  // Not by the pipeline, which would wrap each stream several times, to mask what is masked here.
  const result = await pipeline.deliveries.subscribe(args)
  if (!(result instanceof ResultStream)) {
    const stopping = result.errors?.find(isOfStop)
    if (stopping !== undefined) throw stopping
    return send(result)
  }
  if (!operation.own(result)) return
  const { payloadBytesMax } = pipeline.limits
  result.sendTo({ outbox: socket.outbox, id: operation.id, payloadBytesMax })
  await result.next()
}

/** What one result is sent by. */
interface ResultRules extends Pick<OperationPipeline, 'errorMask' | 'limits'> {
  readonly bytesMax: number
  /** Whether its client may ask another process for it. */
  readonly mayLeave: boolean
}

/** The one result of a query or mutation, or of a subscription that does not begin. */
async function sendResult(
  operation: Operation,
  { data, errors, extensions }: ExecutionResult,
  socket: OperationSocket,
  { errorMask, limits, bytesMax, mayLeave }: ResultRules,
): Promise<void> {
  if (operation.isOver) return
  const shown = errors?.map((error) => formatGraphqlError(errorMask.mask(error)))
  if (shown !== undefined && mayLeave && isSentAway(shown)) return leave(operation, shown, socket, limits)
  const payload = {
    ...(data === undefined ? {} : { data }),
    ...(extensions === undefined ? {} : { extensions }),
    ...(shown === undefined ? {} : { errors: shown }),
  }
  const text = jsonWithin({ id: operation.id, type: MessageType.Next, payload }, bytesMax)
  if (text === null) throw payloadTooLarge(bytesMax)
  await socket.send(text)
}

async function sendErrors(
  operation: Operation,
  errors: readonly GraphQLError[],
  socket: OperationSocket,
  pipeline: OperationPipeline,
): Promise<void> {
  const { errorMask } = pipeline
  const payload = errors.map((error) => formatGraphqlError(errorMask.mask(error)))
  if (isSentAway(payload)) return leave(operation, payload, socket, pipeline.limits)
  if (isLeftOpen(payload, socket)) return socket.awaitRestart()
  await sendEnd(operation, socket, { type: MessageType.Error, payload })
}

/** Its client is to go on with it at another process. */
function leave(
  operation: Operation,
  payload: readonly GraphQLFormattedError[],
  { operations, departure }: OperationSocket,
  { drainTimeoutMs }: ServerLimits,
): void {
  if (operations.close(operation)) departure.park(operation, payload, drainTimeoutMs)
}

/** Whether a subscription is refused because its rowcast stops: that is as if it had begun, and ended at once. */
function isOfStop({ originalError }: GraphQLError): boolean {
  return isRowcastError(originalError) && originalError.code === 'SERVER_STOPPING'
}

/**
 * Whether a subscription that ends as its rowcast stops is left open for the client: it goes on elsewhere once the socket
 * is closed, but would take an error for final. In which order an application stops its rowcast and this server does not count.
 */
function isLeftOpen(
  errors: readonly GraphQLFormattedError[] | undefined,
  { isNotifiedOfStop }: OperationSocket,
): boolean {
  if (isNotifiedOfStop) return false
  return errors?.some(({ extensions }) => extensions?.['code'] === 'SERVER_STOPPING') ?? false
}

/** The last message of an operation. Its id is free before the client reads that it is. */
async function sendEnd(operation: Operation, socket: OperationSocket, message: object): Promise<void> {
  const text = JSON.stringify({ id: operation.id, ...message })
  if (socket.operations.close(operation)) await socket.send(text)
}
