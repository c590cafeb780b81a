/**
 * Stage 7, graphql. What GraphQL needs of a running rowcast: which models there are, which are live, and a
 * subscription to one of them.
 */

import type { BusSubscription, SubscriptionRequest } from '../bus/bus.ts'
import type { ExplainRequest } from '../bus/explain-delivery.ts'
import type { Explanation } from '../bus/explanation.ts'
import type { PulledEvents } from '../bus/mapped-pull.ts'
import type { ModelCatalog } from '../catalog/model-catalog.ts'
import { RowcastError } from '../errors.ts'
import type {
  KeptListEvent,
  KeptListRequest,
  KeptTotalsEvent,
  KeptTotalsRequest,
} from '../sets/kept-request.ts'
import type { RelatedRowsRequest } from '../sets/related-request.ts'
import type { EventSubscription, RowsRequest } from '../sets/row-subscription.ts'
import type { PolicyLookup } from './policy/model-policy.ts'

/** Where the GraphQL layer gets changes from. */
export interface ChangeFeed {
  readonly catalog: ModelCatalog
  /** What `register()` was given about who may see what. @default nothing */
  readonly policies?: PolicyLookup | undefined
  /** Names of the databases behind it, where they are several. @default one, which has no name */
  readonly sources?: readonly string[] | undefined
  /** Whether the model was made live. */
  isRegistered(model: string): boolean
  /** Whether changes of a model, or of a join table, come, be it live or followed, in the database of another model. @default those that are live */
  isPublished?(name: string, beside: string): boolean
  /** Live from this call on; the iterator's `return()` ends it. */
  subscribeDeliveries(request: SubscriptionRequest): BusSubscription
  /** The same with the rows there are before it; FIRST_ROWS_REFUSED where this is absent. @throws FIRST_ROWS_REFUSED */
  subscribeRows?(request: RowsRequest): EventSubscription
  /** The same for a policy or a filter that asks other rows; POLICY_FAILED or BAD_FILTER where this is absent. @throws POLICY_FAILED, BAD_FILTER */
  subscribeRelated?(request: RelatedRowsRequest): EventSubscription
  /** A live list; FIRST_ROWS_REFUSED where this is absent. @throws BAD_FILTER, FIRST_ROWS_REFUSED, LIST_TOO_COSTLY */
  subscribeList?(request: KeptListRequest): PulledEvents<KeptListEvent>
  /** Live totals; FIRST_ROWS_REFUSED where this is absent. @throws as `subscribeList` */
  subscribeTotals?(request: KeptTotalsRequest): PulledEvents<KeptTotalsEvent>
  /**
   * The cursor for now: a query made after it resolved sees every change that stands before it. Rejects with NO_STREAM_YET
   * at a deadline. Of several databases one is named.
   */
  changeCursor(source?: string): Promise<string>
  /**
   * Null once a subscription without a cursor gets everything that commits from now on; a subscription is accepted no
   * sooner. Rejects with NO_STREAM_YET at a deadline. @default always null
   */
  whenLive?(model: string): Promise<void> | null
  /** Resolves when queries see the transaction that changed the model, or after a bounded wait. */
  whenVisible(xid: number, model: string): Promise<void>
  /** Whether PostgreSQL sends the whole old row of the model's changes; true while that is not known. */
  hasOldImages(model: string): boolean
  /** Why a subscription gets a change or does not. Whatever has `Query.whyNot` needs it. */
  explain?(request: Omit<ExplainRequest, 'catalog'>): Promise<Explanation>
}

/** Where a feed has no `subscribeRelated`. */
export function followsNoRelations(model: string): RowcastError {
  return new RowcastError(
    'POLICY_FAILED',
    `A policy or a filter of ${model} follows relations, and changes come from where none are followed.`,
  )
}

/** Whether the viewer with this GraphQL context may ask why; `'policies'` also shows what policies ask of related rows. */
export type CanExplain = (context: object) => boolean | 'policies' | Promise<boolean | 'policies'>
