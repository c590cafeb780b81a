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

/** One that waits. */
interface Undecided {
  readonly decide: () => void
  /** Sequence number of the part of the log that it is to read first. */
  readonly from: number
}

/** All of one bus. */
export class UndecidedCursors implements LastChangesKeeper {
  readonly #historyNow: () => History | null
  readonly #waiting = new Map<Subscriber, Undecided>()

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

  /**
   * Whether the subscriber has to wait with its cursor; `decide` is called as more is known, and asks again. Who wants all there is does not
   * ask: it has nothing that what comes may contradict, and ends as anybody who is subscribed where a gap is found later.
   */
  waits(subscriber: Subscriber, cursor: Cursor, decide: () => void): boolean {
    const history = this.#historyNow()
    if (history?.isUndecided(cursor, subscriber.model) !== true) return false
    const { log } = history
    const from = log.find(cursor.position)
    log.noteReader(from)
    this.#waiting.set(subscriber, { decide, from })
    return true
  }

  /** Sequence number of the oldest part of the log that one of them is to read. */
  oldestRead(): number {
    let oldest = Number.POSITIVE_INFINITY
    for (const { from } of this.#waiting.values()) oldest = Math.min(oldest, from)
    return oldest
  }

  /** It has ended. */
  remove(subscriber: Subscriber): void {
    this.#waiting.delete(subscriber)
  }

  #decide(): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    callAll(waiting, ({ decide }) => decide())
  }
}
