/**
 * Beside the bus, broker. Keeps the stream within its bounds: by position, as old as may be, and by bytes as the engine
 * counts them.
 */
import type { Retention } from '../source/slot/retention-window.ts'
import type { EntryId } from './entry-id.ts'
import type { EntryLog, LogWrite } from './entry-log.ts'
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
  readonly #stream: string
  readonly #bytesMax: number
  readonly #windowMs: number
  readonly #monotonicMs: () => number
  #samples: Sample[] = []

  constructor({ changes }: EpochKeys, { bytes, minutes }: Retention, monotonicMs: () => number) {
    this.#stream = changes
    this.#bytesMax = bytes
    this.#windowMs = minutes * 60_000
    this.#monotonicMs = monotonicMs
  }

  /** What trims now; `last` is the stream's last entry. For the writer, whose batches arrive only while the stream is its own. */
  async plan(log: EntryLog, last: EntryId): Promise<readonly LogWrite[]> {
    const stream = this.#stream
    const old = this.#findOld(last)
    const byAge: readonly LogWrite[] = old === null ? [] : [{ kind: 'trim', stream, before: old }]
    const usage = await log.measureEntries(stream)
    if (usage <= this.#bytesMax) return byAge
    const length = await log.countEntries(stream)
    // The newest stays, however large: an empty stream says nothing of what it had.
    const count = Math.max(1, Math.floor((length * this.#bytesMax) / usage))
    return [...byAge, { kind: 'shorten', stream, count }]
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
