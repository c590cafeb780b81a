/**
 * Stage 5, source. Decides how far behind the safe position the confirmed one is kept, so that PostgreSQL can
 * send again, to a new process, what was delivered lately: the slot is the durable log. Pure: the clock comes in.
 */
import { type Lsn, toLsn } from '../../wire/lsn.ts'

/** How much delivered WAL the slot keeps; whichever of the two is less. 0 in either: nothing. */
export interface Retention {
  /** Bytes of WAL, of all tables and databases. */
  readonly bytes: number
  readonly minutes: number
}

/** 10 minutes or 64 MiB. */
export const DEFAULT_RETENTION: Retention = { bytes: 64 * 1024 * 1024, minutes: 10 }

/** The window's age is measured to one part in this many. */
const SAMPLES_PER_WINDOW = 64

/** Where the safe position was at a time. */
interface Sample {
  readonly lsn: Lsn
  readonly atMs: number
}

/** Follows the safe position at a distance; never backwards, never beyond it. */
export class RetentionWindow {
  readonly #bytes: bigint
  readonly #windowMs: number
  /** Oldest first, at most `SAMPLES_PER_WINDOW + 1`. */
  readonly #samples: Sample[] = []
  #confirmed: Lsn

  /** `confirmed` is what the slot has confirmed already. */
  constructor(retention: Retention, confirmed: Lsn) {
    const isRetaining = retention.bytes > 0 && retention.minutes > 0
    this.#bytes = isRetaining ? BigInt(Math.floor(retention.bytes)) : 0n
    this.#windowMs = retention.minutes * 60_000
    this.#confirmed = confirmed
  }

  /** What may be confirmed, as of the last `observe`. */
  get confirmed(): Lsn {
    return this.#confirmed
  }

  /** Takes the safe position at a time of a clock that never jumps; returns what may be confirmed now. */
  observe(safe: Lsn, nowMs: number): Lsn {
    const last = this.#samples.at(-1)
    const isDue = last === undefined || nowMs - last.atMs >= this.#windowMs / SAMPLES_PER_WINDOW
    if (isDue && safe > (last?.lsn ?? this.#confirmed)) this.#samples.push({ lsn: safe, atMs: nowMs })
    if (safe > this.#bytes) this.#raise(toLsn(safe - this.#bytes))
    for (let oldest = this.#samples[0]; oldest !== undefined; oldest = this.#samples[0]) {
      const isOver = nowMs - oldest.atMs >= this.#windowMs || oldest.lsn <= this.#confirmed
      if (!isOver) break
      this.#samples.shift()
      this.#raise(oldest.lsn)
    }
    return this.#confirmed
  }

  #raise(lsn: Lsn): void {
    if (lsn > this.#confirmed) this.#confirmed = lsn
  }
}
