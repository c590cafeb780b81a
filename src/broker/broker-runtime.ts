/** Beside the bus, broker. Time and chance, injected: taps and gateways run in a simulation as they do in a process. */
import { randomUUID } from 'node:crypto'
import { setTimeout as timeout } from 'node:timers/promises'

/** What a process gives to its parts; a simulation brings its own. */
export interface BrokerRuntime {
  /** Milliseconds of a clock that never jumps. */
  monotonicMs(): number
  /** Resolves after the time, or once the signal aborts. */
  delay(delayMs: number, signal?: AbortSignal): Promise<void>
  setInterval(run: () => void, intervalMs: number): { clear(): void }
  /** One that nobody else has. */
  newId(): string
  /** From 0 up to 1. */
  random(): number
}

/** The machine's; its intervals do not keep the process alive. */
export const systemRuntime: BrokerRuntime = {
  monotonicMs: () => performance.now(),
  delay: (delayMs, signal) => timeout(delayMs, undefined, { signal }).catch(() => {}),
  setInterval(run, intervalMs) {
    const timer = setInterval(run, intervalMs)
    timer.unref()
    return { clear: () => clearInterval(timer) }
  },
  newId: () => randomUUID(),
  random: () => Math.random(),
}
