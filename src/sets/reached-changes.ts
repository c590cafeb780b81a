/** Beside the spine, sets. How far the changes have come that had a part in what is kept. */
import type { AnyChange, TransactionInfo } from '../changes/change.ts'
import { comparePositions } from '../changes/cursor.ts'
import type { ReachedPosition } from './visible-cursor.ts'

/** Models may be taken one after the other: what has come ends with the latest of all. */
export class ReachedChanges {
  #position: ReachedPosition | null = null
  #transaction: TransactionInfo | null = null

  get position(): ReachedPosition | null {
    return this.#position
  }

  /** The last; null where none is known. */
  get transaction(): TransactionInfo | null {
    return this.#transaction
  }

  note({ transaction, index }: AnyChange): void {
    const position = { commitLsn: transaction.commitLsn, index, origin: transaction.origin }
    if (this.#position !== null && comparePositions(this.#position, position) >= 0) return
    this.#position = position
    this.#transaction = transaction
  }

  /** Others may have come since. */
  forgetTransaction(): void {
    this.#transaction = null
  }
}
