/** Beside the bus, broker. A message between processes of rowcast, on its way through a tap. Pure. */
import type { EmittedMessage } from '../changes/emitted-message.ts'
import type { BeginMessage, LogicalMessage } from '../pgoutput/messages.ts'
import { pgMicrosToDate } from '../wire/pg-time.ts'

/** As its readers take it; null for a heartbeat, which has done its work when it has come, and outside a transaction. */
export function ownMessageOf(
  begin: BeginMessage | null,
  { prefix, content, lsn }: LogicalMessage,
): EmittedMessage | null {
  if (begin === null || content.length === 0) return null
  const { xid, finalLsn: commitLsn, committedAtMicros } = begin
  const transaction = {
    ...{ xid, commitLsn, committedAt: pgMicrosToDate(committedAtMicros) },
    ...{ origin: { systemId: '0', timeline: 0 }, metadata: null },
  }
  return { prefix, content: new Uint8Array(content), lsn, transaction, index: 0 }
}
