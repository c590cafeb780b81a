/**
 * Beside the bus, broker. A mark: up to where everything is in the stream, and that a tap is alive. Its id is the time
 * by the broker's own clock, so that the clocks of taps and gateways order nothing.
 */
import { hasMembers } from '../member-of.ts'
import type { Lsn } from '../wire/lsn.ts'
import { type EntryId, formatEntryId, readEntryId, readLsn } from './entry-id.ts'
import { openDocument, sealDocument } from './sealed-document.ts'

/** What a tap writes into a mark. */
export interface MarkContent {
  /** Everything before it is in the stream, if the entry `last` is. */
  readonly lsn: Lsn
  /** The last entry that was sent with the mark or before it: Redis may have refused it, and taken the mark. */
  readonly last: EntryId
  /** The tap that wrote it. */
  readonly writer: string
  /** Digest of the document about the models' tables; null where there is none yet. */
  readonly tables: string | null
  /** All that committed before it is visible to queries. @default that is not known */
  readonly seen?: Lsn | undefined
}

/** Formats it as it is kept at the key: a mark of another epoch, or slot, says nothing of this one. */
export function formatMark({ lsn, last, writer, tables, seen }: MarkContent, key: string): string {
  const said = seen === undefined ? {} : { seen: String(seen) }
  return sealDocument({ lsn: String(lsn), last: formatEntryId(last), writer, tables, ...said }, key)
}

/** Parses it; null when it is none of rowcast's, or of another key. @throws BROKER_ENTRY_UNREADABLE when a newer rowcast wrote it */
export function parseMark(text: string, key: string): MarkContent | null {
  const content = openDocument(text, key)
  if (!hasMembers(content)) return null
  const { lsn, last, writer, tables = null, seen } = content
  const found = { lsn: readLsn(lsn), last: readEntryId(last) }
  const seenLsn = readLsn(seen)
  if (found.lsn === null || found.last === null || typeof writer !== 'string') return null
  if (tables !== null && typeof tables !== 'string') return null
  return { lsn: found.lsn, last: found.last, writer, tables, ...(seenLsn !== null && { seen: seenLsn }) }
}
