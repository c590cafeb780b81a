/**
 * Beside the bus, broker. Redis' answers, parsed: what is not as its documentation says is no answer.
 * Source: Redis documentation, "XREAD", "XRANGE", "XINFO STREAM", "TIME".
 */
import { Buffer } from 'node:buffer'
import { RowcastError } from '../../errors.ts'
import { type EntryId, parseEntryId } from '../entry-id.ts'
import { LASTS_FIELD, type RawEntry } from '../entry-log.ts'
import type { RedisReply } from './redis-connection.ts'

/** Several answers in one. */
export function isList(reply: RedisReply | undefined): reply is readonly RedisReply[] {
  return Array.isArray(reply)
}

function listOf(reply: RedisReply | undefined): readonly RedisReply[] {
  if (!isList(reply)) throw noAnswer()
  return reply
}

/** Answer of XRANGE and XREVRANGE. @throws BROKER_ENTRY_UNREADABLE */
export function toRawEntries(reply: RedisReply): readonly RawEntry[] {
  return listOf(reply).map((each) => {
    const [id, fields] = isList(each) ? each : []
    const [field, value, second, beside] = isList(fields) ? fields : []
    if (!Buffer.isBuffer(id) || !Buffer.isBuffer(field) || !Buffer.isBuffer(value)) {
      throw new RowcastError('BROKER_ENTRY_UNREADABLE', 'The stream holds what rowcast did not write.')
    }
    const lasts = String(second) === LASTS_FIELD && Buffer.isBuffer(beside) ? beside.toString() : null
    return { id: parseEntryId(id.toString()), field: field.toString(), value, beside: lasts }
  })
}

/** Answer of XREAD: entries by key; nothing when the time was up. @throws BROKER_ENTRY_UNREADABLE */
export function toEntriesByKey(reply: RedisReply): ReadonlyMap<string, readonly RawEntry[]> {
  const found = new Map<string, readonly RawEntry[]>()
  for (const each of reply === null ? [] : listOf(reply)) {
    const [key, entries] = listOf(each)
    if (!Buffer.isBuffer(key) || entries === undefined) throw noAnswer()
    found.set(key.toString(), toRawEntries(entries))
  }
  return found
}

/** Answer of XINFO STREAM: the id that the next entry has to exceed. */
export function toLastGeneratedId(reply: RedisReply): EntryId {
  const fields = listOf(reply)
  const at = fields.findIndex((field) => String(field) === 'last-generated-id')
  const id = at < 0 ? undefined : fields[at + 1]
  if (!Buffer.isBuffer(id) && typeof id !== 'string') throw noAnswer()
  return parseEntryId(String(id))
}

/** Answer of TIME: milliseconds since 1970. */
export function toClockMs(reply: RedisReply): number {
  const [seconds, micros] = listOf(reply).map(toDigits)
  if (seconds === undefined || micros === undefined) throw noAnswer()
  return seconds * 1_000 + micros / 1_000
}

/** An integer; null where there is nothing, 0. */
export function toCount(reply: RedisReply): number {
  return reply === null ? 0 : toDigits(reply)
}

/** A text; null where there is none. */
export function toText(reply: RedisReply): string | null {
  if (reply === null || typeof reply === 'string') return reply
  if (!Buffer.isBuffer(reply)) throw noAnswer()
  return reply.toString()
}

/** Answer of HMGET. */
export function toFields(reply: RedisReply): readonly (Buffer | null)[] {
  return listOf(reply).map(toBytes)
}

/** Answer of HGETALL. */
export function toFieldsByName(reply: RedisReply): ReadonlyMap<string, Buffer> {
  const texts = listOf(reply)
  const found = new Map<string, Buffer>()
  for (let at = 0; at < texts.length; at += 2) {
    const [name, value] = [toBytes(texts[at]), toBytes(texts[at + 1])]
    if (name === null || value === null) throw noAnswer()
    found.set(name.toString(), value)
  }
  return found
}

function toBytes(reply: RedisReply | undefined): Buffer | null {
  if (reply === null || Buffer.isBuffer(reply)) return reply
  if (typeof reply === 'string') return Buffer.from(reply)
  throw noAnswer()
}

function toDigits(reply: RedisReply): number {
  const text = String(reply)
  if (!/^\d{1,20}$/.test(text)) throw noAnswer()
  return Number(text)
}

/** Whatever has answered there is no Redis, or is not asked as we think: the connection is no good. */
export function noAnswer(): RowcastError {
  return new RowcastError('BROKER_LOST', 'Redis has given an answer that its protocol does not know.')
}
