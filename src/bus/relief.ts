/** Stage 6, bus. Who lets go of what waits for it when too much waits in the queues of a process. */
import type { Holdings } from './holdings.ts'
import type { Subscriber } from './subscriber.ts'
import type { SubscriberRoster } from './subscriber-roster.ts'
import type { Pressure } from './time-slices.ts'

/** Who has left what waits where it is for so long is no consumer that is merely busy. */
const STALLED_MS = 250
/** The same where the room is used up. */
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
  /** Whether all that was found let go, and the room is used up all the same. */
  #isInVain = false

  constructor(options: ReliefOptions) {
    this.#options = options
  }

  get isTight(): boolean {
    return this.#options.holdings.isTight
  }

  get isFull(): boolean {
    return this.#options.holdings.isFull
  }

  /** Reading can wait until consumers have had their turns: what was read for them a moment ago is left to them. */
  relieve(): boolean {
    const nowMs = this.#options.nowMs()
    if (this.isFull) this.#letGo(nowMs, STALLED_FULL_MS)
    else this.makeRoom(nowMs)
    return !this.isTight
  }

  /** Much waits: those that have not moved for a while let go, those that hold the most first. */
  makeRoom(nowMs: number): void {
    if (this.isTight) this.#letGo(nowMs, STALLED_MS)
  }

  /**
   * The room is used up, and a change comes that whoever waits for it is to get: those that have not moved for the longest let go first.
   * Half of the bound is filled between two searches.
   */
  makeRoomAtOnce(nowMs: number): void {
    if (!this.isFull) return
    if (!this.#isInVain) this.#lastMs = Number.NEGATIVE_INFINITY
    this.#letGo(nowMs, 0)
    this.#isInVain = this.isFull
  }

  /** Who lets go reads it again from the log if it ever goes on; nobody does where it was just looked. */
  #letGo(nowMs: number, stalledMs: number): void {
    if (nowMs - this.#lastMs < INTERVAL_MS) return
    this.#lastMs = nowMs
    const { holdings, roster, letGo } = this.#options
    const order = this.isFull ? byTime : bySize
    const open = roster.open.filter(({ queue }) => queue.length > 0 && queue.stalledMs >= stalledMs)
    const endedMs = Math.max(stalledMs, STALLED_FULL_MS)
    const leaving = roster.leaving.filter(({ queue }) => queue.stalledMs >= endedMs)
    for (const subscriber of [...open, ...leaving].sort(order)) {
      if (holdings.bytes <= holdings.bytesMax / 2) return
      letGo(subscriber)
    }
  }
}

function bySize(a: Subscriber, b: Subscriber): number {
  return b.queue.byteLength - a.queue.byteLength
}

function byTime(a: Subscriber, b: Subscriber): number {
  return b.queue.stalledMs - a.queue.stalledMs || bySize(a, b)
}
