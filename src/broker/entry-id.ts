/**
 * Beside the bus, broker. The id of a stream entry is the position of what it holds: LSN of the commit record, and the
 * index in the transaction. Redis refuses an id that is not greater than the last: nothing can come twice.
 * Source: Redis documentation, "XADD".
 */
import type { ChangePosition } from '../changes/change.ts'
import { RowcastError } from '../errors.ts'
import { type Lsn, toLsn } from '../wire/lsn.ts'

/** Position of the last record of an entry. */
export interface EntryId {
  readonly lsn: Lsn
  /**
   * 0-based ordinal of the record among the transaction's row changes and messages: the change's index where the
   * transaction has no messages, never less.
   */
  readonly sequence: number
}

const LSN_MAX = 2n ** 64n - 1n
/** Beyond all sequences of ours: Redis has 64 bits for it, and a larger one, of somebody else's entry, counts as this. */
export const SEQUENCE_MAX = Number.MAX_SAFE_INTEGER
const TEXT = /^(\d{1,20})-(\d{1,20})$/

/** Formats as Redis takes it. */
export function formatEntryId({ lsn, sequence }: EntryId): string {
  return `${lsn}-${sequence}`
}

/** Parses what the broker gives. @throws BROKER_ENTRY_UNREADABLE */
export function parseEntryId(text: string): EntryId {
  const id = readEntryId(text)
  if (id === null) throw new RowcastError('BROKER_ENTRY_UNREADABLE', 'An id of the stream is not a position.')
  return id
}

/** Reads it from a document; null when it is none. */
export function readEntryId(value: unknown): EntryId | null {
  const match = typeof value === 'string' ? TEXT.exec(value) : null
  const lsn = match === null ? null : readLsn(match[1])
  return match === null || lsn === null ? null : { lsn, sequence: Math.min(Number(match[2]), SEQUENCE_MAX) }
}

/** Reads an LSN from a document, a decimal number; null when it is none. */
export function readLsn(value: unknown): Lsn | null {
  if (typeof value !== 'string' || !/^\d{1,20}$/.test(value)) return null
  const number = BigInt(value)
  return number > LSN_MAX ? null : toLsn(number)
}

/** Negative when `a` stands before `b`. */
export function compareEntryIds(a: EntryId, b: EntryId): number {
  if (a.lsn !== b.lsn) return a.lsn < b.lsn ? -1 : 1
  return a.sequence - b.sequence
}

/** The later of two. */
export function laterEntryId(a: EntryId, b: EntryId): EntryId {
  return compareEntryIds(a, b) < 0 ? b : a
}

/**
 * The id of a message outside any transaction. PostgreSQL gives it the LSN at which its record ends, and the record of a
 * commit may begin right there. Records begin at multiples of eight bytes, so the byte before is nobody's position: the
 * message stands before such a commit, and after everything that came before it.
 * Source: PostgreSQL, src/backend/access/transam/README ("MAXALIGN"), and manual, "Logical Replication Message Formats".
 */
export function messageEntryId(endLsn: Lsn): EntryId {
  return { lsn: toLsn(endLsn > 0n ? endLsn - 1n : 0n), sequence: 0 }
}

/** The id that stands where a change does, or after it. */
export function entryIdOf({ commitLsn, index }: ChangePosition): EntryId {
  return { lsn: commitLsn, sequence: index }
}
