/** Stage 6, bus. Who there is: subscriptions that are open, and those that have ended with something left to take. */
import type { Subscriber } from './subscriber.ts'

/** All subscriptions of a bus. */
export class SubscriberRoster {
  readonly #open = new Set<Subscriber>()
  readonly #leaving = new Set<Subscriber>()
  readonly #counts = new Map<string, number>()

  /** Those that are open. A list of its own: they may end while it is walked through. */
  get open(): readonly Subscriber[] {
    return [...this.#open]
  }

  /** Those that have ended and whose consumers have not taken all that came before. */
  get leaving(): readonly Subscriber[] {
    return [...this.#leaving]
  }

  /** Open ones by model, without observers. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts
  }

  add(subscriber: Subscriber): void {
    this.#open.add(subscriber)
    this.#count(subscriber, 1)
  }

  /** It has ended. */
  remove(subscriber: Subscriber): void {
    this.#open.delete(subscriber)
    this.#count(subscriber, -1)
    if (subscriber.queue.length > 0) this.#leaving.add(subscriber)
  }

  /** Its consumer has taken everything. */
  forget(subscriber: Subscriber): void {
    this.#leaving.delete(subscriber)
  }

  #count({ model, isObserver }: Subscriber, more: number): void {
    if (isObserver) return
    this.#counts.set(model, (this.#counts.get(model) ?? 0) + more)
  }
}
