/** Stage 4, changes. TRUNCATE of one model's table: no images, no key, only the fact. */
import type { AnyChange, AnyOperation, TransactionInfo } from './change.ts'
import { formatCursor } from './cursor.ts'

/** A model's table lost all its rows at once. */
export class TruncateTableChange implements AnyChange {
  readonly action = 'TRUNCATE'
  readonly old = null
  readonly new = null
  readonly key = null
  readonly changed: readonly string[] = []
  readonly unavailable: readonly string[] = []
  readonly oldKey = null
  readonly model: string
  readonly transaction: TransactionInfo
  readonly index: number

  constructor(transaction: TransactionInfo, index: number, model: string) {
    this.transaction = transaction
    this.index = index
    this.model = model
  }

  get operation(): AnyOperation {
    return this
  }

  get cursor(): string {
    return formatCursor(this.transaction.origin, this.transaction.commitLsn, this.index)
  }

  /** Nothing is ever decoded here. */
  fresh(): TruncateTableChange {
    return this
  }
}
