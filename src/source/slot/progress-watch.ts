/**
 * Stage 5, source. Whether the stream moves at all. A connection can be alive, keepalives and all, while nothing comes:
 * from version 17 on a walsender waits for standbys that `synchronized_standby_slots` names, and with them all changes. Pure.
 */
import type { Lsn } from '../../wire/lsn.ts'

/** What is known at a look. */
export interface ProgressReading {
  /** Everything before it has been delivered. */
  readonly safeLsn: Lsn
  /** Where the server's WAL ends, as another connection saw it. */
  readonly serverLsn: Lsn
  /** Bytes that the stream has brought so far: a transaction that takes minutes is no standstill. */
  readonly receivedBytes: number
  /** Whether nothing is read on purpose. */
  readonly isHeldBack: boolean
  /** Of a clock that never jumps. */
  readonly nowMs: number
}

/** One per source. */
export class ProgressWatch {
  /** The first look since which nothing has moved although something was waiting. */
  #since: ProgressReading | null = null

  /** Takes a look; answers since when, in milliseconds, WAL has been waiting without any of it coming. */
  observe(reading: ProgressReading): number {
    const since = this.#since
    const hasMoved =
      since === null ||
      reading.isHeldBack ||
      reading.safeLsn > since.safeLsn ||
      reading.receivedBytes !== since.receivedBytes
    if (reading.serverLsn <= reading.safeLsn) this.#since = null
    else if (hasMoved) this.#since = reading
    return this.#since === null ? 0 : reading.nowMs - this.#since.nowMs
  }

  /** A stream begins or ends. */
  reset(): void {
    this.#since = null
  }
}
