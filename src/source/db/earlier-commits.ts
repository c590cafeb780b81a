/**
 * Stage 5, source. Whether a query sees what committed before a position, of which nothing is known here: PostgreSQL writes a commit before
 * others see it, with synchronous replication long before. A position may be given once it does: what the query missed would never come.
 * Each of two things shows it: a reader of the stream that had all of it says so, or all ids that had been given are over. Pure.
 */
import { earlierLsn, LSN_ZERO, type Lsn, laterLsn } from '../../wire/lsn.ts'
import type { IsVisible } from './visibility.ts'

/** Of one history, or one reader of the stream. */
export class EarlierCommits {
  #before: Lsn
  /** All that committed before it is known to be visible. */
  #seen: Lsn = LSN_ZERO
  /** Above all transaction ids that had been given when it was read; null: it has not been. */
  #bound: bigint | null = null

  /** Of what committed before the position nothing is known. */
  constructor(before: Lsn) {
    this.#before = before
  }

  /** Whether nobody has shown yet that all is visible, and no bound is there to find it out by. */
  get isUnasked(): boolean {
    return this.#bound === null && !this.areSeen()
  }

  /** The bound that was read after that position was known. */
  ask(bound: bigint | null): void {
    this.#bound ??= bound
  }

  /** All that committed before `lsn` is visible. */
  reaches(lsn: Lsn): void {
    this.#seen = laterLsn(this.#seen, lsn)
  }

  /** Of what committed before a later position nothing is known any more. */
  forgetTo(before: Lsn): void {
    if (before <= this.#before) return
    this.#before = before
    this.#bound = null
  }

  /** Another server has taken over, whose own history begins here: what was said of later positions, and of ids, is not about it. */
  retreatTo(shared: Lsn): void {
    if (!this.areSeen()) this.#bound = null
    this.#before = earlierLsn(this.#before, shared)
    this.#seen = earlierLsn(this.#seen, shared)
  }

  /** Whether they are, to one who sees this. What was once, stays so. */
  areSeen(isVisible?: IsVisible): boolean {
    // What others have shown, they have shown of the primary.
    const replayedLsn = isVisible?.replayedLsn ?? null
    if (replayedLsn !== null) return replayedLsn >= this.#before
    if (this.#seen >= this.#before) return true
    if (isVisible === undefined) return false
    const isOver = isVisible.seesAllBefore(this.#bound)
    if (isOver) this.#seen = this.#before
    return isOver
  }
}
