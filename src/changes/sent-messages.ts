/** Stage 4, changes. Which of an application's messages have been handed over. */
import { earlierLsn, LSN_ZERO, type Lsn } from '../wire/lsn.ts'
import type { EmittedMessage } from './emitted-message.ts'

/** The last messages handed over, to recognise those that PostgreSQL sends again. */
export class SentMessages {
  #inTransaction = { commitLsn: LSN_ZERO, lsn: LSN_ZERO }
  #alone: Lsn = LSN_ZERO

  has({ transaction, lsn }: EmittedMessage): boolean {
    if (transaction === null) return lsn <= this.#alone
    return this.#inTransaction.commitLsn === transaction.commitLsn && lsn <= this.#inTransaction.lsn
  }

  note({ transaction, lsn }: EmittedMessage): void {
    if (transaction === null) this.#alone = lsn
    else this.#inTransaction = { commitLsn: transaction.commitLsn, lsn }
  }

  /** Positions beyond are another server's from now on. */
  forgetAfter(lsn: Lsn): void {
    this.#alone = earlierLsn(this.#alone, lsn)
    if (this.#inTransaction.commitLsn > lsn) this.#inTransaction = { commitLsn: LSN_ZERO, lsn: LSN_ZERO }
  }
}
