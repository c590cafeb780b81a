/**
 * Stage 2, pgoutput. Messages of protocol version 2 and 4: parts of a large transaction, sent before it ends.
 * Source of every byte table: PostgreSQL manual, "Logical Replication Message Formats".
 */
import type { Lsn } from '../wire/lsn.ts'

/**
 * A streamed block begins: messages up to the next Stream Stop belong to this transaction, which may yet abort.
 *
 *      0  Byte1('S')
 *      1  Int32   xid             unsigned; of the top transaction
 *      5  Int8    isFirstSegment  1 or 0
 */
export interface StreamStartMessage {
  readonly kind: 'stream-start'
  readonly xid: number
  readonly isFirstSegment: boolean
}

/**
 * The streamed block ends; the transaction goes on.
 *
 *      0  Byte1('E')
 */
export interface StreamStopMessage {
  readonly kind: 'stream-stop'
}

/**
 * A streamed transaction committed.
 *
 *      0  Byte1('c')
 *      1  Int32   xid                unsigned
 *      5  Int8    flags              unused, 0
 *      6  Int64   commitLsn          LSN of the commit record
 *     14  Int64   endLsn             just past the commit record: what may be confirmed
 *     22  Int64   committedAtMicros  µs since 2000-01-01
 */
export interface StreamCommitMessage {
  readonly kind: 'stream-commit'
  readonly xid: number
  readonly commitLsn: Lsn
  readonly endLsn: Lsn
  readonly committedAtMicros: bigint
}

/**
 * A streamed transaction, or one of its subtransactions, rolled back: forget what it sent.
 *
 *      0  Byte1('A')
 *      1  Int32   xid              unsigned; of the top transaction
 *      5  Int32   subxid           unsigned; equal to xid when the whole transaction is gone
 *      9  Int64   abortLsn         version 4 with streaming 'parallel' only
 *     17  Int64   abortedAtMicros  µs since 2000-01-01; likewise
 *
 * Nothing in the message says whether the last two are there: its length does.
 */
export interface StreamAbortMessage {
  readonly kind: 'stream-abort'
  readonly xid: number
  readonly subxid: number
  readonly abortLsn: Lsn | null
  readonly abortedAtMicros: bigint | null
}
