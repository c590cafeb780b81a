/** Stage 7, graphql. A subscription as clients may have it. A class: there are many thousands of them. */
import type { ChangeEvent, EventSubscription } from '../../sets/row-subscription.ts'
import { toSubscriptionError } from '../graphql-errors.ts'

/** The same subscription; an error that ends it reaches the client with code and hint where it may. */
export class PublicSubscription implements EventSubscription {
  readonly #from: EventSubscription

  constructor(from: EventSubscription) {
    this.#from = from
  }

  get pull() {
    return this.#from.pull
  }

  async next(): Promise<IteratorResult<ChangeEvent>> {
    try {
      return await this.#from.next()
    } catch (error) {
      throw toSubscriptionError(error)
    }
  }

  return(): Promise<IteratorResult<ChangeEvent>> {
    return this.#from.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
