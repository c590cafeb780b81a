/** Stage 1, wire. The clocks and timers of a connection, injected. */

/** Timer functions and clocks; tests bring their own. */
export interface WireClock {
  /** Milliseconds of a clock that never jumps. */
  monotonicMs(): number
  /** Wall clock, milliseconds since 1970; informative only. */
  unixMs(): number
  setInterval(run: () => void, intervalMs: number): { clear(): void }
}

/** The machine's clocks; its timers do not keep the process alive. */
export const systemClock: WireClock = {
  monotonicMs: () => performance.now(),
  unixMs: () => Date.now(),
  setInterval(run, intervalMs) {
    const timer = setInterval(run, intervalMs)
    timer.unref()
    return { clear: () => clearInterval(timer) }
  },
}
