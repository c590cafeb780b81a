/**
 * Stage 4, changes. What a subscriber gets: one row's change, typed by its Prisma model.
 * From here on the words are Prisma's: model, field, row.
 */
import type { ModelTypeMap } from '../catalog/model-catalog.ts'
import type { AnyRow } from '../catalog/row-reader.ts'
import type { Lsn } from '../wire/lsn.ts'

export type { AnyRow } from '../catalog/row-reader.ts'

/** What happened to the row; TRUNCATE happened to the whole table. */
export type ChangeAction = 'INSERT' | 'UPDATE' | 'DELETE' | 'TRUNCATE'

/** All actions, in the order documentation lists them. */
export const CHANGE_ACTIONS: readonly ChangeAction[] = ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']

/** The transaction a change belongs to. */
export interface TransactionInfo {
  /** PostgreSQL's transaction id, unsigned 32 bits; it wraps, so it tells neighbours apart, not eras. */
  readonly xid: number
  /** LSN of the commit record: the transaction's place in the order of commits. */
  readonly commitLsn: Lsn
  /** When it committed, by PostgreSQL's clock, to the millisecond. */
  readonly committedAt: Date
}

/** A change's place: transactions in commit order, changes within a transaction in the order they were made. */
export interface ChangePosition {
  readonly commitLsn: Lsn
  /** 0-based ordinal of the change among the transaction's row changes. */
  readonly index: number
}

interface ChangeBase<M extends string, Field extends string> {
  /** Prisma model name. */
  readonly model: M
  readonly transaction: TransactionInfo
  /** 0-based ordinal of the change within its transaction. */
  readonly index: number
  /** Fields whose value differs between `old` and `new`; all fields for INSERT, none for DELETE and TRUNCATE. */
  readonly changed: readonly Field[]
  /**
   * Fields of `new` that PostgreSQL did not send: unchanged TOASTed values of an UPDATE without a full old
   * row. They are absent from `new`, never null.
   */
  readonly unavailable: readonly Field[]
}

/** A row that is new. */
export interface InsertChange<M extends string, Row, Key> extends ChangeBase<M, keyof Row & string> {
  readonly action: 'INSERT'
  readonly old: null
  readonly new: Row
  readonly key: Key
}

/** A row that differs from before. */
export interface UpdateChange<M extends string, Row, Key> extends ChangeBase<M, keyof Row & string> {
  readonly action: 'UPDATE'
  /** The whole row before; null when the table's replica identity is not FULL. Never half a row. */
  readonly old: Row | null
  readonly new: Row
  /** The primary key after the change. */
  readonly key: Key
}

/** A row that is gone. */
export interface DeleteChange<M extends string, Row, Key> extends ChangeBase<M, keyof Row & string> {
  readonly action: 'DELETE'
  /** The whole row before; null when the table's replica identity is not FULL. Never half a row. */
  readonly old: Row | null
  readonly new: null
  /** The key of the row that is gone; known under replica identity FULL and DEFAULT alike. */
  readonly key: Key
}

/** All rows are gone at once; PostgreSQL does not say which they were. */
export interface TruncateChange<M extends string, Row> extends ChangeBase<M, keyof Row & string> {
  readonly action: 'TRUNCATE'
  readonly old: null
  readonly new: null
  readonly key: null
}

/** One change of one model: narrows by `action`. */
export type Change<Types extends ModelTypeMap, M extends keyof Types & string> = {
  [Name in M]:
    | InsertChange<Name, Types[Name]['row'], Types[Name]['key']>
    | UpdateChange<Name, Types[Name]['row'], Types[Name]['key']>
    | DeleteChange<Name, Types[Name]['row'], Types[Name]['key']>
    | TruncateChange<Name, Types[Name]['row']>
}[M]

/** Any model's change, as the inner stages hand it on; the public face narrows it to `Change<Types, M>`. */
export interface AnyChange {
  readonly model: string
  readonly action: ChangeAction
  readonly transaction: TransactionInfo
  readonly index: number
  readonly old: AnyRow | null
  readonly new: AnyRow | null
  readonly key: AnyRow | null
  readonly changed: readonly string[]
  readonly unavailable: readonly string[]
}

/**
 * Changes of one transaction in order, as the source hands them to the bus. A transaction arrives as one
 * part unless it exceeds the assembler's bound; then as several, of which only the last is final.
 */
export interface TransactionPart {
  readonly transaction: TransactionInfo
  readonly changes: readonly AnyChange[]
  /** True for the part that ends with the commit. */
  readonly isFinal: boolean
  /** Size of the undecoded changes, in bytes. */
  readonly byteLength: number
}
