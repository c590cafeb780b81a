/**
 * Stage 7, graphql. What GraphQL needs of a running rowcast: which models there are, which are live, and a
 * subscription to one of them.
 */
import type { BusSubscription, SubscriptionRequest } from '../bus/bus.ts'
import type { ModelCatalog } from '../catalog/model-catalog.ts'

/** Where the GraphQL layer gets changes from. */
export interface ChangeFeed {
  readonly catalog: ModelCatalog
  /** Whether the model was made live. */
  isRegistered(model: string): boolean
  /** Live from this call on; the iterator's `return()` ends it. */
  subscribeDeliveries(request: SubscriptionRequest): BusSubscription
}
