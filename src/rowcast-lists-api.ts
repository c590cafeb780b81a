/** The face of the library: live lists and totals. Types only. */

import type { RelatedWhere } from './bus/filter/related-where-type.ts'
import type { PulledEvents } from './bus/mapped-pull.ts'
import type { ModelTypeMap } from './catalog/model-catalog.ts'
import type { TransactionInfo } from './changes/change.ts'
import type { TransactionMetadata } from './changes/transaction-metadata.ts'
import type {
  KeptListEvent,
  KeptListRequest,
  KeptTotalsEvent,
  KeptTotalsRequest,
} from './sets/kept-request.ts'
import type { KeptSetsCost } from './sets/kept-sets.ts'
import type { ListOperationKind } from './sets/list-operations.ts'

type NameOf<Types extends ModelTypeMap> = keyof Types & string

type FieldOf<Row> = keyof Row & string

/** Which way rows are ordered by a field. */
export type SortDirection = 'asc' | 'desc'

/** One field that rows are ordered by, in the shape of Prisma's `orderBy`. */
export type ListOrder<Row> = {
  readonly [Name in FieldOf<Row>]?:
    | SortDirection
    | { readonly sort: SortDirection; readonly nulls?: 'first' | 'last' }
}

/** Which list. */
export interface LiveRowsOptions<Row, Where> {
  /** Which rows, in the shape of Prisma's `where`; it may follow relations. @default all */
  readonly where?: Where | undefined
  /** Rows that are equal by all of these stand in the order of their key. @default the order of the key */
  readonly orderBy?: ListOrder<Row> | readonly ListOrder<Row>[] | undefined
  /** The first so many rows, 1 to 1,000. @default 50 */
  readonly take?: number | undefined
  /** Whether the number of all rows is counted. @default false */
  readonly totalCount?: boolean | undefined
  /** Milliseconds between two patches at the least: what changes meanwhile comes in one. @default 0, each transaction at once */
  readonly every?: number | undefined
  /** Ends it. */
  readonly signal?: AbortSignal | undefined
}

/** The whole list, first of all; and again in place of patches. */
export interface ListSnapshot<Row, Metadata = TransactionMetadata> {
  readonly kind: 'snapshot'
  readonly rows: readonly Row[]
  /** Null where it is not asked for. */
  readonly totalCount: number | null
  /** What stands before it is in the list, and nothing behind it. */
  readonly cursor: string
  /** The latest transactions that have a part in it, as far as they are remembered: see `ListPatch`. */
  readonly transactions: readonly TransactionInfo<Metadata>[]
}

/** What has changed of it. */
export interface ListPatch<Row, Key, Metadata = TransactionMetadata> {
  readonly kind: 'patch'
  /** To be applied one after the other. */
  readonly operations: readonly ListRowOperation<Row, Key>[]
  readonly totalCount: number | null
  readonly cursor: string
  /** The last transaction that is in it; null where `where` follows relations: only the database knows which had a part. */
  readonly transaction: TransactionInfo<Metadata> | null
  /**
   * The latest transactions that have a part in the list, in their order, 64 at the most: with `every` a patch may be of several. Those before it may be among
   * them. None where only the database knows which had a part.
   */
  readonly transactions: readonly TransactionInfo<Metadata>[]
}

/** A row comes in, has other values, stands elsewhere (with other values or not), goes out. */
export interface ListRowOperation<Row, Key> {
  readonly kind: ListOperationKind
  readonly key: Key
  /** Where the row is put; of REMOVE where it is taken out. MOVE takes the row with the key out first. From 0 on. */
  readonly index: number
  /** Null for REMOVE. */
  readonly row: Row | null
}

/** Which totals. */
export interface TotalsOptions<
  Row,
  Where,
  Sum extends FieldOf<Row>,
  Min extends FieldOf<Row>,
  Max extends FieldOf<Row>,
> extends Pick<LiveRowsOptions<Row, Where>, 'where' | 'every' | 'signal'> {
  readonly sum?: readonly Sum[] | undefined
  readonly min?: readonly Min[] | undefined
  readonly max?: readonly Max[] | undefined
}

/** Totals after a transaction: as Prisma's `aggregate` gives them. */
export interface Totals<
  Row,
  Sum extends FieldOf<Row>,
  Min extends FieldOf<Row>,
  Max extends FieldOf<Row>,
  Metadata = TransactionMetadata,
> {
  readonly count: number
  /** Of fields without a value anywhere null. */
  readonly sum: { readonly [Name in Sum]: Row[Name] | null }
  readonly min: { readonly [Name in Min]: Row[Name] | null }
  readonly max: { readonly [Name in Max]: Row[Name] | null }
  readonly cursor: string
  /** The last transaction that is in them; null where none has come yet, and where `where` follows relations. */
  readonly transaction: TransactionInfo<Metadata> | null
}

/** Lists and totals of a rowcast. */
export interface LiveLists<Types extends ModelTypeMap, Metadata> {
  /**
   * A list that stays as `findMany` would give it: first whole, then what changes of it, at boundaries of transactions. Whoever asks
   * for the same one shares it. docs/live-lists.md says what it costs.
   * @throws BAD_FILTER, CATALOG_UNKNOWN_MODEL, CATALOG_MODEL_NOT_REGISTERED, FIRST_ROWS_REFUSED, LIST_TOO_COSTLY at once;
   * LIST_TOO_COSTLY, FIRST_ROWS_FAILED and RESYNC_REQUIRED in the loop: ask for it again
   */
  list<M extends NameOf<Types>>(
    model: M,
    options?: LiveRowsOptions<Types[M]['row'], RelatedWhere<Types, M>>,
  ): AsyncIterableIterator<
    ListSnapshot<Types[M]['row'], Metadata> | ListPatch<Types[M]['row'], Types[M]['key'], Metadata>
  >
  /** How many rows there are, sums, least and greatest values: first as they are, then whenever they differ. @throws as `list` */
  totals<
    M extends NameOf<Types>,
    Sum extends FieldOf<Types[M]['row']> = never,
    Min extends FieldOf<Types[M]['row']> = never,
    Max extends FieldOf<Types[M]['row']> = never,
  >(
    model: M,
    options?: TotalsOptions<Types[M]['row'], RelatedWhere<Types, M>, Sum, Min, Max>,
  ): AsyncIterableIterator<Totals<Types[M]['row'], Sum, Min, Max, Metadata>>
  /** `list` for the GraphQL layer: with what the viewer may see; untyped, and its rows are shared. */
  subscribeList(request: KeptListRequest): PulledEvents<KeptListEvent>
  /** `totals` for the GraphQL layer. */
  subscribeTotals(request: KeptTotalsRequest): PulledEvents<KeptTotalsEvent>
  /** What lists and totals have cost so far, and how many are open. */
  listCost(): KeptSetsCost
}
