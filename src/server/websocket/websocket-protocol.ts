/**
 * Stage 8, server. graphql-transport-ws, from the server's side: a client is let in once, at `connection_init`, and
 * runs operations under ids of its own. graphql-ws has the words of the protocol; who owns an operation is ours to know.
 * https://github.com/graphql/graphql-over-http/blob/main/rfcs/GraphQLOverWebSocket.md
 */
import type { IncomingHttpHeaders } from 'node:http'
import {
  CloseCode,
  type ConnectionInitMessage,
  type Message,
  MessageType,
  type PingMessage,
  parseMessage,
  type SubscribeMessage,
  type SubscribePayload,
} from 'graphql-ws'
import { isJsonTextDeeper } from '../../catalog/values/json-depth.ts'
import { errorEntry, isErrorCode, RowcastError } from '../../errors.ts'
import type { ClientAccounts } from '../limits/client-accounts.ts'
import { type ConnectionState, formatGraphqlError } from '../session/connection-state.ts'
import type { Session } from '../session/context.ts'
import type { SessionKeeper } from '../session/session-keeper.ts'
import { type OperationPipeline, type OperationSocket, runOperation } from './run-operation.ts'
import { TRY_AGAIN_LATER } from './socket-departure.ts'

/** What the protocol needs. */
export interface WebSocketProtocolOptions extends OperationPipeline {
  readonly sessions: SessionKeeper
  readonly accounts: ClientAccounts
}

/** How far a socket is: it introduces itself, its session is opened, it is let in. */
export type SocketPhase = 'silent' | 'opening' | 'letIn'

/** One socket, and what the protocol keeps on it. */
export interface ProtocolSocket extends OperationSocket {
  readonly address: string
  /** Of its upgrade request; null once they were read. */
  headers: IncomingHttpHeaders | null
  readonly isOpen: boolean
  /** Closes the socket and ends its operations; the reason is cut to what a close frame holds. */
  close(code: number, reason: string): void
  noteActivity(): void
  phase: SocketPhase
  connection: ConnectionState | null
  stopSession: (() => void) | null
  isNotifiedOfStop: boolean
}

/** The protocol for all sockets of a server. */
export interface WebSocketProtocol {
  /** Handles a message; never throws. */
  receive(socket: ProtocolSocket, text: string): void
}

export function createWebSocketProtocol(options: WebSocketProtocolOptions): WebSocketProtocol {
  return {
    receive(socket, text) {
      const message = parse(text)
      switch (message?.type) {
        case MessageType.ConnectionInit:
          return initialize(socket, message, options)
        case MessageType.Ping:
          // Its payload is sent back, and making text of it takes stack for each level.
          if (isJsonTextDeeper(text)) return socket.close(...INVALID)
          return answerPing(socket, message)
        case MessageType.Pong:
          return
        case MessageType.Subscribe:
          return subscribe(socket, message, options)
        case MessageType.Complete:
          socket.noteActivity()
          return socket.operations.complete(message.id)
        default:
          // No message, or one that only servers send.
          socket.close(...INVALID)
      }
    },
  }
}

/** How a socket is closed that sends what is no message. */
const INVALID = [CloseCode.BadRequest, 'Invalid message received'] as const

function answerPing(socket: ProtocolSocket, { payload }: PingMessage): void {
  void socket.send(JSON.stringify({ type: MessageType.Pong, ...(payload && { payload }) }))
}

function parse(text: string): Message | null {
  try {
    return parseMessage(text)
  } catch {
    return null
  }
}

function initialize(
  socket: ProtocolSocket,
  { payload }: ConnectionInitMessage,
  options: WebSocketProtocolOptions,
): void {
  if (socket.phase !== 'silent') {
    socket.close(CloseCode.TooManyInitialisationRequests, 'Too many initialisation requests')
    return
  }
  socket.phase = 'opening'
  letIn(socket, payload ?? {}, options).catch((error: unknown) => {
    const { message, extensions } = options.errorMask.mask(error)
    socket.close(TRY_AGAIN_LATER, reasonOf(message, extensions))
  })
}

/** Opens the session of a socket; a client that is refused finds why in the reason of the close frame. */
async function letIn(
  socket: ProtocolSocket,
  connectionParams: Readonly<Record<string, unknown>>,
  { sessions, errorMask, accounts, limits }: WebSocketProtocolOptions,
): Promise<void> {
  socket.isNotifiedOfStop = isNotifiedOfStop(connectionParams)
  const source = { headers: socket.headers ?? {}, remoteAddress: socket.address, connectionParams }
  socket.headers = null
  let session: Session
  try {
    session = await sessions.open({ kind: 'websocket', ...source }, () => socket.isOpen)
  } catch (error) {
    const { message, extensions } = errorMask.mask(error)
    return socket.close(closeCodeOf(extensions), reasonOf(message, extensions))
  }
  // The client may have left while its session was looked up; nobody would end the watch.
  if (!socket.isOpen) return
  const account = accounts.open(socket.address, session.viewerKey)
  socket.connection = { kind: 'websocket', address: socket.address, session, account }
  socket.stopSession = sessions.watch(session, (why) => endSession(socket, why, limits))
  socket.phase = 'letIn'
  await socket.send(JSON.stringify({ type: MessageType.ConnectionAck }))
}

