/** Beside the bus, broker. Redis' answers about streams → entries. Source: Redis documentation, "XREAD", "XRANGE". */
import { Buffer } from 'node:buffer'
import { RowcastError } from '../../errors.ts'
import { type EntryId, parseEntryId } from '../entry-id.ts'
import type { RedisReply } from './redis-connection.ts'

/** Field of an entry of ours, and of the position that a stream begins at. */
export const ENTRY_FIELD = 'b'
export const FLOOR_FIELD = 'floor'
/** Beside an entry: where its models changed last before it. */
export const LASTS_FIELD = 'l'

/** An entry with the value of its first field, and of the second where there is one. */
export interface RawEntry {
  readonly id: EntryId
  readonly field: string
  readonly value: Buffer
  readonly beside: string | null
}

/** Answer of XRANGE and XREVRANGE. @throws BROKER_ENTRY_UNREADABLE */
export function toRawEntries(reply: RedisReply): readonly RawEntry[] {
  if (!Array.isArray(reply)) return []
  return (reply as readonly RedisReply[]).map((each) => {
    const [id, fields] = Array.isArray(each) ? (each as readonly RedisReply[]) : []
    const [field, value, second, beside] = Array.isArray(fields) ? (fields as readonly RedisReply[]) : []
    if (!Buffer.isBuffer(id) || !Buffer.isBuffer(field) || !Buffer.isBuffer(value)) {
      throw new RowcastError('BROKER_ENTRY_UNREADABLE', 'The stream holds what rowcast did not write.')
    }
    const lasts = String(second) === LASTS_FIELD && Buffer.isBuffer(beside) ? beside.toString() : null
    return { id: parseEntryId(id.toString()), field: field.toString(), value, beside: lasts }
  })
}

/** Answer of XREAD: entries by key; nothing when the time was up. */
export function toEntriesByKey(reply: RedisReply): ReadonlyMap<string, readonly RawEntry[]> {
  const found = new Map<string, readonly RawEntry[]>()
  if (!Array.isArray(reply)) return found
  for (const each of reply as readonly RedisReply[]) {
    const [key, entries] = Array.isArray(each) ? (each as readonly RedisReply[]) : []
    if (Buffer.isBuffer(key)) found.set(key.toString(), toRawEntries(entries ?? null))
  }
  return found
}

/** Answer of XINFO STREAM: the id that the next entry has to exceed. */
export function toLastGeneratedId(reply: RedisReply): string | null {
  if (!Array.isArray(reply)) return null
  const fields = (reply as readonly RedisReply[]).map(String)
  return fields[fields.indexOf('last-generated-id') + 1] ?? null
}
