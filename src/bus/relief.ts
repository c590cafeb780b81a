/** Stage 6, bus. Who lets go of what waits for it when too much waits in the queues of a process. */
import { type Holdings, LITTLE_BYTES } from './holdings.ts'
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
  /** Runs in the next turn of the event loop. */
  readonly soon: (run: () => void) => void
  /** Has the subscriber let go of what waits for it. */
  readonly letGo: (subscriber: Subscriber) => void
}

/** The pressure, and what is done about it. */
export class Relief implements Pressure {
  readonly #options: ReliefOptions
  #lastMs = Number.NEGATIVE_INFINITY
  /** When it was last looked for those that have not moved, in another turn than this one. */
  #lookedMs = Number.NEGATIVE_INFINITY
  #hasLooked = false
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
    if (this.isFull) this.#letGoOfStalled(nowMs, STALLED_FULL_MS)
    else this.makeRoom(nowMs)
    return !this.isTight
  }

  /** Much waits: those that have not moved for a while let go, those that hold the most first. */
  makeRoom(nowMs: number): void {
    if (this.isTight) this.#letGoOfStalled(nowMs, STALLED_MS)
  }

  /**
   * The room is used up, and a change comes that whoever waits for it is to get: those that have not moved for the longest let go first,
   * but for those that hold little.
   * Half of the bound is filled between two searches.
   */
  makeRoomAtOnce(nowMs: number): void {
    if (!this.isFull) return
    if (!this.#isInVain) this.#lastMs = Number.NEGATIVE_INFINITY
    this.#letGo(nowMs, 0)
    this.#isInVain = this.isFull
  }

  /**
   * A turn may last longer than any consumer may pause, and what is let go is read again at once: without a turn for the consumers in
   * between, nobody would ever get anything. So what lets go was found waiting in an earlier turn, and is still where it was.
   */
  #letGoOfStalled(nowMs: number, stalledMs: number): void {
    if (this.#hasLooked || nowMs - this.#lookedMs < INTERVAL_MS) return
    const sinceMs = nowMs - this.#lookedMs
    this.#lookedMs = nowMs
    this.#hasLooked = true
    this.#options.soon(() => {
      this.#hasLooked = false
    })
    this.#letGo(nowMs, Math.max(stalledMs, sinceMs))
  }

  /** Who lets go reads it again from the log if it ever goes on; nobody does where it was just looked. */
  #letGo(nowMs: number, stalledMs: number): void {
    if (nowMs - this.#lastMs < INTERVAL_MS) return
    this.#lastMs = nowMs
    const { holdings, roster, letGo } = this.#options
    const order = this.isFull ? byTimeButLittle : bySize
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

/** What came first in a turn has waited for the longest at its end. Who holds little goes last: it makes no room. */
function byTimeButLittle(a: Subscriber, b: Subscriber): number {
  return Number(isLittle(a)) - Number(isLittle(b)) || byTime(a, b)
}

function isLittle({ queue }: Subscriber): boolean {
  return queue.byteLength <= LITTLE_BYTES
}

function byTime(a: Subscriber, b: Subscriber): number {
  return b.queue.stalledMs - a.queue.stalledMs || bySize(a, b)
}
