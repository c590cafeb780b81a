/**
 * Stage 5, source. Decides which LSN is safe to confirm to PostgreSQL. Pure: no clock, no socket.
 *
 * A confirmed LSN allows PostgreSQL to forget everything before it, so safe is only the end of a transaction
 * that has been handed over completely, or a keepalive's position while nothing is in flight. How far behind
 * it the confirmed position is kept, the retention window decides.
 * Source: PostgreSQL manual, "Streaming Replication Protocol", standby status update.
 */
import { LSN_ZERO, type Lsn } from '../../wire/lsn.ts'

/** Keeps the highest position that is safe to confirm; it never moves backwards. */
export class AckTracker {
  #safe: Lsn
  #isInTransaction = false
  /** Ends of transactions handed over but not yet accepted, in commit order. */
  #pending: Lsn[] = []

  constructor(safe: Lsn = LSN_ZERO) {
    this.#safe = safe
  }

  /** Everything before it has been delivered. */
  get safe(): Lsn {
    return this.#safe
  }

  /** Whether something was handed over and is not accepted yet. */
  get isWaiting(): boolean {
    return this.#pending.length > 0
  }

  /** A transaction has begun to arrive. */
  begin(): void {
    this.#isInTransaction = true
  }

  /** All of a transaction has arrived and been handed over; it ends at `endLsn`. */
  commit(endLsn: Lsn): void {
    this.#isInTransaction = false
    this.#pending.push(endLsn)
  }

  /** Everything up to and including the transaction that ends at `endLsn` has been accepted for good. */
  accept(endLsn: Lsn): void {
    let accepted = 0
    while (accepted < this.#pending.length && (this.#pending[accepted] as Lsn) <= endLsn) accepted += 1
    if (accepted === 0) return
    this.#raise(this.#pending[accepted - 1] as Lsn)
    this.#pending.splice(0, accepted)
  }

  /** The server has sent everything up to `walEnd`; safe to confirm only while nothing is in flight. */
  keepalive(walEnd: Lsn): void {
    if (!this.#isInTransaction && this.#pending.length === 0) this.#raise(walEnd)
  }

  /** The connection is gone: what had begun will be sent again; what was handed over stays handed over. */
  disconnect(): void {
    this.#isInTransaction = false
  }

  #raise(lsn: Lsn): void {
    if (lsn > this.#safe) this.#safe = lsn
  }
}
