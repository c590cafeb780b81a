/** Beside the spine, sets. What a live list and totals are asked for, and what they give, before anybody's types. Types only. */
import type { ChangeFilter } from '../bus/filter/change-filter.ts'
import type { Account } from '../bus/holdings.ts'
import type { KeptState } from './kept-parts.ts'
import type { ListOperation } from './list-operations.ts'
import type { ShownRelation } from './list-relations.ts'
import type { ShownList } from './list-view.ts'
import type { ReadRelation } from './read-relation.ts'
import type { OrderPart } from './seek.ts'
import type { ShownTotals, TotalsRequest } from './totals-view.ts'

/** Which rows, for whom. */
export interface KeptRequest {
  readonly model: string
  /** For changes: what is asked for, and what the viewer may see. */
  readonly filter: ChangeFilter | null
  /** The same as Prisma Client takes it: a `where` for each part, all of which hold. */
  readonly conditions: readonly object[]
  /** Milliseconds between two events at the least. @default 0 */
  readonly every?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** Of the client, where there is one: what it opens first counts for it, and what others opened and have left. */
  readonly account?: Account | undefined
}

/** A list. */
export interface KeptListRequest extends KeptRequest {
  readonly order: readonly OrderPart[]
  /** @default 50 */
  readonly take?: number | undefined
  readonly isCounted: boolean
  /** Relations that rows are shown with, beside their own values: changes of those patch the rows. @default none */
  readonly relations?: readonly ShownRelation[] | undefined
  /** The same of whose changes it is not known which rows they concern: they are read with the rows. @default none */
  readonly asked?: readonly ReadRelation[] | undefined
}

/** Totals. */
export interface KeptTotalsRequest extends KeptRequest {
  readonly fields: TotalsRequest
}

/** What a list gives. Its rows are shared: whoever changes one copies it first. */
export type KeptListEvent =
  | (KeptState<ShownList> & { readonly kind: 'snapshot' })
  | (KeptState<Pick<ShownList, 'totalCount'>> & {
      readonly kind: 'patch'
      readonly operations: readonly ListOperation[]
    })

/** What totals give. */
export type KeptTotalsEvent = KeptState<ShownTotals>
