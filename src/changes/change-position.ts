/** Stage 4, changes. Where a change stands: in which history, at which commit, at which index in it. */
import type { Lsn } from '../wire/lsn.ts'

/** The history that positions belong to. Source: PostgreSQL manual, "IDENTIFY_SYSTEM". */
export interface StreamOrigin {
  /** Unique for each cluster, decimal. */
  readonly systemId: string
  /** Grows by one with each promotion of a standby. */
  readonly timeline: number
}

/** A change's position: transactions in commit order, changes within a transaction in the order they were made. */
export interface ChangePosition {
  readonly commitLsn: Lsn
  /** 0-based ordinal of the change among the transaction's row changes. */
  readonly index: number
}
