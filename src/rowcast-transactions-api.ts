/** Beside the spine. Whole transactions, in the face of the library. Types only. */
import type { ModelTypeMap } from './catalog/model-catalog.ts'
import type { Change, TransactionInfo } from './changes/change.ts'

/** A transaction, or a bounded part of one: 1,024 changes or 1 MiB of them. */
export interface TransactionChanges<Types extends ModelTypeMap, M extends keyof Types & string, Metadata> {
  readonly transaction: TransactionInfo<Metadata>
  /** Those asked for, in the order they were made; one at the least. */
  readonly changes: readonly Change<Types, M, Metadata>[]
  /** Goes on after the last of them. */
  readonly cursor: string
  /** Whether no later change of the transaction is asked for; false where another part follows. */
  readonly isLast: boolean
}
