/** Stage 7, graphql. A subscription to a live list, as clients may have it. */
import type { TransactionInfo } from '../../changes/change.ts'
import type { KeptListEvent } from '../../sets/kept-request.ts'
import { toSubscriptionError } from '../graphql-errors.ts'

/** What a list gives, in the shape that fields of transactions take. */
export type ListEvent = KeptListEvent & {
  readonly change: { readonly cursor: string; readonly transaction: TransactionInfo | null }
}

/** The list; an error that ends it reaches the client with code and hint where it may. */
export class ListSubscription implements AsyncIterableIterator<ListEvent> {
  readonly #from: AsyncIterableIterator<KeptListEvent>

  constructor(from: AsyncIterableIterator<KeptListEvent>) {
    this.#from = from
  }

  async next(): Promise<IteratorResult<ListEvent>> {
    try {
      const { value, done } = await this.#from.next()
      if (done === true) return { done, value: undefined }
      const event: KeptListEvent = value
      const { cursor, transaction } = event
      return { done: false, value: { ...event, change: { cursor, transaction } } }
    } catch (error) {
      throw toSubscriptionError(error)
    }
  }

  async return(): Promise<IteratorResult<ListEvent>> {
    await this.#from.return?.()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
