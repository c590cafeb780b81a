/** Beside the bus, broker. What a gateway has heard of a tap: how far the stream is whole, and when somebody was there. */
import { LSN_ZERO, type Lsn } from '../wire/lsn.ts'
import { compareEntryIds, type EntryId } from './entry-id.ts'
import type { Mark } from './stream-reader.ts'

/** A first mark older than this, by Redis' clock, says nothing of a tap that lives. */
const FRESH_MARK_MS = 10_000

/** Keeps it, from epoch to epoch. */
export class TapSignal {
  readonly #nowMs: () => number
  /** The latest of the present epoch; null before the first. */
  #mark: Mark | null = null
  #safeLsn: Lsn = LSN_ZERO
  #heardAtMs: number | null = null

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Everything before it is in the stream, as far as a tap has reported. */
  get safeLsn(): Lsn {
    return this.#safeLsn
  }

  /** Milliseconds since a tap was heard; null before the first time. */
  get silentMs(): number | null {
    return this.#heardAtMs === null ? null : this.#nowMs() - this.#heardAtMs
  }

  /** The next epoch: the first mark of it may be old. */
  reset(): void {
    this.#mark = null
  }

  /** A new mark was read; `readClockMs` asks Redis what time it is. */
  async hear(mark: Mark, readClockMs: () => Promise<number>): Promise<void> {
    const isFresh = this.#mark !== null || (await readClockMs()) - mark.writtenAtMs < FRESH_MARK_MS
    if (isFresh) this.#heardAtMs = this.#nowMs()
    this.#mark = mark
    this.#safeLsn = mark.lsn
  }

  /** Up to where a reader that has read all up to `position` has missed nothing; null where no mark counts on that. */
  passedAt(position: EntryId): Lsn | null {
    const mark = this.#mark
    return mark !== null && compareEntryIds(mark.last, position) <= 0 ? mark.lsn : null
  }
}
