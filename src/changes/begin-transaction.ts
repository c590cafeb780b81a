/** Stage 4, changes. What all changes of a transaction say of it. */
import type { BeginMessage } from '../pgoutput/messages.ts'
import { pgMicrosToDate } from '../wire/pg-time.ts'
import type { TransactionInfo } from './change.ts'
import type { StreamOrigin } from './cursor.ts'
import type { TransactionMetadata } from './transaction-metadata.ts'
/** All changes and subscribers share it: nobody changes it for the others, nor the time, of which each gets an own copy. */
export function beginTransaction(
  { xid, finalLsn, committedAtMicros }: BeginMessage,
  epoch: StreamOrigin,
  metadata: TransactionMetadata | null,
): TransactionInfo {
  return Object.freeze({
    ...{ xid, commitLsn: finalLsn, epoch, metadata },
    get committedAt() {
      return pgMicrosToDate(committedAtMicros)
    },
  })
}
