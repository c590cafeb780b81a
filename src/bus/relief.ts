/** Stage 6, bus. Who lets go of what waits for it when too much waits in the queues of a process. */
import type { Holdings } from './holdings.ts'
import type { Subscriber } from './subscriber.ts'
import type { SubscriberRoster } from './subscriber-roster.ts'
import type { Pressure } from './time-slices.ts'

/** Who has left what waits where it is for so long is no consumer that is merely busy. */
const STALLED_MS = 250
/** The same where nobody can be given anything any more: who keeps up would have to wait for those who do not. */
const STALLED_FULL_MS = 20
/** Between two searches for such. */
const INTERVAL_MS = 20

/** What it works with. */
export interface ReliefOptions {
  readonly holdings: Holdings
  readonly roster: SubscriberRoster
  /** Milliseconds of a clock that never jumps. */
  readonly nowMs: () => number
  /** Has the subscriber let go of what waits for it. */
  readonly letGo: (subscriber: Subscriber) => void
}

/** The pressure, and what is done about it. */
export class Relief implements Pressure {
  readonly #options: ReliefOptions
  #lastMs = Number.NEGATIVE_INFINITY

  constructor(options: ReliefOptions) {
    this.#options = options
  }

  get isTight(): boolean {
    return this.#options.holdings.isTight
  }

  get isFull(): boolean {
    return this.#options.holdings.isFull
  }

  relieve(): boolean {
    const nowMs = this.#options.nowMs()
    if (this.isTight) this.makeRoom(nowMs)
    return !this.isTight
  }

  /**
   * Those that hold the most and have not moved for a while let go of it, to read it again from the log if they ever go on; nobody
   * where it was just looked.
   */
  makeRoom(nowMs: number): void {
    if (nowMs - this.#lastMs < INTERVAL_MS) return
    this.#lastMs = nowMs
    const { holdings, roster, letGo } = this.#options
    const stalledMs = holdings.isFull ? STALLED_FULL_MS : STALLED_MS
    const stalled = [...roster.open, ...roster.leaving].filter(({ queue }) => queue.stalledMs >= stalledMs)
    stalled.sort((a, b) => b.queue.byteLength - a.queue.byteLength)
    for (const subscriber of stalled) {
      if (holdings.bytes <= holdings.bytesMax / 2) return
      letGo(subscriber)
    }
  }
}
