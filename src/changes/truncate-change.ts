/** Stage 4, changes. TRUNCATE of one model's table: no images, no key, only the fact. */
import type { AnyChange, TransactionInfo } from './change.ts'

/** A model's table lost all its rows at once. */
export class TruncateTableChange implements AnyChange {
  readonly action = 'TRUNCATE'
  readonly old = null
  readonly new = null
  readonly key = null
  readonly changed: readonly string[] = []
  readonly unavailable: readonly string[] = []
  readonly model: string
  readonly transaction: TransactionInfo
  readonly index: number

  constructor(transaction: TransactionInfo, index: number, model: string) {
    this.transaction = transaction
    this.index = index
    this.model = model
  }
}
