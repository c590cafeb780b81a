/**
 * Stage 4, changes. What an application wrote with `pg_logical_emit_message`: words in the stream of changes that
 * are no row. Source: PostgreSQL manual, "Replication Management Functions".
 */
import type { LogicalMessage } from '../pgoutput/messages.ts'
import { earlierLsn, LSN_ZERO, type Lsn } from '../wire/lsn.ts'
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

/** Those of one stream: which wait for their transaction to leave, and which PostgreSQL sends again. */
export class EmittedMessages {
  #waiting: EmittedMessage[] = []
  #inTransaction = { commitLsn: LSN_ZERO, lsn: LSN_ZERO }
  #alone: Lsn = LSN_ZERO

  /** Of the open transaction. */
  get waitingCount(): number {
    return this.#waiting.length
  }

  /** Takes one of the transaction `open`, which waits with it, or one of none; null where it was handed on before. */
  accept(
    { prefix, content, lsn }: LogicalMessage,
    open: TransactionInfo | null,
    index: number,
  ): EmittedMessage | null {
    // The content is a view on bytes that many messages share; slice() of a Buffer would be one too.
    const own = { prefix, content: new Uint8Array(content), lsn }
    const message: EmittedMessage = { ...own, transaction: open, index: open === null ? null : index }
    if (this.#wasHandedOn(message)) return null
    if (open !== null) this.#waiting.push(message)
    return message
  }

  /** Those that waited. */
  leave(): readonly EmittedMessage[] {
    const leaving = this.#waiting
    if (leaving.length > 0) this.#waiting = []
    return leaving
  }

  discard(): void {
    this.#waiting = []
  }

  handedOn({ transaction, lsn }: EmittedMessage): void {
    if (transaction === null) this.#alone = lsn
    else this.#inTransaction = { commitLsn: transaction.commitLsn, lsn }
  }

  /** Positions beyond are another server's from now on. */
  forgetAfter(lsn: Lsn): void {
    this.#alone = earlierLsn(this.#alone, lsn)
    if (this.#inTransaction.commitLsn > lsn) this.#inTransaction = { commitLsn: LSN_ZERO, lsn: LSN_ZERO }
  }

  #wasHandedOn({ transaction, lsn }: EmittedMessage): boolean {
    if (transaction === null) return lsn <= this.#alone
    return this.#inTransaction.commitLsn === transaction.commitLsn && lsn <= this.#inTransaction.lsn
  }
}
