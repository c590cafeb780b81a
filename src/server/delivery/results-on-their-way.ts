/**
 * Stage 8, server. What all subscriptions of a server have on its way: results that wait for rows. Each holds some kilobytes for each change
 * in it, and thousands of subscriptions may have one at once, so that those beyond a bound begin when others are there, in order.
 */
import { Line } from '../../bus/line.ts'
import type { SliceTimers } from '../../bus/time-slices.ts'
import type { TurnShare } from '../../bus/turn-share.ts'

/** Changes in all of them. The last that was begun may have more. */
const CHANGES_MAX = 200
/** Beyond as many, one subscription no longer begins all it has at once: those of one are read together, however long it takes to begin them. */
const CROWD = 100
/** Who waits for longer waits for something that hangs: others are not to wait for its end, but for their turn behind all that do. */
const COUNTED_MS = 1_000

/** What is needed. */
export interface ResultsOnTheirWayOptions {
  /** When those begin that had to wait. */
  readonly turns: Pick<TurnShare, 'wait'>
  readonly timers: SliceTimers
}

/** One that has begun. */
interface Begun {
  readonly changes: number
  readonly atMs: number
}

/** One that waits. */
interface Waiting {
  readonly changes: number
  letIn(begun: Begun): void
}

/** Results on their way. */
export class ResultsOnTheirWay {
  readonly #turns: Pick<TurnShare, 'wait'>
  readonly #timers: SliceTimers
  readonly #waiting = new Line<Waiting>()
  /** Those that count, the oldest first. */
  readonly #begun = new Set<Begun>()
  /** In those. */
  #changes = 0
  #isLookDue = false

  constructor({ turns, timers }: ResultsOnTheirWayOptions) {
    this.#turns = turns
    this.#timers = timers
  }

  /** Whether one may begin at once. */
  get hasRoom(): boolean {
    return this.#waiting.length === 0 && this.#changes < CHANGES_MAX
  }

  get isCrowded(): boolean {
    return this.#changes > CROWD
  }

  get nowMs(): number {
    return this.#timers.nowMs()
  }

  /**
   * Begins one as soon as there is room; it counts until it is there.
   * @param of.isUrgent whether it does not wait: nothing of its kind has had to be waited for
   */
  make<Result>(
    { changes, isUrgent = false }: { readonly changes: number; readonly isUrgent?: boolean },
    begin: () => Result | Promise<Result>,
  ): Result | Promise<Result> {
    if (!this.hasRoom && !isUrgent) return this.#makeLater(changes, begin)
    const result = begin()
    return result instanceof Promise ? this.#count(result, this.#enter(changes)) : result
  }

  async #makeLater<Result>(changes: number, begin: () => Result | Promise<Result>): Promise<Result> {
    const begun = await new Promise<Begun>((letIn) => {
      this.#waiting.push({ changes, letIn })
      this.#lookLater()
    })
    // Many may be let in at once: what beginning them takes is not one turn of the event loop.
    return this.#count(this.#beginInTurn(begin), begun)
  }

  async #beginInTurn<Result>(begin: () => Result | Promise<Result>): Promise<Result> {
    await this.#turns.wait()
    return begin()
  }

  async #count<Result>(result: Promise<Result>, begun: Begun): Promise<Result> {
    try {
      return await result
    } finally {
      this.#leave(begun)
      this.#letIn()
    }
  }

  #enter(changes: number): Begun {
    const begun: Begun = { changes, atMs: this.#timers.nowMs() }
    this.#begun.add(begun)
    this.#changes += changes
    return begun
  }

  #leave(begun: Begun): void {
    if (this.#begun.delete(begun)) this.#changes -= begun.changes
  }

  #letIn(): void {
    while (this.#waiting.length > 0 && this.#changes < CHANGES_MAX) {
      const next = this.#waiting.shift()
      next?.letIn(this.#enter(next.changes))
    }
  }

  #lookLater(): void {
    if (this.#isLookDue) return
    this.#isLookDue = true
    this.#timers.later(() => this.#look())
  }

  /** Those that take too long count no longer. */
  #look(): void {
    this.#isLookDue = false
    const oldestMs = this.#timers.nowMs() - COUNTED_MS
    for (const begun of this.#begun) {
      if (begun.atMs > oldestMs) break
      this.#leave(begun)
    }
    this.#letIn()
    if (this.#waiting.length > 0) this.#lookLater()
  }
}
