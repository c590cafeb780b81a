/**
 * Stage 6, bus. Readers whose consumers wait for more and whose queues take nothing all the same: others of the same client,
 * or of the process, hold all there may be. No consumer of their own reports when that is over, so they are looked at again.
 */
import type { Subscriber } from './subscriber.ts'
import type { SliceTimers } from './time-slices.ts'

export class StarvedReaders {
  readonly #timers: SliceTimers
  readonly #wake: (subscriber: Subscriber) => void
  readonly #starved = new Set<Subscriber>()
  #isDue = false

  /** `wake` has the subscriber read on. */
  constructor(timers: SliceTimers, wake: (subscriber: Subscriber) => void) {
    this.#timers = timers
    this.#wake = wake
  }

  /** The subscriber has no room. Where its consumer has something left to take, that consumer wakes it, and nothing is added. */
  add(subscriber: Subscriber): void {
    if (!subscriber.queue.isAwaited) return
    this.#starved.add(subscriber)
    this.#schedule()
  }

  remove(subscriber: Subscriber): void {
    this.#starved.delete(subscriber)
  }

  clear(): void {
    this.#starved.clear()
  }

  #schedule(): void {
    if (this.#isDue || this.#starved.size === 0) return
    this.#isDue = true
    this.#timers.later(() => this.#look())
  }

  #look(): void {
    this.#isDue = false
    for (const subscriber of this.#starved) {
      if (!subscriber.queue.hasRoom) continue
      this.#starved.delete(subscriber)
      this.#wake(subscriber)
    }
    this.#schedule()
  }
}
