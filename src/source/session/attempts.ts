/**
 * Stage 5, source. How often the stream has failed in a row. That it begins is no success yet, nor is a keepalive: before
 * a change that cannot be sent it begins each time, moves on through what is not ours, and dies.
 */
import type { RowcastError } from '../../errors.ts'

/** What is known of the stream at a moment. */
export interface AttemptReading {
  /** Whether a transaction has come whole since it began. */
  readonly hasDelivered: boolean
  /** Of a clock that never jumps. */
  readonly nowMs: number
}

/** A stream that has lasted so long failed for a new reason, even where nothing came. */
const LASTING_MS = 10_000
/** One stream may be cut right after it began; the second in a row that dies at once does not flow. */
const FALSE_STARTS_MAX = 1

/** The attempts of one source. */
export class Attempts {
  #failures = 0
  /** Streams in a row that began and died at once. */
  #falseStarts = 0
  #beganAtMs: number | null = null

  /** Failures in a row; 0 while the stream is well. */
  failures(now: AttemptReading): number {
    return this.#isWell(now) ? 0 : this.#failures
  }

  /** Whether streams die as soon as they begin, and this one has not shown yet that it does not. */
  isInDoubt(now: AttemptReading): boolean {
    return this.#falseStarts > FALSE_STARTS_MAX && !this.#isWell(now)
  }

  /** The stream begins. */
  begin({ nowMs }: AttemptReading): void {
    this.#beganAtMs = nowMs
  }

  /** It has failed, or could not begin. @returns failures in a row, with this one */
  fail(now: AttemptReading): number {
    const isWell = this.#isWell(now)
    if (isWell) this.#falseStarts = 0
    else if (this.#beganAtMs !== null) this.#falseStarts += 1
    this.#failures = isWell ? 1 : this.#failures + 1
    this.#beganAtMs = null
    return this.#failures
  }

  #isWell({ hasDelivered, nowMs }: AttemptReading): boolean {
    return this.#beganAtMs !== null && (hasDelivered || nowMs - this.#beganAtMs >= LASTING_MS)
  }
}

/** Whether a failure is worth a line in the log. The second attempt begins with the change that failed, and knows more of it. */
export function isNewsAt(failures: number, error: RowcastError, before: RowcastError | null): boolean {
  if (failures === 1 || before?.code !== error.code) return true
  return failures === 2 && before.message !== error.message
}
