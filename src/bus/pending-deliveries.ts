/** Stage 6, bus. Deliveries in a line: added at one end, taken at the other. */
import type { Delivery } from './bus.ts'
import type { Weight } from './holdings.ts'

/** A delivery, and what it takes while it waits; nothing where that is not known. */
export interface QueuedDelivery extends Delivery {
  readonly weight?: Weight | undefined
}

const NOTHING: readonly QueuedDelivery[] = []
/** Stands where a delivery was; nobody looks there again. */
const TAKEN = null as unknown as QueuedDelivery

/** The line. Empty ones, of which there are many thousands, have no array of their own. */
export class PendingDeliveries {
  /** Deliveries start at `head`; the array is cut when the dead part outweighs the living. */
  #items: QueuedDelivery[] = NOTHING as QueuedDelivery[]
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  get first(): QueuedDelivery | undefined {
    return this.#items[this.#head]
  }

  get last(): QueuedDelivery | undefined {
    return this.#items[this.#items.length - 1]
  }

  push(delivery: QueuedDelivery): void {
    if (this.#items.length === 0) this.#items = [delivery]
    else this.#items.push(delivery)
  }

  shift(): QueuedDelivery | undefined {
    const delivery = this.#items[this.#head]
    if (delivery === undefined) return undefined
    // Each garbage collection would copy what was decoded of it along.
    this.#items[this.#head] = TAKEN
    this.#head += 1
    // What was taken must not be held by an idle queue.
    if (this.#head === this.#items.length) this.replace(NOTHING)
    else if (this.#head > 128 && this.#head * 2 > this.#items.length) this.replace(this.toArray())
    return delivery
  }

  toArray(): QueuedDelivery[] {
    return this.#items.slice(this.#head)
  }

  /** Has these wait instead; the array is the line's own from now on. */
  replace(items: readonly QueuedDelivery[]): void {
    this.#items = (items.length === 0 ? NOTHING : items) as QueuedDelivery[]
    this.#head = 0
  }

  /** Empties it and gives what there was. */
  clear(): readonly QueuedDelivery[] {
    const items = this.toArray()
    this.replace(NOTHING)
    return items
  }
}
