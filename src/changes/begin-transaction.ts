/** Stage 4, changes. What all changes of a transaction say of it. */
import type { BeginMessage } from '../pgoutput/messages.ts'
import { pgMicrosToDate } from '../wire/pg-time.ts'
import type { TransactionInfo } from './change.ts'
import type { StreamOrigin } from './cursor.ts'
import type { TransactionMetadata } from './transaction-metadata.ts'

/**
 * All changes and subscribers share it: nobody changes it for the others, nor the time, of which each gets an own copy. One getter serves
 * all transactions: with one for each, V8 makes a shape for each, which cost more than decoding a row.
 */
class SharedTransaction implements TransactionInfo {
  static readonly #committedAt: PropertyDescriptor = {
    enumerable: true,
    get(this: SharedTransaction) {
      return pgMicrosToDate(this.#committedAtMicros)
    },
  }

  readonly xid: number
  readonly commitLsn: TransactionInfo['commitLsn']
  declare readonly committedAt: Date
  readonly origin: StreamOrigin
  readonly metadata: TransactionMetadata | null
  readonly #committedAtMicros: bigint

  constructor(begin: BeginMessage, origin: StreamOrigin, metadata: TransactionMetadata | null) {
    this.xid = begin.xid
    this.commitLsn = begin.finalLsn
    this.origin = origin
    this.metadata = metadata
    this.#committedAtMicros = begin.committedAtMicros
    Object.defineProperty(this, 'committedAt', SharedTransaction.#committedAt)
    Object.freeze(this)
  }
}

/** What a transaction's changes say of it, from what it began with. */
export function beginTransaction(
  begin: BeginMessage,
  origin: StreamOrigin,
  metadata: TransactionMetadata | null,
): TransactionInfo {
  return new SharedTransaction(begin, origin, metadata)
}
