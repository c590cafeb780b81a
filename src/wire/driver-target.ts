/** Stage 1, wire. Where PostgreSQL is and who we are there, in the driver's own words. */
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import type { ServerChoice } from './server-choice.ts'
import { onAborted } from './shared-listener.ts'

/** How long whoever connects there waits. It goes with the address, so that no connection is made without. */
export interface WaitBounds {
  /** How long the server may take to let us in, and for each answer. @default 10_000 // 10 s */
  readonly answerTimeoutMs?: number | undefined
  /** Ends every connection, whatever it is waiting for. */
  readonly signal?: AbortSignal | undefined
}

/** What the driver needs to connect; everything else of its configuration is ours to set. Its own types are no part of ours: they come in a package that users may lack. */
export interface DriverTarget {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly user?: string | undefined
  readonly password?: string | (() => string | Promise<string>) | undefined
  readonly database?: string | undefined
  readonly ssl?: boolean | ConnectionOptions | undefined
  /** Whether the proof of the password is bound to the TLS channel; as libpq has it, but for the default. @default 'disable' */
  readonly channelBinding?: 'disable' | 'prefer' | 'require' | undefined
  readonly connectionString?: string | undefined
  /** Makes the socket of each connection, instead of TCP: for a tunnel, or a connector of a cloud. It has the methods of `net.Socket`. */
  readonly stream?: () => Duplex | undefined
  readonly waits?: WaitBounds | undefined
  /** Where the address names several servers: host and port are those of the first. */
  readonly choice?: ServerChoice | undefined
  /** The standby that has the slot, and sends the changes, where the address itself is that of its primary. */
  readonly standby?: DriverTarget | undefined
}

/** The server that has the slot. */
export function serverOfSlot({ standby, ...target }: DriverTarget): DriverTarget {
  return standby === undefined ? target : { ...standby, waits: target.waits }
}

/** How long PostgreSQL may take to answer, where nobody says. */
export const ANSWER_TIMEOUT_MS = 10_000

/** What ends a wait. Signals live as long as the worker, waits are many: each lets go of them when it is over. */
export interface WaitEnd {
  /** Why there is nothing to wait for any more; null while there is. */
  readonly aborted: { readonly reason: unknown } | null
  /** Calls back at the first signal, and never where one was given before. @returns what stops listening; to be called */
  onAbort(callback: () => void): () => void
}

/** How long it may take, and what ends the wait: what is said at the call counts before what the address says. */
export function waitBoundsOf(
  target: DriverTarget,
  own: WaitBounds = {},
): { readonly answerTimeoutMs: number; readonly end: WaitEnd } {
  const { waits = {} } = target
  const signals = [waits.signal, own.signal].filter((signal) => signal !== undefined)
  return {
    answerTimeoutMs: own.answerTimeoutMs ?? waits.answerTimeoutMs ?? ANSWER_TIMEOUT_MS,
    end: waitEndOf(signals),
  }
}

/** Not AbortSignal.any(): the signals keep something of each signal that was made of them, as long as they live. */
function waitEndOf(signals: readonly AbortSignal[]): WaitEnd {
  return {
    get aborted() {
      const signal = signals.find(({ aborted }) => aborted)
      return signal === undefined ? null : { reason: signal.reason }
    },
    onAbort(callback) {
      const forgets: (() => void)[] = []
      let isOver = signals.some(({ aborted }) => aborted)
      const stop = (): void => {
        isOver = true
        for (const forget of forgets) forget()
      }
      if (isOver) return stop
      for (const signal of signals)
        forgets.push(
          onAborted(signal, () => {
            if (isOver) return
            stop()
            callback()
          }),
        )
      return stop
    },
  }
}
