/**
 * Beside the spine, cli. SIGINT, SIGTERM and SIGHUP (a terminal that was closed): the first asks the program to
 * stop in order, a second one ends it at once. Until something is there to be stopped in order, the first one ends it.
 */
import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
type StopSignal = (typeof SIGNALS)[number]

/** What it needs of a process. */
export interface SignalSource {
  on(signal: StopSignal, listener: () => void): unknown
  off(signal: StopSignal, listener: () => void): unknown
}

/** How to listen. */
export interface StopSignalOptions {
  readonly source: SignalSource
  /** Called at the second signal, and at the first while nobody listens, with the exit code that shells give the signal. */
  readonly onForced: (exitCode: number) => void
  /** Milliseconds on a clock that only goes forward. */
  readonly nowMs: () => number
  /** Signals this close together are one: npm repeats to us the Ctrl-C that the terminal already sent. @default 500 */
  readonly echoMs?: number | undefined
}

/** A listener that can be taken off. */
export interface StopSignals {
  /**
   * Aborts at the first signal from the first call on. Until then a signal ends the process, as it does any other: a command that waits for
   * PostgreSQL and asks nobody to stop would swallow it.
   */
  listen(): AbortSignal
  dispose(): void
}

/**
 * Signals that a command may listen to. They are taken from now on, not from `listen()` on: process 1 of a container (our image has no other)
 * is not ended by a signal that it has no handler for, as Linux drops it.
 */
export function createStopSignals(options: StopSignalOptions): StopSignals {
  const { source, onForced, nowMs, echoMs = 500 } = options
  const stopping = new AbortController()
  let isListening = false
  let firstAtMs = 0
  const take = (name: StopSignal): void => {
    const exitCode = 128 + constants.signals[name]
    if (!isListening) onForced(exitCode)
    else if (!stopping.signal.aborted) {
      firstAtMs = nowMs()
      stopping.abort()
    } else if (nowMs() - firstAtMs >= echoMs) onForced(exitCode)
  }
  const listeners = SIGNALS.map((name) => [name, () => take(name)] as const)
  for (const [name, listener] of listeners) source.on(name, listener)
  return {
    listen() {
      isListening = true
      return stopping.signal
    },
    dispose() {
      for (const [name, listener] of listeners) source.off(name, listener)
    },
  }
}

/** Resolves when the signal aborts. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
