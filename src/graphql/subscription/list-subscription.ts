/** Stage 7, graphql. A subscription to a live list, as clients may have it. */
import { MappedIteration } from '../../async-iteration.ts'
import type { TransactionInfo } from '../../changes/change.ts'
import type { KeptListEvent } from '../../sets/kept-request.ts'
import { toSubscriptionError } from '../graphql-errors.ts'

/** What a list gives, in the shape that fields of transactions take. */
export type ListEvent = KeptListEvent & {
  readonly change: { readonly cursor: string; readonly transaction: TransactionInfo | null }
}

/** The list; an error that ends it reaches the client with code and hint where it may. */
export class ListSubscription extends MappedIteration<KeptListEvent, ListEvent> {
  constructor(from: AsyncIterableIterator<KeptListEvent>) {
    const withChange = (event: KeptListEvent): ListEvent => {
      const { cursor, transaction } = event
      return { ...event, change: { cursor, transaction } }
    }
    super(from, withChange, toSubscriptionError)
  }
}
