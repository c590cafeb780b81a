/**
 * Beside the spine. Lines of the log that anybody can cause, by sending something else each time: so many in a minute. What is left
 * out is counted, and the next line says how much it was.
 */
import { randomUUID } from 'node:crypto'
import { describeError } from './describe-error.ts'
import type { LogFields, Logger } from './logger.ts'

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

/** Lines of one kind of failure in a minute. */
const FAILURES_PER_MINUTE = 50
/** Kinds that are known; then all are forgotten, and begin with a budget of their own again. */
const KINDS_MAX = 1_000

interface FailureKind {
  readonly budget: LogBudget
  /** Of the last line that was written. */
  id: string
}

/**
 * Failures in the log, each under an id. A client may cause one with each request: of those with the same name, code and place so many
 * are written in a minute; what is left out has the id of the last one like it, so that whatever id somebody is shown, the log has it.
 */
export class FailureLog {
  readonly #logger: Pick<Logger, 'error'>
  readonly #nowMs: (() => number) | undefined
  readonly #kinds = new Map<string, FailureKind>()

  /** @param logger may throw: nothing is thrown from here */
  constructor(logger: Pick<Logger, 'error'>, nowMs?: () => number) {
    this.#logger = logger
    this.#nowMs = nowMs
  }

  /** The id that the log has it by. @param more beside what the error is */
  report(message: string, error: unknown, more: LogFields = {}): string {
    const fields = describeError(error)
    const kind = this.#kindOf(JSON.stringify([message, fields]))
    const line = kind.budget.take()
    if (line === null) return kind.id
    kind.id = randomUUID()
    try {
      this.#logger.error(message, {
        ...{ errorId: kind.id, ...fields, ...more },
        ...(line.leftOut > 0 ? { leftOut: line.leftOut } : {}),
        ...(line.isLast
          ? { next: 'Others like it within this minute are counted only, under this id.' }
          : {}),
      })
    } catch {
      // There is nobody left to report to.
    }
    return kind.id
  }

  #kindOf(name: string): FailureKind {
    const known = this.#kinds.get(name)
    if (known !== undefined) return known
    if (this.#kinds.size >= KINDS_MAX) this.#kinds.clear()
    const kind = { budget: new LogBudget(FAILURES_PER_MINUTE, this.#nowMs), id: '' }
    this.#kinds.set(name, kind)
    return kind
  }
}
