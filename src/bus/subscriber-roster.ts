/** Stage 6, bus. Who there is: subscriptions that are open, and those that have ended with something left to take. */
import type { ChangePosition } from '../changes/change.ts'
import type { PublicationCut } from '../source/watch/publication-listener.ts'
import { callAll } from './call-all.ts'
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

  /** Those of the model that may lack changes before a cut, which stands at `upTo`, end with its error. */
  endWhoMissed(model: string, { cleanFrom, error }: PublicationCut, upTo: ChangePosition): void {
    callAll(this.open, (subscriber) => {
      if (subscriber.model === model && subscriber.mayHaveMissed(cleanFrom, upTo)) subscriber.queue.end(error)
    })
  }

  #count({ model, isObserver }: Subscriber, more: number): void {
    if (isObserver) return
    this.#counts.set(model, (this.#counts.get(model) ?? 0) + more)
  }
}
