/** Stage 1, wire. The command that begins a stream. Source: PostgreSQL manual, "START_REPLICATION". */
import { formatLsn, type Lsn } from './lsn.ts'
import { quoteIdentifier, quoteReplicationLiteral } from './quote.ts'

/** What to stream: changes of a slot, or the WAL itself. */
export type StreamRequest = LogicalRequest | PhysicalRequest

/** The write-ahead log as it is, byte by byte. */
export interface PhysicalRequest {
  readonly kind: 'physical'
  /** The first byte. */
  readonly startLsn: Lsn
}

/** What an output plugin makes of a slot's transactions. */
export interface LogicalRequest {
  readonly kind?: 'logical' | undefined
  readonly slot: string
  /** Start after this position; `LSN_ZERO` for the slot's own confirmed position, which is also the floor. */
  readonly startLsn: Lsn
  /** pgoutput's options, as named in the manual's "Logical Streaming Replication Parameters". */
  readonly options: Readonly<Record<string, string>>
}

/** `START_REPLICATION SLOT … LOGICAL … (options)`, or `… PHYSICAL …`: every name and value quoted. */
export function formatStartReplication(request: StreamRequest): string {
  if (request.kind === 'physical') return `START_REPLICATION PHYSICAL ${formatLsn(request.startLsn)}`
  const options = Object.entries(request.options)
    .map(([name, value]) => `${quoteIdentifier(name)} ${quoteReplicationLiteral(value)}`)
    .join(', ')
  return `START_REPLICATION SLOT ${quoteIdentifier(request.slot)} LOGICAL ${formatLsn(request.startLsn)} (${options})`
}
