/** Sets, between stages 6 and 7. What a subscription that follows relations gets, typed by its Prisma model. Types only. */
import type { OverflowPolicy } from '../bus/bus.ts'
import type { Transition } from '../bus/filter/judge-change.ts'
import type { ModelTypeMap } from '../catalog/model-catalog.ts'
import type { Change, ChangeAction, TransactionInfo } from '../changes/change.ts'
import type { TransactionMetadata } from '../changes/transaction-metadata.ts'

/** A row that came among those that are asked for, or is none of them any more, though nobody wrote it: related rows changed. */
export interface MovedRead<M extends string, Row, Key, Metadata = TransactionMetadata> {
  readonly action: 'READ'
  readonly model: M
  /** ENTERED: `new` is the row as it was after the transaction. LEFT: `new` is null. */
  readonly transition: 'ENTERED' | 'LEFT'
  /** RELATION: by `where`, another answer follows from the related rows. */
  readonly cause: 'RELATION'
  /** The primary key. */
  readonly key: Key
  readonly old: null
  readonly new: Row | null
  readonly changed: readonly never[]
  readonly unavailable: readonly never[]
  /**
   * Goes on behind the last such row of its transaction. Behind an earlier one, all that the transaction moved comes once more:
   * put it in or take it out by its key.
   */
  readonly cursor: string
  /** What moved it. */
  readonly transaction: TransactionInfo<Metadata>
}

/** A write of a row that is, or was, among those that are asked for. */
export type WrittenChange<
  Types extends ModelTypeMap,
  M extends keyof Types & string,
  Action extends ChangeAction = ChangeAction,
  Metadata = TransactionMetadata,
> = Extract<Change<Types, M, Metadata>, { action: Action }> & {
  /** Whether the row enters them, stays, or leaves; LEFT of a TRUNCATE: there are none any more. */
  readonly transition: Transition
}

/** Names of the to-many relations of a model. */
export type IncludableRelation<
  Types extends ModelTypeMap,
  M extends keyof Types & string,
> = Types[M] extends {
  readonly relations: infer Relations
}
  ? {
      [Name in keyof Relations]: Relations[Name] extends { readonly many: string } ? Name : never
    }[keyof Relations] &
      string
  : never

interface FollowingOptions {
  /** Go on after the event with this cursor. @default what commits from now on */
  readonly after?: string | undefined
  /** What happens where it is too slow: see `SubscribeOptions`. @default that of createRowcast */
  readonly overflow?: OverflowPolicy | undefined
  /** Ends the subscription. */
  readonly signal?: AbortSignal | undefined
}

/** What a subscription to rows that other rows decide about may ask for. */
export interface RelatedOptions<Where extends object> extends FollowingOptions {
  /** Which rows, in the shape of Prisma's `where`: `{ team: { is: { name: 'x' } } }`. */
  readonly where: Where
}

/** What a subscription that hears of related rows may ask for. */
export interface IncludeOptions<Where extends object, Relation extends string, Initial extends boolean>
  extends FollowingOptions {
  /** To-many relations, eight at most: a row hears of changes of those of its related rows. */
  readonly include: readonly Relation[]
  /** Which rows, in the shape of Prisma's `where`. @default all */
  readonly where?: Where | undefined
  /** Whether it begins with the rows there are. @default false: what commits from now on only */
  readonly initial?: Initial | undefined
}

/** A change of a row of an included relation. */
export type RelatedRowChange<
  Types extends ModelTypeMap,
  M extends keyof Types & string,
  Relation extends string,
> = {
  [Name in Relation]: {
    readonly relation: Name
    readonly action: ChangeAction
    /** The primary key of the related row; null for TRUNCATE. */
    readonly key: KeyOf<Types, ManyOf<Types[M], Name>> | null
  }
}[Relation]

type ManyOf<Model, Name extends string> = Model extends {
  readonly relations: { readonly [Key in Name]: { readonly many: infer To } }
}
  ? To
  : never

type KeyOf<Types extends ModelTypeMap, To> = To extends keyof Types & string ? Types[To]['key'] : never

/** What a row hears of the relations that are included. */
export interface HeardChanges<Related> {
  /** The changes of its related rows, in their order: at most 100. Where events are conflated, those of the events that were left out as well. */
  readonly via: readonly Related[]
  /** How many there are of them. */
  readonly viaCount: number
}

/** A row of which related rows have changed, and nothing else: `new` is the row as it was after the transaction. */
export type IncludedRead<M extends string, Row, Key, Metadata = TransactionMetadata> = Omit<
  MovedRead<M, Row, Key, Metadata>,
  'transition' | 'cause' | 'new'
> & {
  readonly transition: 'STAYED'
  readonly cause: 'INCLUDED'
  readonly new: Row
}

/** What comes where relations are included: narrows by `action`. */
export type IncludedChange<
  Types extends ModelTypeMap,
  M extends keyof Types & string,
  Relation extends string,
  Metadata = TransactionMetadata,
> = (
  | RelatedChange<Types, M, Metadata>
  | { [Name in M]: IncludedRead<Name, Types[Name]['row'], Types[Name]['key'], Metadata> }[M]
) &
  HeardChanges<RelatedRowChange<Types, M, Relation>>

/** What comes: narrows by `action`. */
export type RelatedChange<
  Types extends ModelTypeMap,
  M extends keyof Types & string,
  Metadata = TransactionMetadata,
> =
  | WrittenChange<Types, M, ChangeAction, Metadata>
  | { [Name in M]: MovedRead<Name, Types[Name]['row'], Types[Name]['key'], Metadata> }[M]
