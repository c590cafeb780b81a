/**
 * Stage 5, source. Keeps the slot at or before the last barrier, so that the process that starts next reads it again and
 * compares the catalog with what it says: a change of what is published after the last look is found however this process
 * ends. Pure.
 *
 * What the slot holds for it is bounded: a barrier is renewed when enough WAL has passed since the last one, and given up
 * where none can be written. Without one, the process that starts next ends all cursors from before its start.
 */
import { earlierLsn, LSN_ZERO, type Lsn, laterLsn } from '../../wire/lsn.ts'

/** WAL since the last barrier at which a look writes another one; a quiet server gets none. */
const RENEW_BYTES = 256 * 1024
/** The same of a slot that a standby is to have a copy of: it gets one only when the slot has moved. */
const RENEW_BYTES_FAILOVER = 4 * 1024
/** The same at which a look is due before its turn: two segments, as PostgreSQL frees whole ones. */
const EARLY_BYTES = 32 * 1024 * 1024
/**
 * Nor before so many times what the last barrier took: other slots' barriers are WAL, too, of other databases as well, and
 * each would have the next one written, for ever, on a server where nobody else writes.
 */
const RENEW_BARRIERS = 8
/** What is held for the sake of a barrier before it is given up. */
const HELD_BYTES_MAX = 256 * 1024 * 1024

/** What bounds it. */
export interface CeilingOptions {
  /** What the slot may hold on purpose. @default Infinity */
  readonly bytesMax?: number | undefined
  /** Whether standbys are to have a copy of the slot. @default false */
  readonly isFailover?: boolean | undefined
}

/** What the slot may be confirmed up to; one per source. */
export class ConfirmCeiling {
  readonly #renewBytes: bigint
  readonly #earlyBytes: bigint
  readonly #barrierBytesMax: number
  readonly #heldBytesMax: bigint
  /** Everything that can have changed what is published since then is found by whoever starts there. */
  #good: Lsn = LSN_ZERO
  #isKnown = false
  #safe: Lsn = LSN_ZERO
  #confirmed: Lsn = LSN_ZERO
  #isGivenUp = false
  /** What the last barrier asks for, by its size. */
  #barrierBytes = 0n
  /** What the last barrier itself takes of the WAL behind what is held for it: it would have the next one written, for ever. */
  #ownBytes = 0n
  /** How far the stream was when a look was last called for before its turn. */
  #urgedAt: Lsn = LSN_ZERO

  constructor({ bytesMax = Number.POSITIVE_INFINITY, isFailover = false }: CeilingOptions = {}) {
    const renewBytes = isFailover ? RENEW_BYTES_FAILOVER : RENEW_BYTES
    this.#heldBytesMax = BigInt(Math.floor(Math.min(HELD_BYTES_MAX, bytesMax)))
    this.#renewBytes = BigInt(Math.floor(Math.min(renewBytes, bytesMax / 4)))
    this.#earlyBytes = BigInt(Math.floor(Math.min(EARLY_BYTES, bytesMax / 2)))
    this.#barrierBytesMax = Math.floor(Math.min(EARLY_BYTES, bytesMax / 4))
  }

  /** What was confirmed last. */
  get confirmed(): Lsn {
    return this.#confirmed
  }

  /** Whether no barrier is held any more. */
  get isGivenUp(): boolean {
    return this.#isGivenUp
  }

  /**
   * Whether the next look is to write a barrier: also where so much lay unread before the last one, which the slot holds for it.
   */
  get isDue(): boolean {
    const passed = this.#safe - this.#good - this.#ownBytes
    return !this.#isKnown || (passed >= this.#renewBytes && passed >= this.#barrierBytes)
  }

  /** Whether that look is not to wait for its turn; once for so much WAL, whatever comes of the look. */
  takeUrgency(): boolean {
    const passed = this.#safe - laterLsn(this.#good, this.#urgedAt) - this.#ownBytes
    if (passed < this.#earlyBytes) return false
    this.#urgedAt = this.#safe
    return true
  }

  /** The slot sends from `confirmed` on; whether a barrier is among that is not known. */
  begin(confirmed: Lsn): void {
    this.#good = confirmed
    this.#confirmed = confirmed
    this.#safe = confirmed
    this.#ownBytes = 0n
    this.#urgedAt = LSN_ZERO
    this.#isKnown = false
    this.#isGivenUp = false
  }

  /**
   * A barrier was read that has all that is known; or the catalog was as known when the server stood at `lsn`.
   * @param lsn where the commit record of the barrier begins
   * @param heldAt the barrier is of use to a process that starts here or before
   */
  raise(lsn: Lsn, barrierBytes = 0, heldAt: Lsn = lsn): void {
    this.#isKnown = true
    this.#barrierBytes = BigInt(Math.min(barrierBytes * RENEW_BARRIERS, this.#barrierBytesMax))
    const good = earlierLsn(lsn, heldAt)
    if (good > this.#good) {
      this.#good = good
      this.#isGivenUp = false
    }
    // Pages of the WAL have headers.
    this.#ownBytes = this.#good < lsn ? BigInt(Math.ceil(barrierBytes * (1 + 1 / 128))) : 0n
  }

  /** What may be confirmed of what retention lets go; never less than before. */
  apply(wanted: Lsn, safe: Lsn): Lsn {
    this.#safe = safe
    this.#isGivenUp ||= wanted - this.#good > this.#heldBytesMax
    const allowed = this.#isGivenUp || wanted < this.#good ? wanted : this.#good
    if (allowed > this.#confirmed) this.#confirmed = allowed
    return this.#confirmed
  }
}
