/** Beside the bus, broker. Reads entries of one epoch over one connection. */
import { isRowcastError, RowcastError } from '../errors.ts'
import { LSN_ZERO } from '../wire/lsn.ts'
import { decodeEntry, describeEntryAddress, type Entry } from './entry-codec.ts'
import { compareEntryIds, type EntryId } from './entry-id.ts'
import { type EntryLog, FLOOR_FIELD, type RawEntry } from './entry-log.ts'
import { parseBefore } from './last-positions.ts'
import { type MarkContent, parseMark } from './mark.ts'
import { ReadCount } from './read-count.ts'
import type { RelationCache } from './relation-cache.ts'
import type { EpochKeys } from './stream-keys.ts'

/** A mark as it was read. */
export interface Mark extends MarkContent {
  /** When it was written, by the engine's clock: milliseconds since 1970. */
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
  /** The last entry that can be read, or the floor; null when the broker does not have the stream. */
  readonly last: EntryId | null
  /** The last of all that stands in the stream. */
  readonly end: EntryId | null
}

/** Stands before every mark. */
const FIRST: EntryId = { lsn: LSN_ZERO, sequence: 0 }

/** Reads one epoch. */
export class StreamReader {
  readonly #log: EntryLog
  readonly #keys: EpochKeys
  readonly #relations: RelationCache
  readonly #floor: EntryId
  readonly #page = new ReadCount()
  #markId = FIRST

  /** @param floor the epoch's */
  constructor(log: EntryLog, keys: EpochKeys, relations: RelationCache, floor: EntryId) {
    this.#log = log
    this.#keys = keys
    this.#relations = relations
    this.#floor = floor
  }

  /** What follows `position`, waiting for it as long as `blockMs`; 0 does not wait. */
  async read(position: EntryId, blockMs: number): Promise<StreamNews> {
    const { changes, marks } = this.#keys
    const { entries, mark } = await this.#log.follow(
      { changes, marks, after: position, afterMark: this.#markId },
      this.#page.count,
      blockMs,
    )
    this.#page.note(entries)
    if (mark !== null) this.#markId = mark.id
    return { ...(await this.#decode(entries)), mark: toMark(mark, marks) }
  }

  /** The next entries after `position`; null from the oldest. */
  async readAfter(position: EntryId | null, count: number): Promise<ReadEntries> {
    const range = { after: position ?? undefined, count }
    return this.#decode(await this.#log.readEntries(this.#keys.changes, range))
  }

  /** The newest entries, oldest first, as many as fit the bytes: none before one that cannot be read. */
  async readNewest(bytesMax: number): Promise<NewestEntries> {
    const newest: RawEntry[] = []
    let end: EntryId | null = null
    let bytes = 0
    let before: EntryId | null = null
    for (;;) {
      const { count } = this.#page
      const page: readonly RawEntry[] = await this.#log.readBackwards(this.#keys.changes, before, count)
      this.#page.note(page)
      end ??= page[0]?.id ?? null
      for (const entry of page) {
        bytes += entry.value.length
        if (bytes > bytesMax) break
        newest.push(entry)
      }
      const oldest = page.at(-1)
      if (oldest === undefined || page.length < count || bytes > bytesMax) break
      before = oldest.id
    }
    const { entries, last } = await this.#decodeEnd(newest.reverse())
    return { entries, last: last ?? end, end }
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
        const address = { stream: this.#keys.changes, id }
        const lasts = beside === null ? undefined : parseBefore(beside, describeEntryAddress(address))
        entries.push({ ...decodeEntry(address, value), lasts })
      } catch (error) {
        if (!isRowcastError(error)) throw error
        damage = { id, error }
        break
      }
    }
    const missing = await this.#relations.load(this.#log, this.#keys.relations, entries)
    const at = entries.findIndex(({ relations }) => relations.some((digest) => missing.has(digest)))
    const lacking = entries[at]
    if (lacking === undefined) return { entries, damage }
    // All of it is gone: nothing was damaged, and it is filled again.
    if (!(await this.#log.has(this.#keys.changes))) {
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
  return raw.findIndex((each) => compareEntryIds(each.id, id) === 0)
}

function toMark(raw: RawEntry | null, key: string): Mark | null {
  const content = raw === null ? null : parseMark(raw.value.toString(), key)
  return raw === null || content === null ? null : { ...content, writtenAtMs: Number(raw.id.lsn) }
}
