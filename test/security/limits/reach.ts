/** How a limit is reached: one client against two servers, of which one has the limit small. */
import { setTimeout as delay } from 'node:timers/promises'
import type { ServerLimits } from '../../../src/server/limits/limits.ts'
import { type Answer, STREAM_TRANSPORTS, type Stream, TRANSPORTS, type Transport } from '../transports.ts'

/** Name of a limit. */
export type LimitName = keyof ServerLimits

/** One limit. */
export interface Reach<Server> {
  /** With these the client goes beyond it. */
  readonly small: Partial<ServerLimits>
  /** With these the same client does not. */
  readonly large: Partial<ServerLimits>
  /** Ways in that it concerns. */
  readonly over: readonly Transport[]
  /** What the client sees then: a code, a status or a close code, as the row of the limit in docs/security.md has it. */
  readonly sees: (transport: Transport) => string
  /** What it saw; `NOTHING` of the limit. `patienceMs`: how long it waits for the limit, where nothing else would come instead. */
  attempt(server: Server, transport: Transport, patienceMs: number): Promise<string>
}

/** What a client sees that has not gone beyond a limit. */
export const NOTHING = 'nothing of the limit'
/** How long a limit is waited for: what has to come may take its time on a busy machine, and what is not to come has had the time to. */
export const PATIENCE_MS = { small: 25_000, large: 400 } as const

/** What an answer says. */
export function seenIn({ errors, closed }: Answer): string {
  const [error] = errors
  if (error !== undefined) return String(error.extensions?.['code'])
  return closed === undefined ? NOTHING : String(closed.code)
}

/** How something ends, where it does. */
export function endOf(ended: Promise<string | number>, patienceMs: number): Promise<string> {
  return Promise.race([ended.then(String), delay(patienceMs, NOTHING, { ref: false })])
}

/** The stream of a way in that has streams. */
export async function openStream({ name }: Transport, ...args: Parameters<StreamOpen>): Promise<Stream> {
  const transport = STREAM_TRANSPORTS.find((each) => each.name === name)
  if (transport === undefined) throw new Error(`${name} has no streams.`)
  return transport.open(...args)
}

type StreamOpen = (typeof STREAM_TRANSPORTS)[number]['open']

/** Ways in by what limits distinguish. */
export const WAYS = {
  all: TRANSPORTS,
  streams: STREAM_TRANSPORTS,
  webSocket: TRANSPORTS.filter(({ kind }) => kind === 'websocket'),
  bodies: TRANSPORTS.filter(({ name }) => !name.endsWith('GET')),
  overHttp: TRANSPORTS.filter(({ name, kind }) => kind !== 'websocket' && !name.endsWith('GET')),
  notEventStreams: TRANSPORTS.filter(({ kind }) => kind !== 'sse'),
} as const

/** The same code on all of them; a close code on WebSockets where it has one of its own. */
export function sees(code: string, closeCode: string = code): (transport: Transport) => string {
  return ({ kind }) => (kind === 'websocket' ? closeCode : code)
}
