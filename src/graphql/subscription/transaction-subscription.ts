/** Stage 7, graphql. A subscription to whole transactions, as clients may have it. */
import { MappedIteration } from '../../async-iteration.ts'
import type { Delivery, DeliveryPull } from '../../bus/bus.ts'
import { MappedPull, type PulledEvents } from '../../bus/mapped-pull.ts'
import type { MergedSubscription, TransactionDeliveries } from '../../bus/merged-subscription.ts'
import type { AnyChange } from '../../changes/change.ts'
import { toSubscriptionError } from '../graphql-errors.ts'

/** One part of a transaction. */
export interface CommittedPart extends TransactionDeliveries {
  /** The last of them: behind it a subscription goes on, and so does a server that cannot deliver the part. */
  readonly change: AnyChange
}

/** The parts; an error that ends them reaches the client with code and hint where it may. */
export class TransactionSubscription
  extends MappedIteration<TransactionDeliveries, CommittedPart>
  implements PulledEvents<CommittedPart>
{
  readonly pull: DeliveryPull<CommittedPart>
  readonly #from: MergedSubscription

  constructor(from: MergedSubscription) {
    super(from, committedPart, toSubscriptionError)
    this.pull = new MappedPull(from.pull, committedPart)
    this.#from = from
  }

  /** A part is one result: no more changes than what a server lets one result ask for. */
  boundParts(changesMax: number): void {
    this.#from.boundParts(changesMax)
  }
}

function committedPart(part: TransactionDeliveries): CommittedPart {
  return { ...part, change: lastOf(part.deliveries) }
}

function lastOf(deliveries: readonly Delivery[]): AnyChange {
  return (deliveries.at(-1) as Delivery).change
}
