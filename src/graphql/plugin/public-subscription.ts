/** Stage 7, graphql. A bus's subscription as clients may have it. A class: there are many thousands of them. */
import type { BusSubscription, Delivery } from '../../bus/bus.ts'
import { toSubscriptionError } from '../graphql-errors.ts'

/** The same subscription; an error that ends it reaches the client with code and hint where it may. */
export class PublicSubscription implements BusSubscription {
  readonly #from: BusSubscription

  constructor(from: BusSubscription) {
    this.#from = from
  }

  get pull() {
    return this.#from.pull
  }

  async next(): Promise<IteratorResult<Delivery>> {
    try {
      return await this.#from.next()
    } catch (error) {
      throw toSubscriptionError(error)
    }
  }

  return(): Promise<IteratorResult<Delivery>> {
    return this.#from.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
