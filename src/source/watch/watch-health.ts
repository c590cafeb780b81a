/**
 * Stage 5, source. Whether the watch sees anything. One look that fails says nothing; several in a row mean that changes of
 * tables, publication and slot would go unnoticed, so that the process is not ready. Pure.
 */
import { RowcastError } from '../../errors.ts'

/** So many looks in a row have to fail. */
const FAILED_LOOKS_MAX = 3

/** One per source. */
export class WatchHealth {
  #failures = 0
  #fault: RowcastError | null = null

  /** Looks that failed since the last one that did not. */
  get failures(): number {
    return this.#failures
  }

  /** SOURCE_WATCH_FAILED once too many have failed; null before. */
  get fault(): RowcastError | null {
    return this.#fault
  }

  /** A look failed; the error where it was the one too many. */
  failed(error: RowcastError): RowcastError | null {
    this.#failures += 1
    if (this.#failures < FAILED_LOOKS_MAX) return null
    const isNews = this.#failures === FAILED_LOOKS_MAX
    const { code, happened, hint } = error
    const words = `Slot, publication and tables could not be looked at ${this.#failures} times in a row. ${happened}`
    this.#fault = new RowcastError('SOURCE_WATCH_FAILED', words, {
      hint,
      details: { failures: this.#failures, reason: code },
    })
    return isNews ? this.#fault : null
  }

  /** A look succeeded, or a stream began; true where that is news. */
  succeeded(): boolean {
    const wasBlind = this.#fault !== null
    this.#failures = 0
    this.#fault = null
    return wasBlind
  }
}
