/** Stage 1, wire. The one place that reaches for what the driver keeps to itself: the socket under a session. */
import type { Socket } from 'node:net'
import type pg from 'pg'

/** The socket under a session of the driver. */
export function driverSocket(client: pg.Client): Socket {
  return (client as unknown as { readonly connection: { readonly stream: Socket } }).connection.stream
}

/**
 * Whether an attempt to connect failed because the other side hung up. The driver's error for that has no code, nor
 * have those about passwords and TLS; but these come while the socket is open. Ask before ending the session.
 */
export function isEndedByServer(client: pg.Client, error: unknown): boolean {
  const hasCode = error instanceof Error && 'code' in error && typeof error.code === 'string'
  return !hasCode && driverSocket(client).readableEnded
}

/** Process id of the session's backend; 0 while it is not known. */
export function serverPidOf(client: pg.Client): number {
  return (client as unknown as { readonly processID: number | null }).processID ?? 0
}
