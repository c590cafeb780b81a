/**
 * Stage 6, bus. The latest transactions, still undecoded, for subscribers that come back with a cursor.
 * Bounded by bytes and by age; it knows exactly from which position on it is complete.
 */
import type { ChangePosition, TransactionPart } from '../changes/change.ts'
import { ChangeKeeper } from '../changes/change-keeper.ts'
import { comparePositions, INDEX_AFTER_ALL, nextPlace } from '../changes/cursor.ts'

/** Bounds of the log. */
export interface RetainedLogOptions {
  /** Undecoded bytes kept, a little added for each change; 0 keeps nothing. */
  readonly bytesMax: number
  /** Parts older than this go, in milliseconds. */
  readonly ageMaxMs: number
  /** Milliseconds of a clock that never jumps. */
  readonly monotonicMs: () => number
}

/** A part with where it ends, when it came and what it costs. */
interface Entry {
  readonly part: TransactionPart
  /** Position of its last change; null for the empty part that ends a transaction. */
  readonly last: ChangePosition | null
  readonly bytes: number
  readonly arrivedMs: number
}

/** What one change costs beside its bytes: a few numbers, and its share of what a block has left over. */
const CHANGE_OVERHEAD_BYTES = 40
/** What a part costs beside its changes: a dozen small objects. */
const PART_OVERHEAD_BYTES = 600

/** The log of one history without gaps. */
export class RetainedLog {
  readonly #options: RetainedLogOptions
  readonly #keeper = new ChangeKeeper()
  /** Entries from `#head` on; the array is cut when the dead part outweighs the living. */
  #entries: (Entry | undefined)[] = []
  #head = 0
  /** Sequence number of `#entries[#head]`; the next part gets `#first + length`. */
  #first = 0
  #bytes = 0
  /** Complete after this position. */
  #floor: ChangePosition
  #newest: ChangePosition

  constructor(floor: ChangePosition, options: RetainedLogOptions) {
    this.#floor = floor
    this.#newest = floor
    this.#options = options
  }

  /** Everything after this position is here, or still to come. */
  get floor(): ChangePosition {
    return this.#floor
  }

  /** Position of the last change appended; the floor before the first. */
  get newest(): ChangePosition {
    return this.#newest
  }

  /** Bytes kept, by the log's own reckoning. */
  get byteLength(): number {
    return this.#bytes
  }

  /** Sequence number that the next part will get. */
  get end(): number {
    return this.#first + this.#entries.length - this.#head
  }

  /** Appends the next part, in commit order, and lets old ones go. */
  append(part: TransactionPart): void {
    const bytes = part.byteLength + part.changes.length * CHANGE_OVERHEAD_BYTES + PART_OVERHEAD_BYTES
    const last = lastOf(part)
    const arrivedMs = this.#options.monotonicMs()
    this.#entries.push({ part: this.#keeper.keep(part), last, bytes, arrivedMs })
    this.#bytes += bytes
    this.#newest = last ?? this.#newest
    this.#trim(arrivedMs - this.#options.ageMaxMs)
  }

  /**
   * Makes the newest position a later one though nothing was appended, so that cursors from now on can be told
   * from those before. Nothing happens within a transaction: its next part does the same.
   */
  advance(): void {
    const last = this.#entries[this.#entries.length - 1]
    if (last === undefined || last.part.isFinal) this.#newest = nextPlace(this.#newest)
  }

  /** The part with this sequence number; null when it is gone or not there yet. */
  read(sequence: number): TransactionPart | null {
    if (sequence < this.#first) return null
    return this.#entries[this.#head + sequence - this.#first]?.part ?? null
  }

  /** Sequence number of the first part that has a change after `position`, or the end. */
  find(position: ChangePosition): number {
    let low = this.#head
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const entry = this.#entries[middle] as Entry
      if (comparePositions(endOf(entry), position) <= 0) low = middle + 1
      else high = middle
    }
    return this.#first + low - this.#head
  }

  /** Parts from the newest to the oldest. */
  *newestFirst(): Generator<TransactionPart> {
    for (let index = this.#entries.length - 1; index >= this.#head; index -= 1) {
      yield (this.#entries[index] as Entry).part
    }
  }

  #trim(oldestMs: number): void {
    for (;;) {
      const entry = this.#entries[this.#head]
      if (entry === undefined) break
      if (this.#bytes <= this.#options.bytesMax && entry.arrivedMs >= oldestMs) break
      this.#floor = entry.last ?? this.#floor
      this.#bytes -= entry.bytes
      this.#keeper.release(entry.part)
      this.#entries[this.#head] = undefined
      this.#head += 1
      this.#first += 1
    }
    if (this.#head > 256 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
  }
}

function lastOf(part: TransactionPart): ChangePosition | null {
  const last = part.changes.at(part.changes.length - 1)
  return last === undefined ? null : { commitLsn: part.transaction.commitLsn, index: last.index }
}

/** For the search: an empty part ends after everything of its transaction. */
function endOf({ part, last }: Entry): ChangePosition {
  return last ?? { commitLsn: part.transaction.commitLsn, index: INDEX_AFTER_ALL }
}
