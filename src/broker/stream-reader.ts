/** Beside the bus, broker. Reads entries of one epoch over one connection. */
import { isRowcastError, RowcastError } from '../errors.ts'
import { decodeEntry, describePlace, type Entry } from './entry-codec.ts'
import { compareEntryIds, type EntryId, formatEntryId } from './entry-id.ts'
import { parseBefore } from './last-positions.ts'
import { type MarkContent, parseMark } from './mark.ts'
import type { RedisConnection } from './redis/redis-connection.ts'
import { FLOOR_FIELD, type RawEntry, toEntriesByKey, toRawEntries } from './redis/stream-reply.ts'
import type { RelationCache } from './relation-cache.ts'
import type { EpochKeys } from './stream-keys.ts'

/** A mark as it was read. */
export interface Mark extends MarkContent {
  /** When it was written, by Redis' clock: milliseconds since 1970. */
  readonly writtenAtMs: number
}

/** Something in the stream that is no entry of ours, or one that was damaged. */
export interface Damage {
  readonly id: EntryId
  readonly error: RowcastError
}

/** Entries, up to the first that cannot be read. */
export interface ReadEntries {
  readonly entries: readonly Entry[]
  readonly damage: Damage | null
}

/** What one look brought. */
export interface StreamNews extends ReadEntries {
  /** The latest mark, when there is a new one. */
  readonly mark: Mark | null
}

/** The newest part of the stream that can be read. */
export interface NewestEntries {
  readonly entries: readonly Entry[]
  /** The last entry that can be read, or the floor; null when Redis does not have the stream. */
  readonly last: EntryId | null
  /** The last of all that stands in the stream. */
  readonly end: EntryId | null
}

/** Entries that one read brings at most; each may hold hundreds of changes. */
const READ_COUNT = 64

/** Reads one epoch. */
export class StreamReader {
  readonly #connection: RedisConnection
  readonly #keys: EpochKeys
  readonly #relations: RelationCache
  readonly #floor: EntryId
  #markId = '0'

  /** @param floor the epoch's */
  constructor(connection: RedisConnection, keys: EpochKeys, relations: RelationCache, floor: EntryId) {
    this.#connection = connection
    this.#keys = keys
    this.#relations = relations
    this.#floor = floor
  }

  /** What follows `position`, waiting for it as long as `blockMs`; 0 does not wait. */
  async read(position: EntryId, blockMs: number): Promise<StreamNews> {
    const { changes, marks } = this.#keys
    const wait = blockMs === 0 ? [] : ['BLOCK', String(blockMs)]
    const where = ['STREAMS', changes, marks, formatEntryId(position), this.#markId]
    const found = toEntriesByKey(
      await this.#connection.send(['XREAD', 'COUNT', String(READ_COUNT), ...wait, ...where]),
    )
    const mark = found.get(marks)?.at(-1)
    if (mark !== undefined) this.#markId = formatEntryId(mark.id)
    return { ...(await this.#decode(found.get(changes) ?? [])), mark: toMark(mark, marks) }
  }

  /** The next entries after `position`; null from the oldest. */
  async readAfter(position: EntryId | null, count: number): Promise<ReadEntries> {
    const from = position === null ? '-' : `(${formatEntryId(position)}`
    const range = [this.#keys.changes, from, '+', 'COUNT', String(count)]
    return this.#decode(toRawEntries(await this.#connection.send(['XRANGE', ...range])))
  }

  /** The newest entries, oldest first, as many as fit the bytes: none before one that cannot be read. */
  async readNewest(bytesMax: number): Promise<NewestEntries> {
    const newest: RawEntry[] = []
    let end: EntryId | null = null
    let bytes = 0
    let to = '+'
    for (;;) {
      const range = [this.#keys.changes, to, '-', 'COUNT', String(READ_COUNT)]
      const page = toRawEntries(await this.#connection.send(['XREVRANGE', ...range]))
      end ??= page[0]?.id ?? null
      for (const entry of page) {
        bytes += entry.value.length
        if (bytes > bytesMax) break
        newest.push(entry)
      }
      const oldest = page.at(-1)
      if (oldest === undefined || page.length < READ_COUNT || bytes > bytesMax) break
      to = `(${formatEntryId(oldest.id)}`
    }
    const { entries, last } = await this.#decodeEnd(newest.reverse())
    return { entries, last: last ?? end, end }
  }

  /** Milliseconds since 1970 by Redis' clock, the one that marks are written by. */
  async readClockMs(): Promise<number> {
    const reply = await this.#connection.send(['TIME'])
    const [seconds, micros] = Array.isArray(reply) ? (reply as readonly unknown[]).map(Number) : []
    return (seconds ?? 0) * 1_000 + (micros ?? 0) / 1_000
  }

  /** What can be read at the end of the entries given. */
  async #decodeEnd(raw: readonly RawEntry[]): Promise<{ entries: readonly Entry[]; last: EntryId | null }> {
    let rest = raw
    let last: EntryId | null = null
    for (;;) {
      const { entries, damage } = await this.#decode(rest)
      const before = damage === null ? rest : rest.slice(0, indexOf(rest, damage.id))
      last = before.at(-1)?.id ?? last
      if (damage === null) return { entries, last }
      rest = rest.slice(indexOf(rest, damage.id) + 1)
    }
  }

  async #decode(raw: readonly RawEntry[]): Promise<ReadEntries> {
    const entries: Entry[] = []
    let damage: Damage | null = null
    for (const { id, field, value, beside } of raw) {
      if (field === FLOOR_FIELD && compareEntryIds(id, this.#floor) === 0) continue
      try {
        const place = { stream: this.#keys.changes, id }
        const lasts = beside === null ? undefined : parseBefore(beside, describePlace(place))
        entries.push({ ...decodeEntry(place, value), lasts })
      } catch (error) {
        if (!isRowcastError(error)) throw error
        damage = { id, error }
        break
      }
    }
    const missing = await this.#relations.load(this.#connection, this.#keys.relations, entries)
    const at = entries.findIndex(({ relations }) => relations.some((digest) => missing.has(digest)))
    const lacking = entries[at]
    if (lacking === undefined) return { entries, damage }
    // All of it is gone: nothing was damaged, and it is filled again.
    if (Number(await this.#connection.send(['EXISTS', this.#keys.changes])) === 0) {
      throw new RowcastError('BROKER_STREAM_LOST', 'The stream is no longer in Redis.')
    }
    const error = new RowcastError(
      'BROKER_ENTRY_UNREADABLE',
      'What a relation looks like is not in Redis any more.',
    )
    return { entries: entries.slice(0, at), damage: { id: lacking.id, error } }
  }
}

function indexOf(raw: readonly RawEntry[], id: EntryId): number {
  return raw.findIndex((each) => formatEntryId(each.id) === formatEntryId(id))
}

function toMark(raw: RawEntry | undefined, key: string): Mark | null {
  const content = raw === undefined ? null : parseMark(raw.value.toString(), key)
  return raw === undefined || content === null ? null : { ...content, writtenAtMs: Number(raw.id.lsn) }
}
