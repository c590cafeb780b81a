/**
 * Stage 6, bus. What waits in queues, in bytes: for a subscription, for the client that has it, for the process. A change
 * that many hold is in memory once and counts once for the process; for each of its holders it counts in full.
 */
import { RowcastError } from '../errors.ts'

/** What a change takes while it waits. One object for all who hold it. */
export class Weight {
  readonly bytes: number
  /** Of the row's images as PostgreSQL sent them, which the change keeps. */
  readonly rowBytes: number
  /** Queues that hold it. */
  holders = 0

  /** @param rowBytes undecoded */
  constructor(rowBytes: number) {
    this.bytes = CHANGE_BYTES + rowBytes * DECODED_FACTOR
    this.rowBytes = rowBytes
  }
}

/** A change's own objects, beside its values. */
const CHANGE_BYTES = 256
/** Decoded values beside the bytes they were decoded of. */
const DECODED_FACTOR = 3
/** What each queue adds: its index in an array; those who ask for the same share the delivery. */
export const SLOT_BYTES = 32

/** Deliveries that are read ahead for all who are behind, and for each of them. */
const READ_AHEAD_TOTAL = 32_768
const READ_AHEAD_MAX = 512
const READ_AHEAD_MIN = 32

/** A queue that holds no more than this is not whom the room is used up by. */
export const LITTLE_BYTES = 32 * 1024

/** What all queues of a process hold. */
export class Holdings {
  readonly bytesMax: number
  /** Queues that are filled from the log. */
  readers = 0
  #bytes = 0

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Deliveries to read ahead for one who is behind: what waits for long outlives a garbage collection, and costs the next. */
  get readAheadLength(): number {
    const share = Math.floor(READ_AHEAD_TOTAL / this.readers)
    return Math.max(READ_AHEAD_MIN, Math.min(READ_AHEAD_MAX, share))
  }

  /** Nothing more may be added. */
  get isFull(): boolean {
    return this.#bytes >= this.bytesMax
  }

  /** The room that is left is for those for whom nothing waits: who keeps up goes on, however much others leave waiting. */
  get isCrowded(): boolean {
    return this.#bytes >= this.bytesMax * 0.875
  }

  /** What can wait in the log stays there. */
  get isTight(): boolean {
    return this.#bytes >= this.bytesMax * 0.75
  }

  hold(weight: Weight): void {
    weight.holders += 1
    this.#bytes += weight.holders === 1 ? weight.bytes + SLOT_BYTES : SLOT_BYTES
  }

  letGo(weight: Weight): void {
    weight.holders -= 1
    this.#bytes -= weight.holders === 0 ? weight.bytes + SLOT_BYTES : SLOT_BYTES
  }
}

/** Bounds of one account. */
export interface AccountBounds {
  /** Bytes that may wait in its queues. @default no bound */
  readonly bytesMax?: number | undefined
  /** Subscriptions that may be catching up after a cursor. @default no bound */
  readonly replaysMax?: number | undefined
  /** What the filters of its subscriptions may cost together for a row that concerns all; see docs/filters.md. @default no bound */
  readonly filterCostMax?: number | undefined
}

/** What one client has of the bus: a connection, its viewer, its address, a server. What it has, its parents have as well. */
export class Account {
  readonly #bounds: AccountBounds
  readonly #parents: readonly Account[]
  #bytes = 0
  #replays = 0
  #filterCost = 0

  constructor(bounds: AccountBounds, parents: readonly Account[] = []) {
    this.#bounds = bounds
    this.#parents = parents
  }

  get bytes(): number {
    return this.#bytes
  }

  get replays(): number {
    return this.#replays
  }

  get filterCost(): number {
    return this.#filterCost
  }

  /** Whether it, or what it belongs to, holds all it may. */
  get isFull(): boolean {
    const { bytesMax } = this.#bounds
    if (bytesMax !== undefined && this.#bytes >= bytesMax) return true
    for (const parent of this.#parents) if (parent.isFull) return true
    return false
  }

  /** Adds to what waits; negative where something was taken. */
  addBytes(bytes: number): void {
    this.#bytes += bytes
    for (const parent of this.#parents) parent.addBytes(bytes)
  }

  /** A subscription begins, after a cursor or now, with a filter of this cost. @throws FILTER_TOO_COSTLY, TOO_MANY_REPLAYS */
  begin(filterCost: number, isCatchingUp: boolean): void {
    this.#checkFilterCost(filterCost)
    if (isCatchingUp) this.beginReplay()
    this.#addFilterCost(filterCost)
  }

  /** The same of what it has already, and another has paid for until now: whatever it may have. */
  beginBeyond(filterCost: number): void {
    this.#addFilterCost(filterCost)
  }

  /** It has ended. */
  endFilter(cost: number): void {
    this.#addFilterCost(-cost)
  }

  /** A subscription begins to catch up. @throws TOO_MANY_REPLAYS */
  beginReplay(): void {
    this.#checkReplays()
    this.#addReplays(1)
  }

  /** It has caught up, or has ended. */
  endReplay(): void {
    this.#addReplays(-1)
  }

  #checkFilterCost(cost: number): void {
    const { filterCostMax } = this.#bounds
    if (filterCostMax !== undefined && this.#filterCost + cost > filterCostMax) {
      const have = `The filters of these subscriptions cost ${this.#filterCost + cost} a row together`
      throw new RowcastError('FILTER_TOO_COSTLY', `${have}, and may cost ${filterCostMax}.`, {
        details: { cost, costMax: filterCostMax },
      })
    }
    for (const parent of this.#parents) parent.#checkFilterCost(cost)
  }

  #addFilterCost(cost: number): void {
    this.#filterCost += cost
    for (const parent of this.#parents) parent.#addFilterCost(cost)
  }

  #checkReplays(): void {
    const { replaysMax } = this.#bounds
    if (replaysMax !== undefined && this.#replays >= replaysMax) {
      throw new RowcastError('TOO_MANY_REPLAYS', `${replaysMax} subscriptions are still catching up.`, {
        details: { retryAfterMs: RETRY_AFTER_MS },
      })
    }
    for (const parent of this.#parents) parent.#checkReplays()
  }

  #addReplays(count: number): void {
    this.#replays += count
    for (const parent of this.#parents) parent.#addReplays(count)
  }
}

/** When it is worth asking again: a log is read in seconds. */
const RETRY_AFTER_MS = 1_000
