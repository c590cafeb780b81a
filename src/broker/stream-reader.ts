/** Beside the bus, broker. Reads entries of one epoch over one connection. */

import { decodeEntry, type Entry } from './entry-codec.ts'
import type { EntryId } from './entry-id.ts'
import { formatEntryId } from './entry-id.ts'
import type { RedisConnection } from './redis-connection.ts'
import type { RelationCache } from './relation-cache.ts'
import type { EpochKeys } from './stream-keys.ts'
import { type RawEntry, toEntriesByKey, toRawEntries } from './stream-reply.ts'

/** What a reader was told by a tap. */
export interface Mark {
  readonly id: EntryId
  /** The tap's word that everything before `id.lsn` is in the stream. */
  readonly text: string
}

/** What one look brought. */
export interface StreamNews {
  readonly entries: readonly Entry[]
  /** The latest mark, when there is a new one. */
  readonly mark: Mark | null
}

/** Entries that one read brings at most; each may hold hundreds of changes. */
const READ_COUNT = 64

/** Reads one epoch. */
export class StreamReader {
  readonly #connection: RedisConnection
  readonly #keys: EpochKeys
  readonly #relations: RelationCache
  #markId = '0'

  constructor(connection: RedisConnection, keys: EpochKeys, relations: RelationCache) {
    this.#connection = connection
    this.#keys = keys
    this.#relations = relations
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
    return {
      entries: await this.#decode(found.get(changes) ?? []),
      mark: mark === undefined ? null : { id: mark.id, text: mark.value.toString() },
    }
  }

  /** The next entries after `position`; null from the oldest. */
  async readAfter(position: EntryId | null, count: number): Promise<readonly Entry[]> {
    const from = position === null ? '-' : `(${formatEntryId(position)}`
    const reply = await this.#connection.send([
      'XRANGE',
      this.#keys.changes,
      from,
      '+',
      'COUNT',
      String(count),
    ])
    return this.#decode(toRawEntries(reply))
  }

  /** The newest entries, oldest first, as many as fit the bytes; and the stream's last id. */
  async readNewest(
    bytesMax: number,
  ): Promise<{ readonly entries: readonly Entry[]; readonly last: EntryId | null }> {
    const newest: RawEntry[] = []
    let bytes = 0
    let to = '+'
    for (;;) {
      const reply = await this.#connection.send([
        'XREVRANGE',
        this.#keys.changes,
        to,
        '-',
        'COUNT',
        String(READ_COUNT),
      ])
      const page = toRawEntries(reply)
      for (const entry of page) {
        bytes += entry.value.length
        if (bytes > bytesMax) break
        newest.push(entry)
      }
      const oldest = page.at(-1)
      if (oldest === undefined || page.length < READ_COUNT || bytes > bytesMax) break
      to = `(${formatEntryId(oldest.id)}`
    }
    const last = newest[0]?.id ?? (await this.#readLastId())
    return { entries: await this.#decode(newest.reverse()), last }
  }

  async #readLastId(): Promise<EntryId | null> {
    const reply = await this.#connection.send(['XREVRANGE', this.#keys.changes, '+', '-', 'COUNT', '1'])
    return toRawEntries(reply)[0]?.id ?? null
  }

  async #decode(raw: readonly RawEntry[]): Promise<readonly Entry[]> {
    const entries = raw.filter(({ field }) => field === 'b').map(({ id, value }) => decodeEntry(id, value))
    await this.#relations.load(this.#connection, this.#keys.relations, entries)
    return entries
  }
}
