/**
 * Stage 8, server. How the client of a WebSocket is sent to another process, where this one stands by. To most clients an error is final,
 * and a socket that is closed with 1013 is not: they come back, and begin elsewhere what they have open. So what ends here is left open
 * for the client, and its socket is closed once nothing is at work on it.
 */
import type { GraphQLFormattedError } from 'graphql'
import { MessageType } from 'graphql-ws'
import type { Guard } from '../../guard.ts'
import type { Operation, SocketOperations } from './socket-operations.ts'

/** The socket. */
export interface DepartingSocket {
  readonly operations: SocketOperations
  /** Whether its client goes on by itself after an error, and loses nothing with its socket. */
  readonly isNotifiedOfStop: boolean
  readonly isOpen: boolean
  send(text: string): unknown
  close(code: number, reason: string): void
}

/** Of one operation that ended, as its client would get it. */
interface Parked {
  readonly id: string
  readonly payload: readonly GraphQLFormattedError[]
}

/** WebSocket close code: the server restarts, come back. Registered at IANA beside RFC 6455's; all clients retry it. */
export const SERVICE_RESTART = 1012
/** The server cannot do it now; the client may ask again. RFC 6455, section 7.4.1, and its registry at IANA. */
export const TRY_AGAIN_LATER = 1013

/** Of one socket: a client has no more open at a time, and one that begins what it has not ended is not kept in mind for ever. */
const PARKED_MAX = 1_000

/** Whether the errors are the end of what another process has. */
export function isSentAway(errors: readonly GraphQLFormattedError[] | undefined): boolean {
  return errors?.some(({ extensions }) => extensions?.['code'] === 'SERVER_STANDING_BY') ?? false
}

/** One socket, from the first operation that has ended so. */
export class SocketDeparture {
  readonly #socket: DepartingSocket
  readonly #guard: Guard
  #parked: Parked[] = []
  #timer: NodeJS.Timeout | null = null
  /** Whether what streams is not waited for. */
  #isLeaving = false
  /** Whether nothing is waited for for longer than so. */
  #isUnwatched = false

  constructor(socket: DepartingSocket, guard: Guard) {
    this.#socket = socket
    this.#guard = guard
  }

  /** Leaves the operation open for the client. @param graceMs how long others may take to end */
  park({ id }: Operation, payload: readonly GraphQLFormattedError[], graceMs: number): void {
    this.#parked.push({ id, payload })
    this.#begin(graceMs)
    if (this.#parked.length > PARKED_MAX) this.#sendErrors()
  }

  /**
   * Nobody watches its session here any more: it is closed once nothing is asked for that does not stream.
   * @param graceMs how long that may take
   */
  leave(graceMs: number): void {
    this.#isLeaving = true
    this.#isUnwatched = true
    this.#begin(graceMs)
    this.#look()
  }

  #begin(graceMs: number): void {
    this.#socket.operations.onDone = () => this.#look()
    this.#timer ??= setTimeout(
      this.#guard.wrap('send a client away', () => this.#judge(graceMs)),
      graceMs,
    ).unref()
  }

  #look(): void {
    const { operations } = this.#socket
    if (operations.count === 0 || (this.#isLeaving && !operations.isAnswering)) this.#close()
  }

  /** What else streams by now is of another database, or slow. */
  #judge(graceMs: number): void {
    this.#timer = null
    const { operations, isNotifiedOfStop, isOpen } = this.#socket
    if (!isOpen) return
    if (this.#isUnwatched) this.#close()
    else if (operations.isStreaming && !isNotifiedOfStop) this.#sendErrors()
    else {
      this.#isLeaving = operations.isStreaming
      // Queries and mutations end by themselves; what begins meanwhile may stream.
      this.#begin(graceMs)
      this.#look()
    }
  }

  #sendErrors(): void {
    const parked = this.#parked
    this.#parked = []
    this.#socket.operations.onDone = null
    const send = ({ id, payload }: Parked): unknown =>
      this.#socket.send(JSON.stringify({ id, type: MessageType.Error, payload }))
    for (const each of parked) this.#guard.run('send the end of an operation', () => send(each))
  }

  #close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#socket.isOpen) this.#socket.close(TRY_AGAIN_LATER, 'SERVER_STANDING_BY')
  }
}
