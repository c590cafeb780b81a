/** Beside the spine, sets. How far the changes have come that had a part in what is kept. */
import type { AnyChange, TransactionInfo } from '../changes/change.ts'
import { comparePositions } from '../changes/cursor.ts'
import type { ReachedPosition } from './visible-cursor.ts'

/** As many are remembered. */
const LATEST_MAX = 64

/** Models may be taken one after the other: what has come ends with the latest of all. */
export class ReachedChanges {
  #position: ReachedPosition | null = null
  #transaction: TransactionInfo | null = null
  #latest: readonly TransactionInfo[] = []
  /** Whether nothing has come unheard since what is kept was read. */
  isFollowed = false

  get position(): ReachedPosition | null {
    return this.#position
  }

  /** The last; null where none is known. */
  get transaction(): TransactionInfo | null {
    return this.#transaction
  }

  /** The last ones, in their order. */
  get latest(): readonly TransactionInfo[] {
    return this.#latest
  }

  /** @param hasPart whether it is known to have one, and not only that it may */
  note({ transaction, index }: AnyChange, hasPart = true): void {
    const position = { commitLsn: transaction.commitLsn, index, origin: transaction.origin }
    if (this.#position !== null && comparePositions(this.#position, position) >= 0) return
    this.#position = position
    if (!hasPart) return
    this.#transaction = transaction
    if (this.#latest.at(-1)?.commitLsn === transaction.commitLsn) return
    this.#latest = [...this.#latest, transaction].slice(-LATEST_MAX)
  }

  /** Others have come that nobody heard of. */
  leaveOff(): void {
    this.#transaction = null
    this.#latest = []
    this.isFollowed = false
  }
}
