/**
 * Stage 1, wire. Whether so much arrives in such small reads that it is worth waiting for more. Pure: the clock comes
 * in. A stream that is not a flood is never kept waiting.
 */

/** Reads that are looked at together. */
const READS = 8
/** A flood brings at least this much in a millisecond: 16 MiB a second. */
const FLOOD_BYTES_PER_MS = 16_384
/** Reads of more than this on average are worth their cost. */
const SMALL_READ_BYTES = 8_192

/** Watches the reads of one socket. */
export class ReadPace {
  readonly #monotonicMs: () => number
  #sinceMs: number
  #reads = 0
  #bytes = 0

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs
    this.#sinceMs = monotonicMs()
  }

  /** Counts a read of so many bytes; true when the reader had better rest for a moment. */
  isRestDue(byteLength: number): boolean {
    this.#reads += 1
    this.#bytes += byteLength
    if (this.#reads < READS) return false
    const nowMs = this.#monotonicMs()
    const isFlood = this.#bytes >= FLOOD_BYTES_PER_MS * (nowMs - this.#sinceMs)
    const areSmall = this.#bytes <= READS * SMALL_READ_BYTES
    // In less than a millisecond eight small messages are no flood yet.
    const isMuch = this.#bytes >= FLOOD_BYTES_PER_MS / 2
    this.#sinceMs = nowMs
    this.#reads = 0
    this.#bytes = 0
    return isFlood && areSmall && isMuch
  }
}
