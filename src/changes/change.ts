/**
 * Stage 4, changes. What a subscriber gets: one row's change, typed by its Prisma model.
 * From here on the words are Prisma's: model, field, row.
 */
import type { ModelTypeMap } from '../catalog/model-catalog.ts'
import type { AnyRow } from '../catalog/row-reader.ts'
import type { Lsn } from '../wire/lsn.ts'
import type { StreamOrigin } from './change-position.ts'
import type { TransactionMetadata } from './transaction-metadata.ts'

export type { AnyRow } from '../catalog/row-reader.ts'
export type { ChangePosition } from './change-position.ts'

/** What happened to the row; TRUNCATE happened to the whole table. */
export type ChangeAction = 'INSERT' | 'UPDATE' | 'DELETE' | 'TRUNCATE'

/** All actions, in the order documentation lists them. */
export const CHANGE_ACTIONS: readonly ChangeAction[] = ['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']

/** The transaction a change belongs to. Frozen, as all its changes and subscribers share it. */
export interface TransactionInfo<Metadata = TransactionMetadata> {
  /** PostgreSQL's transaction id, unsigned 32 bits; it wraps, so it distinguishes neighbours, not eras. */
  readonly xid: number
  /** LSN of the commit record: the transaction's position in the order of commits. */
  readonly commitLsn: Lsn
  /** When it committed, by PostgreSQL's clock, to the millisecond. */
  readonly committedAt: Date
  /** The history that the LSN belongs to. */
  readonly origin: StreamOrigin
  /** What the transaction says of itself: docs/metadata.md. Null where it says nothing, or nothing that can be read. Frozen. */
  readonly metadata: Metadata | null
}

interface ChangeBase<M extends string, Row, Metadata, Field extends string = keyof Row & string> {
  /** Prisma model name. */
  readonly model: M
  readonly transaction: TransactionInfo<Metadata>
  /** 0-based ordinal of the change within its transaction. */
  readonly index: number
  /** Where the change stands: `subscribe(…, { after: cursor })` goes on after it. Opaque; keep it as it is. */
  readonly cursor: string
  /** Fields whose value an UPDATE changed; empty for every other action, and where the row before is not known. */
  readonly changed: readonly Field[]
  /**
   * Fields that PostgreSQL did not send: unchanged TOASTed values of an UPDATE without a full old row, and
   * columns that the publication leaves out. They are absent from `new` and `old`, never null.
   */
  readonly unavailable: readonly Field[]
  /**
   * What PostgreSQL did. Differs from the change only for models registered with `softDelete`, where an UPDATE
   * of the row may be reported as a DELETE or an INSERT.
   */
  readonly operation: RowOperation<Row>
}

/** A write as PostgreSQL logged it. */
export interface RowOperation<Row> {
  readonly action: ChangeAction
  readonly old: Row | null
  readonly new: Row | null
}

/** A row that is new. */
export interface InsertChange<M extends string, Row, Key, Metadata = TransactionMetadata>
  extends ChangeBase<M, Row, Metadata> {
  readonly action: 'INSERT'
  readonly old: null
  readonly new: Row
  readonly key: Key
}

/** A row that differs from before. */
export interface UpdateChange<M extends string, Row, Key, Metadata = TransactionMetadata>
  extends ChangeBase<M, Row, Metadata> {
  readonly action: 'UPDATE'
  /** The whole row before; null when the table's replica identity is not FULL. Never half a row. */
  readonly old: Row | null
  readonly new: Row
  /** The primary key after the change. */
  readonly key: Key
  /**
   * The primary key before the change where the change replaced it; null where it did not. Undefined where
   * PostgreSQL did not say: the replica identity is an index that does not hold the key.
   */
  readonly oldKey: Key | null | undefined
}

/** A row that is gone. */
export interface DeleteChange<M extends string, Row, Key, Metadata = TransactionMetadata>
  extends ChangeBase<M, Row, Metadata> {
  readonly action: 'DELETE'
  /** The whole row before; null when the table's replica identity is not FULL. Never half a row. */
  readonly old: Row | null
  readonly new: null
  /**
   * The key of the row that is gone; known under replica identity FULL and DEFAULT alike. Null under USING
   * INDEX, where the index does not hold the primary key.
   */
  readonly key: Key | null
}

/** All rows are gone at once; PostgreSQL does not say which they were. */
export interface TruncateChange<M extends string, Row, Metadata = TransactionMetadata>
  extends ChangeBase<M, Row, Metadata> {
  readonly action: 'TRUNCATE'
  readonly old: null
  readonly new: null
  readonly key: null
}

/** One change of one model: narrows by `action`. */
export type Change<
  Types extends ModelTypeMap,
  M extends keyof Types & string,
  Metadata = TransactionMetadata,
> = {
  [Name in M]:
    | InsertChange<Name, Types[Name]['row'], Types[Name]['key'], Metadata>
    | UpdateChange<Name, Types[Name]['row'], Types[Name]['key'], Metadata>
    | DeleteChange<Name, Types[Name]['row'], Types[Name]['key'], Metadata>
    | TruncateChange<Name, Types[Name]['row'], Metadata>
}[M]

/** Any model's write as PostgreSQL logged it. */
export type AnyOperation = RowOperation<AnyRow>

/** Any model's change, as the inner stages hand it on; the public face narrows it to `Change<Types, M>`. */
export interface AnyChange {
  readonly model: string
  readonly action: ChangeAction
  readonly transaction: TransactionInfo
  readonly index: number
  readonly old: AnyRow | null
  /**
   * Whether the row before did not come although the model's table is to log it: its replica identity was changed, or a new
   * partition has another one. @default false
   */
  readonly isOldMissing?: boolean | undefined
  readonly new: AnyRow | null
  readonly key: AnyRow | null
  readonly changed: readonly string[]
  readonly unavailable: readonly string[]
  /** See `UpdateChange`; null for every other action. */
  readonly oldKey: AnyRow | null | undefined
  /** What PostgreSQL did; the change itself unless `softDelete` reports it as something else. */
  readonly operation: AnyOperation
  /** Where the change stands; see `changes/cursor.ts`. */
  readonly cursor: string
  /** The same change with nothing decoded yet: what is kept for long is kept small. */
  fresh(): AnyChange
}

/** Changes in order. An array is one; a part's own list makes each change when it is asked for. */
export interface ChangeList extends Iterable<AnyChange> {
  readonly length: number
  /** The change at an offset from 0 on, possibly a new object each time; undefined past the end. */
  at(offset: number): AnyChange | undefined
  /** The model of the change at an offset; absent where the changes themselves are there anyway. */
  readonly modelAt?: ((offset: number) => string) | undefined
  /** Its action, likewise. */
  readonly actionAt?: ((offset: number) => ChangeAction) | undefined
  /** Its index in the transaction, likewise. */
  readonly indexAt?: ((offset: number) => number) | undefined
  /** Its undecoded bytes; absent where that is not known. */
  readonly bytesAt?: ((offset: number) => number) | undefined
}

/**
 * Changes of one transaction in order, as the source hands them to the bus. A transaction arrives as one
 * part unless it exceeds the assembler's bound; then as several, of which only the last is final.
 */
export interface TransactionPart {
  readonly transaction: TransactionInfo
  readonly changes: ChangeList
  /** True for the part that ends with the commit. */
  readonly isFinal: boolean
  /** Size of the undecoded changes, in bytes. */
  readonly byteLength: number
}
