/**
 * Stage 4, changes. What an application wrote with `pg_logical_emit_message`: words in the stream of changes that
 * are no row. Source: PostgreSQL manual, "Replication Management Functions".
 */
import type { Lsn } from '../wire/lsn.ts'
import type { TransactionInfo } from './change.ts'

/** One message. */
export interface EmittedMessage {
  /** What the application named it, to distinguish its messages from others'. */
  readonly prefix: string
  /** What it wrote; text comes as UTF-8. */
  readonly content: Uint8Array
  /** Unique, and ascending within a transaction. */
  readonly lsn: Lsn
  /**
   * The transaction that wrote it, when the message is part of it: then it has committed. Null for one that was
   * sent at once, whatever became of the transaction it was written in.
   */
  readonly transaction: TransactionInfo | null
  /** The transaction's changes with a smaller index were made before the message; null outside a transaction. */
  readonly index: number | null
}
