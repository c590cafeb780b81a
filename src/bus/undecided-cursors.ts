/**
 * Stage 6, bus. Subscriptions with a cursor of before this process, while it may still come out that nothing of their model was missed,
 * or that something was: a process that has just started reads what the one before it knew among the first that the slot sends.
 */
import type { ChangePosition } from '../changes/change.ts'
import type { Cursor } from '../changes/cursor.ts'
import type { LastChanges, LastChangesKeeper } from '../source/published/last-changes.ts'
import { callAll } from './call-all.ts'
import type { History } from './history.ts'
import type { Subscriber } from './subscriber.ts'

/** All of one bus. */
export class UndecidedCursors implements LastChangesKeeper {
  readonly #historyNow: () => History | null
  readonly #waiting = new Map<Subscriber, () => void>()

  /** `historyNow`: null before the first stream. */
  constructor(historyNow: () => History | null) {
    this.#historyNow = historyNow
  }

  lastOf(model: string): ChangePosition | null {
    return this.#historyNow()?.lastOf(model) ?? null
  }

  recall(known: LastChanges): void {
    this.#historyNow()?.recall(known)
    this.#decide()
  }

  endRecall(): void {
    this.#historyNow()?.endRecall()
    this.#decide()
  }

  /** Whether the subscriber has to wait, with its cursor or for all there is; `decide` is called as more is known, and asks again. */
  waits(subscriber: Subscriber, cursor: Cursor | null, decide: () => void): boolean {
    if (this.#historyNow()?.isUndecided(cursor, subscriber.model) !== true) return false
    this.#waiting.set(subscriber, decide)
    return true
  }

  /** It has ended. */
  remove(subscriber: Subscriber): void {
    this.#waiting.delete(subscriber)
  }

  #decide(): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    callAll(waiting, (decide) => decide())
  }
}
