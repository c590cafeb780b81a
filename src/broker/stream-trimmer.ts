/**
 * Beside the bus, broker. Keeps the stream within its bounds: by position, as old as may be, and by bytes as Redis counts
 * them. Approximately, which is cheap: Redis drops whole nodes. Source: Redis documentation, "XTRIM", "MEMORY USAGE".
 */
import type { Retention } from '../source/slot/retention-window.ts'
import { type EntryId, formatEntryId } from './entry-id.ts'
import type { RedisConnection } from './redis/redis-connection.ts'
import type { EpochKeys } from './stream-keys.ts'

/** The window's age is measured to one part in this many. */
const SAMPLES_PER_WINDOW = 32

/** Where the stream's end was at a time. */
interface Sample {
  readonly id: EntryId
  readonly atMs: number
}

/** Trims one epoch's stream. */
export class StreamTrimmer {
  readonly #key: string
  readonly #bytesMax: number
  readonly #windowMs: number
  readonly #monotonicMs: () => number
  #samples: Sample[] = []

  constructor({ changes }: EpochKeys, { bytes, minutes }: Retention, monotonicMs: () => number) {
    this.#key = changes
    this.#bytesMax = bytes
    this.#windowMs = minutes * 60_000
    this.#monotonicMs = monotonicMs
  }

  /** What trims now; `last` is the stream's last entry. For the writer, whose batches arrive only while the stream is its own. */
  async plan(connection: RedisConnection, last: EntryId): Promise<readonly (readonly string[])[]> {
    const old = this.#findOld(last)
    const byAge = old === null ? [] : [['XTRIM', this.#key, 'MINID', '~', formatEntryId(old)]]
    const usage = Number(await connection.send(['MEMORY', 'USAGE', this.#key]))
    if (usage <= this.#bytesMax) return byAge
    const length = Number(await connection.send(['XLEN', this.#key]))
    const kept = Math.floor((length * this.#bytesMax) / usage)
    return [...byAge, ['XTRIM', this.#key, 'MAXLEN', '~', String(kept)]]
  }

  /** The newest entry that is older than the window; null: none is. */
  #findOld(last: EntryId): EntryId | null {
    const nowMs = this.#monotonicMs()
    const newest = this.#samples.at(-1)
    if (newest === undefined || nowMs - newest.atMs >= this.#windowMs / SAMPLES_PER_WINDOW) {
      this.#samples.push({ id: last, atMs: nowMs })
    }
    let old: EntryId | null = null
    while (this.#samples[0] !== undefined && nowMs - this.#samples[0].atMs >= this.#windowMs) {
      old = this.#samples[0].id
      this.#samples.shift()
    }
    return old
  }
}
