/**
 * Stage 6, bus. The latest transactions, still undecoded, for subscribers that come back with a cursor or have fallen
 * behind. Bounded by bytes and by age; it knows from which position on it is complete, for each model by itself.
 */
import type { ChangePosition, TransactionPart } from '../changes/change.ts'
import { ChangeKeeper } from '../changes/change-keeper.ts'
import { indexAt, modelAt } from '../changes/change-views.ts'
import { comparePositions, INDEX_AFTER_ALL, nextPosition } from '../changes/cursor.ts'
import type { IsVisible } from '../source/db/visibility.ts'
import { type Lsn, toLsn } from '../wire/lsn.ts'
import { ModelFloors, type ModelSpan } from './model-floors.ts'
import { TransactionIds } from './transaction-ids.ts'

/** Bounds of the log. */
export interface RetainedLogOptions {
  /** Undecoded bytes kept, a little added for each change; 0 keeps nothing. */
  readonly bytesMax: number
  /** Bytes kept while somebody is still reading the oldest of them. @default bytesMax */
  readonly bytesReadMax?: number | undefined
  /** Parts older than this go, in milliseconds. */
  readonly ageMaxMs: number
  /** Milliseconds of a clock that never jumps. */
  readonly monotonicMs: () => number
}

/** A part with what is asked of it often, where it ends, when it came and what it costs. */
export interface LogEntry {
  readonly part: TransactionPart
  /** Position of its last change; null for the empty part that ends a transaction. */
  readonly last: ChangePosition | null
  readonly spans: readonly ModelSpan[]
  readonly bytes: number
  readonly arrivedMs: number
}

/** What one change costs beside its bytes: a few numbers, and its share of what a block has left over. */
const CHANGE_OVERHEAD_BYTES = 40
/** What a part costs beside its changes: a dozen small objects. */
const PART_OVERHEAD_BYTES = 600
/** How often those who read are asked how far they are: each time this share of the log has been appended. */
const ASKED_SHARE = 1 / 64
/** And after this time: who read may have left, and little may follow. */
const ASKED_MS = 1_000
/** Of so many parts that are trimmed, the transaction ids stay: 1 MiB. */
const TRIMMED_IDS_MAX = 262_144

/** The log of one history without gaps. */
export class RetainedLog {
  readonly #options: RetainedLogOptions
  readonly #keeper = new ChangeKeeper()
  readonly #models = new ModelFloors()
  readonly #ids = new TransactionIds()
  /** Entries from `#head` on; the array is cut when the dead part outweighs the living. */
  #entries: (LogEntry | undefined)[] = []
  #head = 0
  /** Sequence number of `#entries[#head]`; the next part gets `#first + length`. */
  #first = 0
  #bytes = 0
  /** Where this log begins: nothing before it was ever here. */
  readonly origin: ChangePosition
  /** What is known from elsewhere: nothing of the model came between this position and the origin. */
  readonly #recalled = new Map<string, ChangePosition>()
  /** Complete after this position. */
  #floor: ChangePosition
  #newest: ChangePosition
  /** Position of the last change appended; the origin before the first. */
  #lastChange: ChangePosition
  #openLsn: Lsn | null = null
  /** How far the slowest of those who read is, as far as is known. */
  readonly #oldestRead: () => number
  #readFrom = 0
  #unaskedBytes = Number.POSITIVE_INFINITY
  #askedMs = Number.NEGATIVE_INFINITY

  /** `oldestRead` gives the sequence number of the oldest part that somebody is still to read. */
  constructor(
    floor: ChangePosition,
    options: RetainedLogOptions,
    oldestRead = () => Number.POSITIVE_INFINITY,
  ) {
    this.origin = floor
    this.#floor = floor
    this.#newest = floor
    this.#lastChange = floor
    this.#options = options
    this.#oldestRead = oldestRead
  }

  /** Everything after this position is here, or still to come. */
  get floor(): ChangePosition {
    return this.#floor
  }

  /** Everything of the model after this position is here, or still to come. */
  floorOf(model: string): ChangePosition {
    return this.#models.floorOf(model) ?? this.#beginningOf(model)
  }

  /** Nothing of the model came after this position. */
  lastOf(model: string): ChangePosition {
    return this.#models.lastOf(model) ?? this.#beginningOf(model)
  }

