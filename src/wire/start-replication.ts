/** Stage 1, wire. The command that begins a stream. Source: PostgreSQL manual, "START_REPLICATION". */
import { formatLsn, type Lsn } from './lsn.ts'
import { quoteIdentifier, quoteReplicationLiteral } from './quote.ts'

/** What to stream. */
export interface StreamRequest {
  readonly slot: string
  /** Start after this position; `LSN_ZERO` for the slot's own confirmed position, which is also the floor. */
  readonly startLsn: Lsn
  /** pgoutput's options, as named in the manual's "Logical Streaming Replication Parameters". */
  readonly options: Readonly<Record<string, string>>
}

/** `START_REPLICATION SLOT … LOGICAL … (options)`: every name and value quoted. */
export function formatStartReplication(request: StreamRequest): string {
  const options = Object.entries(request.options)
    .map(([name, value]) => `${quoteIdentifier(name)} ${quoteReplicationLiteral(value)}`)
    .join(', ')
  return `START_REPLICATION SLOT ${quoteIdentifier(request.slot)} LOGICAL ${formatLsn(request.startLsn)} (${options})`
}
