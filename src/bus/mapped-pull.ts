/** Stage 6, bus. Another's values in one go, each as `map` makes it. */
import type { DeliveryPull, DeliveryReader } from './bus.ts'

/** What gives values one by one, and may give what is there in one go. */
export interface PulledEvents<Event> extends AsyncIterableIterator<Event> {
  readonly pull?: DeliveryPull<Event> | undefined
}

/** A pull without bookmarks. */
export class MappedPull<From, To> implements DeliveryPull<To> {
  readonly #from: DeliveryPull<From>
  readonly #map: (value: From) => To

  constructor(from: DeliveryPull<From>, map: (value: From) => To) {
    this.#from = from
    this.#map = map
  }

  get isEnded(): boolean {
    return this.#from.isEnded
  }

  get reader(): DeliveryReader | null {
    return this.#from.reader
  }

  set reader(reader: DeliveryReader | null) {
    this.#from.reader = reader
  }

  take(): To | undefined {
    const value = this.#from.take()
    return value === undefined ? undefined : this.#map(value)
  }
}
