/** What an attack is, and what it works with. */
import type { Socket } from 'node:net'
import type { RawWebSocket } from './raw-websocket.ts'

/** What an attacker knows. */
export interface AttackerKnows {
  readonly port: number
  readonly path: string
  /** Cursor of an old change. */
  readonly cursor: string
  /** How much of it: 1 is the whole attack. */
  readonly scale: number
}

/** What an attack works with. */
export interface AttackArena {
  readonly request: AttackerKnows
  /** A socket that was let in. @param token whom it says it is */
  connect(token?: string): Promise<RawWebSocket>
  send(socket: RawWebSocket, message: object): void
  /** Writes to a connection of its own, which goes with the attacker. */
  write(socket: Socket, text: string): void
  count(full: number): number
}

/** Begins an attack; it ends with its process. */
export type Attack = (arena: AttackArena) => Promise<void>

/** The message that begins an operation. */
export function subscribe(id: string, query: string, variables?: object): object {
  return { id, type: 'subscribe', payload: variables === undefined ? { query } : { query, variables } }
}
