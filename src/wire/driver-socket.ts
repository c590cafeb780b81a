/** Stage 1, wire. What the driver keeps to itself of a session: the socket under it, and what the server says on it. */
import type { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type pg from 'pg'
import { contain } from '../guard.ts'

/** The socket under a session of the driver. */
export function driverSocket(client: pg.Client): Socket {
  return (client as unknown as { readonly connection: { readonly stream: Socket } }).connection.stream
}

/** What the server says while it lets somebody in, before the driver hears it. */
export interface DriverEvents {
  when(
    event: AuthenticationEvent,
    listener: (message: { readonly mechanisms?: readonly string[] }) => void,
  ): void
  /** Ends the session with the error; nothing more is written to it. */
  fail(error: Error): void
}

type AuthenticationEvent =
  | 'authenticationCleartextPassword'
  | 'authenticationMD5Password'
  | 'authenticationSASL'
  | 'authenticationSASLFinal'
  | 'authenticationOk'

/** Of a client that has not connected yet: the driver's own listeners come behind. */
export function driverEvents(client: pg.Client): DriverEvents {
  const { connection } = client as unknown as {
    readonly connection: EventEmitter & { readonly stream: Socket }
  }
  const fail = (error: Error): void => {
    // At once: what the server sent behind may say that the session has begun.
    connection.emit('error', error)
    connection.stream.destroy()
  }
  return { when: (event, listener) => void connection.on(event, contain(listener, fail)), fail }
}

/**
 * Whether an attempt to connect failed because the other side hung up. The driver's error for that has no code, nor
 * have those about passwords and TLS; but these come while the socket is open. Ask before ending the session.
 */
export function isEndedByServer(client: pg.Client, error: unknown): boolean {
  const hasCode = error instanceof Error && 'code' in error && typeof error.code === 'string'
  return !hasCode && driverSocket(client).readableEnded
}