  /** By model: nothing of it came between the position and the origin. */
  recall(lasts: ReadonlyMap<string, ChangePosition>): void {
    for (const [model, last] of lasts) {
      if (comparePositions(last, this.#beginningOf(model)) < 0) this.#recalled.set(model, last)
    }
  }

  #beginningOf(model: string): ChangePosition {
    return this.#recalled.get(model) ?? this.origin
  }

  /** Position of the last change appended, or of what is known to have followed it; the floor before the first. */
  get newest(): ChangePosition {
    return this.#newest
  }

  /**
   * Whether everything up to the position has come. Between transactions that is all of the newest one, whatever its
   * last index: who has read a transaction to its end is not ahead of the log.
   */
  hasReached(position: ChangePosition): boolean {
    if (comparePositions(position, this.#newest) <= 0) return true
    return this.#openLsn === null && position.commitLsn === this.#newest.commitLsn
  }

  /** Bytes kept, by the log's own reckoning. */
  get byteLength(): number {
    return this.#bytes
  }

  /** Commit LSN of the transaction whose last part has not come yet; null between transactions. */
  get openLsn(): Lsn | null {
    return this.#openLsn
  }

  /** Sequence number of the oldest part. */
  get first(): number {
    return this.#first
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
    const spans = spansOf(part)
    this.#models.add(this.end, part.transaction.commitLsn, spans)
    this.#entries.push({ part: this.#keeper.keep(part), last, spans, bytes, arrivedMs })
    this.#ids.push(part.transaction.xid)
    this.#bytes += bytes
    this.#unaskedBytes += bytes
    this.#lastChange = last ?? this.#lastChange
    this.#newest = last ?? this.#newest
    this.#openLsn = part.isFinal ? null : part.transaction.commitLsn
    this.#trim(arrivedMs)
  }

  /**
   * Makes the newest position a later one though nothing was appended, so that cursors from now on can be distinguished
   * from those before. Nothing happens within a transaction: its next part does the same.
   */
  advance(): void {
    if (this.#openLsn === null) this.#newest = nextPosition(this.#newest)
  }

  /** All that stands up to the position has come, though nothing of it may have been for us. */
  advanceTo(position: ChangePosition): void {
    if (this.#openLsn === null && comparePositions(position, this.#newest) > 0) this.#newest = position
  }

  /** What was thought to have passed after the position has not: the server is another one, which was not as far. */
  retreatTo(position: ChangePosition): void {
    if (comparePositions(position, this.#newest) >= 0) return
    this.#newest = comparePositions(position, this.#lastChange) > 0 ? position : this.#lastChange
  }

  /** The part with this sequence number; null when it is gone or not there yet. */
  read(sequence: number): LogEntry | null {
    if (sequence < this.#first) return null
    return this.#entries[this.#head + sequence - this.#first] ?? null
  }

  /** Sequence number of the first part that has a change after `position`, or the end. */
  find(position: ChangePosition): number {
    let low = this.#head
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const entry = this.#entries[middle] as LogEntry
      if (comparePositions(endOf(entry), position) <= 0) low = middle + 1
      else high = middle
    }
    return this.#first + low - this.#head
  }

  /** Sequence number of the first part from `sequence` on that has changes of the model, or the end. */
  seek(model: string, sequence: number): number {
    return this.#models.seek(model, Math.max(sequence, this.#first)) ?? this.end
  }

  /** Sequence number of the first part from `sequence` on whose transaction is not visible, or the end. It may have been trimmed. */
  seekUnseen(sequence: number, isVisible: IsVisible): number {
    return this.#ids.firstUnseen(sequence, isVisible)
  }

  /** Where ids of parts from `sequence` on are not known any more: of what committed before this position; else null. */
  forgottenBefore(sequence: number): Lsn | null {
    return sequence < this.#ids.first ? toLsn(this.#floor.commitLsn + 1n) : null
  }

  /** Where what came before the part ends; where the log began for one that has been trimmed: only whose model lost nothing goes on there. */
  endBefore(sequence: number): ChangePosition {
    if (sequence < this.#first) return this.origin
    for (let before = sequence - 1; before >= this.#first; before -= 1) {
      const last = this.read(before)?.last
      if (last != null) return last
    }
    return this.#floor
  }

  /** Somebody is going to read from this part on. */
  noteReader(sequence: number): void {
    this.#readFrom = Math.min(this.#readFrom, sequence)
  }

  #trim(nowMs: number): void {
    const { bytesMax, bytesReadMax = bytesMax } = this.#options
    const oldestMs = nowMs - this.#options.ageMaxMs
    for (;;) {
      const entry = this.#entries[this.#head]
      if (entry === undefined) break
      if (this.#bytes <= bytesMax && entry.arrivedMs >= oldestMs) break
      if (this.#bytes <= bytesReadMax && this.#isToBeRead(this.#first, nowMs)) break
      this.#floor = entry.last ?? this.#floor
      this.#bytes -= entry.bytes
      this.#models.trim(entry.part.transaction.commitLsn, entry.spans)
      this.#keeper.release(entry.part)
      this.#entries[this.#head] = undefined
      this.#head += 1
      this.#first += 1
    }
    this.#ids.trimTo(this.#first - TRIMMED_IDS_MAX)
    if (this.#head > 256 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
  }

  #isToBeRead(sequence: number, nowMs: number): boolean {
    if (sequence < this.#readFrom) return false
    const isDue = nowMs - this.#askedMs >= ASKED_MS
    if (isDue || this.#unaskedBytes > this.#options.bytesMax * ASKED_SHARE) {
      this.#unaskedBytes = 0
      this.#askedMs = nowMs
      this.#readFrom = this.#oldestRead()
    }
    return sequence >= this.#readFrom
  }
}

function lastOf({ transaction, changes }: TransactionPart): ChangePosition | null {
  if (changes.length === 0) return null
  return { commitLsn: transaction.commitLsn, index: indexAt(changes, changes.length - 1) }
}

function spansOf({ changes }: TransactionPart): readonly ModelSpan[] {
  const spans: ModelSpan[] = []
  let span: ModelSpan | undefined
  for (let offset = 0; offset < changes.length; offset += 1) {
    const model = modelAt(changes, offset)
    if (span?.model !== model) {
      if (span !== undefined) span.lastIndex = indexAt(changes, offset - 1)
      span = spans.find((each) => each.model === model)
      if (span === undefined) {
        span = { model, from: offset, to: offset + 1, lastIndex: 0 }
        spans.push(span)
      }
    }
    span.to = offset + 1
  }
  if (span !== undefined) span.lastIndex = indexAt(changes, changes.length - 1)
  return spans
}

/** For the search: an empty part ends after everything of its transaction. */
function endOf({ part, last }: LogEntry): ChangePosition {
  return last ?? { commitLsn: part.transaction.commitLsn, index: INDEX_AFTER_ALL }
}
