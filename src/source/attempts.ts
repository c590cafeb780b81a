/**
 * Stage 5, source. How often the stream has failed in a row. That it begins is no success yet: before a change that
 * cannot be sent it begins each time, and dies at once.
 */
import type { Lsn } from '../wire/lsn.ts'

/** What is known of the stream at a moment. */
export interface AttemptReading {
  /** Everything before it has been delivered. */
  readonly safeLsn: Lsn
  /** Of a clock that never jumps. */
  readonly nowMs: number
}

/** A stream that has lasted so long failed for a new reason, even where nothing came. */
const LASTING_MS = 10_000

/** The attempts of one source. */
export class Attempts {
  #failures = 0
  #began: AttemptReading | null = null

  /** Failures in a row; 0 while the stream is well. */
  failures(now: AttemptReading): number {
    return this.#isWell(now) ? 0 : this.#failures
  }

  /** The stream begins. */
  begin(now: AttemptReading): void {
    this.#began = now
  }

  /** It has failed, or could not begin. @returns failures in a row, with this one */
  fail(now: AttemptReading): number {
    this.#failures = this.failures(now) + 1
    this.#began = null
    return this.#failures
  }

  #isWell({ safeLsn, nowMs }: AttemptReading): boolean {
    const began = this.#began
    return began !== null && (safeLsn > began.safeLsn || nowMs - began.nowMs >= LASTING_MS)
  }
}
