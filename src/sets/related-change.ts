/** Sets, between stages 6 and 7. What a subscription that follows relations gets, typed by its Prisma model. Types only. */
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

/** What comes: narrows by `action`. */
export type RelatedChange<
  Types extends ModelTypeMap,
  M extends keyof Types & string,
  Metadata = TransactionMetadata,
> =
  | WrittenChange<Types, M, ChangeAction, Metadata>
  | { [Name in M]: MovedRead<Name, Types[Name]['row'], Types[Name]['key'], Metadata> }[M]
