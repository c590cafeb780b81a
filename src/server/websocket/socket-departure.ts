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

  constructor(socket: DepartingSocket, guard: Guard) {
    this.#socket = socket
    this.#guard = guard
  }

  /** Leaves the operation open for the client. @param graceMs how long others may take to end */
  park({ id }: Operation, payload: readonly GraphQLFormattedError[], graceMs: number): void {
    this.#parked.push({ id, payload })
    this.#socket.operations.onIdle = () => this.#close()
    this.#timer ??= setTimeout(
      this.#guard.wrap('send a client away', () => this.#judge()),
      graceMs,
    ).unref()
  }

  /** What else streams by now is of another database, or slow. */
  #judge(): void {
    this.#timer = null
    const { operations, isNotifiedOfStop, isOpen } = this.#socket
    // Queries and mutations end by themselves.
    if (!isOpen || !operations.isStreaming) return
    if (isNotifiedOfStop) this.#close()
    else this.#sendErrors()
  }

  #sendErrors(): void {
    const parked = this.#parked
    this.#parked = []
    this.#socket.operations.onIdle = null
    const send = ({ id, payload }: Parked): unknown =>
      this.#socket.send(JSON.stringify({ id, type: MessageType.Error, payload }))
    for (const each of parked) this.#guard.run('send the end of an operation', () => send(each))
  }

  #close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#socket.isOpen) this.#socket.close(TRY_AGAIN_LATER, 'SERVER_STANDING_BY')
  }
}
