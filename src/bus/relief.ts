/** Stage 6, bus. Who lets go of what waits for it when too much waits in the queues of a process. */
import type { Holdings } from './holdings.ts'
import type { Subscriber } from './subscriber.ts'
import type { SubscriberRoster } from './subscriber-roster.ts'

/** Who has left what waits where it is for so long is no consumer that is merely busy. */
const STALLED_MS = 250
/** Between two searches for such. */
const INTERVAL_MS = 20

/** The choice. */
export class Relief {
  readonly #holdings: Holdings
  #lastMs = Number.NEGATIVE_INFINITY

  constructor(holdings: Holdings) {
    this.#holdings = holdings
  }

  /** Whether there is room again. */
  get isEnough(): boolean {
    return this.#holdings.bytes <= this.#holdings.bytesMax / 2
  }

  /** Those that have not moved for a while, those that hold the most first; nobody where it was just looked. */
  choose(roster: SubscriberRoster, nowMs: number): readonly Subscriber[] {
    if (nowMs - this.#lastMs < INTERVAL_MS) return []
    this.#lastMs = nowMs
    return [...roster.open, ...roster.leaving]
      .filter(({ queue }) => queue.stalledMs >= STALLED_MS)
      .sort((a, b) => b.queue.byteLength - a.queue.byteLength)
  }
}
