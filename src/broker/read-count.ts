/** Beside the bus, broker. How many entries the next read may bring, by what the last one brought. Pure but for its state. */
import type { RawEntry } from './entry-log.ts'

/** Entries that one read brings at most; each may hold hundreds of changes. */
const COUNT_MAX = 64
const COUNT_FIRST = 8
/** What one read is to bring at most: an entry is 256 KiB at most, or one row that is longer. */
const PAGE_BYTES = 4 * 1024 * 1024

/**
 * An engine counts entries, and not their bytes: as many are asked for as fit when each is as long as the longest of the last read, and
 * at most twice as many as last time.
 */
export class ReadCount {
  #count = COUNT_FIRST

  /** Entries to ask for. */
  get count(): number {
    return this.#count
  }

  /** A read has brought these. */
  note(entries: readonly RawEntry[]): void {
    let longest = 1
    for (const { value } of entries) longest = Math.max(longest, value.length)
    const fitting = Math.max(1, Math.floor(PAGE_BYTES / longest))
    this.#count = Math.min(COUNT_MAX, this.#count * 2, fitting)
  }
}