/** One that goes on elsewhere has done nothing: what it was asked for is answered first. */
function endSession(
  socket: ProtocolSocket,
  { code }: RowcastError,
  { drainTimeoutMs }: WebSocketProtocolOptions['limits'],
): void {
  if (code === 'SERVER_STANDING_BY') socket.departure.leave(drainTimeoutMs)
  else socket.close(closeCodeOf({ code }), code)
}

function subscribe(
  socket: ProtocolSocket,
  { id, payload }: SubscribeMessage,
  options: WebSocketProtocolOptions,
): void {
  socket.noteActivity()
  if (socket.phase !== 'letIn') {
    socket.close(CloseCode.Unauthorized, 'Unauthorized')
    return
  }
  // Each of its messages has it: what a client sends once would come back with each change.
  if (id.length > ID_LENGTH_MAX) {
    refuse(socket, id, new RowcastError('QUERY_OVER_LIMIT', ID_TOO_LONG), options)
    return
  }
  const verdict = socket.operations.start(
    id,
    (operation) => runOperation(operation, payload, socket, options),
    bookmarkKeyOf(payload),
  )
  if (verdict === 'idInUse') {
    socket.close(CloseCode.SubscriberAlreadyExists, `Subscriber for ${id} already exists`)
  } else if (verdict === 'tooMany') {
    refuse(socket, id, tooManySubscriptions(options.limits.subscriptionsPerSocketMax), options)
  }
}

/** The longest id of an operation; those of clients are numbers or UUIDs. */
const ID_LENGTH_MAX = 1_024
const ID_TOO_LONG = `The id of the operation is longer than ${ID_LENGTH_MAX} characters.`

/** An operation that is not begun. */
function refuse(
  socket: ProtocolSocket,
  id: string,
  why: RowcastError,
  { errorMask }: WebSocketProtocolOptions,
): void {
  const payload = [formatGraphqlError(errorMask.mask(why))]
  void socket.send(JSON.stringify({ id, type: MessageType.Error, payload }))
}

/**
 * `{ rowcast: { resumes: true } }` among the parameters: the client goes on by itself after the error SERVER_STOPPING.
 * All others would stop for good at any error, and come back only from a socket that is closed.
 */
function isNotifiedOfStop({ rowcast }: Readonly<Record<string, unknown>>): boolean {
  return typeof rowcast === 'object' && rowcast !== null && 'resumes' in rowcast && rowcast.resumes === true
}

interface ShownExtensions {
  readonly [name: string]: unknown
}

/** What can pass is worth another attempt, of which graphql-ws's client makes none after 4500. */
export function closeCodeOf({ code }: ShownExtensions): number {
  if (code === 'CONTEXT_TIMEOUT') return CloseCode.ConnectionInitialisationTimeout
  const isPassing = isErrorCode(code) && errorEntry(code).retry === 'backoff'
  return isPassing || code === 'INTERNAL_SERVER_ERROR' ? TRY_AGAIN_LATER : CloseCode.Forbidden
}

/** The code of an error that has one: clients can act on it, and it fits. */
function reasonOf(message: string, { code, id }: ShownExtensions): string {
  if (typeof id === 'string') return `Internal server error ${id}`
  return typeof code === 'string' ? code : message
}

function tooManySubscriptions(max: number): RowcastError {
  return new RowcastError('TOO_MANY_SUBSCRIPTIONS', `This WebSocket already runs ${max} operations.`)
}

/** The longest key: what a client sends is repeated with each bookmark. */
const BOOKMARK_KEY_LENGTH_MAX = 64

/** `{ rowcast: { bookmarks: key } }` among the extensions: the client wants a cursor now and then, without a change. */
function bookmarkKeyOf({ extensions }: SubscribePayload): string | null {
  const asked = extensions?.['rowcast']
  const key = typeof asked === 'object' && asked !== null ? Reflect.get(asked, 'bookmarks') : null
  return typeof key === 'string' && key.length <= BOOKMARK_KEY_LENGTH_MAX ? key : null
}

/** A ping of the protocol that brings bookmarks. Clients that know nothing of them answer it and do nothing else. */
export function formatBookmarks(bookmarks: Readonly<Record<string, string>>): string {
  return JSON.stringify({ type: MessageType.Ping, payload: { rowcast: { bookmarks } } })
}
