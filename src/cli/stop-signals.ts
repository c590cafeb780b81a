/**
 * Beside the spine, cli. SIGINT, SIGTERM and SIGHUP (a terminal that was closed): the first asks the program to
 * stop in order, a second one ends it at once.
 */

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
  /** Called at the second signal. */
  readonly onForced: () => void
  /** Milliseconds on a clock that only goes forward. */
  readonly nowMs: () => number
  /** Signals this close together are one: npm repeats to us the Ctrl-C that the terminal already sent. @default 500 */
  readonly echoMs?: number | undefined
}

/** A listener that can be taken off. */
export interface StopSignals {
  /**
   * Listens from the first call on, and aborts at the first signal. Until then a signal ends the process, as it does any other: a command
   * that waits for PostgreSQL and asks nobody to stop would swallow it.
   */
  listen(): AbortSignal
  dispose(): void
}

/** Signals that a command may listen to. */
export function createStopSignals(options: StopSignalOptions): StopSignals {
  const { source, onForced, nowMs, echoMs = 500 } = options
  const stopping = new AbortController()
  let isListening = false
  let firstAtMs = 0
  const onSignal = (): void => {
    if (!stopping.signal.aborted) {
      firstAtMs = nowMs()
      stopping.abort()
    } else if (nowMs() - firstAtMs >= echoMs) onForced()
  }
  return {
    listen() {
      if (!isListening) for (const name of SIGNALS) source.on(name, onSignal)
      isListening = true
      return stopping.signal
    },
    dispose() {
      for (const name of SIGNALS) source.off(name, onSignal)
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
