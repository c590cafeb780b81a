/**
 * Stage 8, server. Lines of the log that anybody can cause, by sending something else each time: so many in a minute. What is left
 * out is counted, and the next line says how much it was.
 */

/** What may be written. */
export interface BudgetedLine {
  /** Lines that were left out since the last one that was written. */
  readonly leftOut: number
  /** No other is written before the minute is over. */
  readonly isLast: boolean
}

const WINDOW_MS = 60_000

/** The lines of one kind. */
export class LogBudget {
  readonly #linesMax: number
  readonly #nowMs: () => number
  #windowEndMs = Number.NEGATIVE_INFINITY
  #lines = 0
  #leftOut = 0

  constructor(linesMax: number, nowMs: () => number = () => performance.now()) {
    this.#linesMax = linesMax
    this.#nowMs = nowMs
  }

  /** The line that may be written now; null where it is left out. */
  take(): BudgetedLine | null {
    const nowMs = this.#nowMs()
    if (nowMs >= this.#windowEndMs) {
      this.#windowEndMs = nowMs + WINDOW_MS
      this.#lines = 0
    }
    if (this.#lines >= this.#linesMax) {
      this.#leftOut += 1
      return null
    }
    this.#lines += 1
    const line = { leftOut: this.#leftOut, isLast: this.#lines === this.#linesMax }
    this.#leftOut = 0
    return line
  }
}
