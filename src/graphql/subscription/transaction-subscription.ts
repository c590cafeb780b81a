/** Stage 7, graphql. A subscription to whole transactions, as clients may have it. */
import { MappedIteration } from '../../async-iteration.ts'
import type { Delivery } from '../../bus/bus.ts'
import type { MergedSubscription, TransactionDeliveries } from '../../bus/merged-subscription.ts'
import type { AnyChange } from '../../changes/change.ts'
import { toSubscriptionError } from '../graphql-errors.ts'

/** One part of a transaction. */
export interface CommittedPart extends TransactionDeliveries {
  /** The last of them: behind it a subscription goes on, and so does a server that cannot deliver the part. */
  readonly change: AnyChange
}

/** The parts; an error that ends them reaches the client with code and hint where it may. */
export class TransactionSubscription extends MappedIteration<TransactionDeliveries, CommittedPart> {
  constructor(from: MergedSubscription) {
    super(from, (part) => ({ ...part, change: lastOf(part.deliveries) }), toSubscriptionError)
  }
}

function lastOf(deliveries: readonly Delivery[]): AnyChange {
  return (deliveries.at(-1) as Delivery).change
}
