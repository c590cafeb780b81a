/** Stage 5, source. What can be known of the worker at a moment; for health checks, metrics and people. */
import type { RowcastError } from '../../errors.ts'
import type { SlotState } from '../facts/slot-state.ts'
import type { SourcePositions } from './ack-state.ts'
import type { SourceState } from './lifecycle.ts'

/** The slot at the last look: before each stream, and every ten seconds while it lasts. */
export interface SlotHealth {
  /** 'reserved', 'extended', 'unreserved' or 'lost'. Source: manual, "pg_replication_slots". */
  readonly walStatus: string | null
  /** WAL that PostgreSQL keeps because of the slot. */
  readonly retainedBytes: number | null
  /**
   * What of it lies before the confirmed position, and so is held neither for cursors nor for us: PostgreSQL keeps it for
   * transactions that are open, and until it has noted that they are not (every 15 s), whatever database wrote it.
   */
  readonly restartBytes: number | null
  /** WAL that may still be written before the slot is in danger; null: no limit is set. */
  readonly safeWalBytes: number | null
  /** The budget given; null: none. */
  readonly budgetBytes: number | null
  readonly invalidationReason: string | null
  /** Process id of the reader. */
  readonly activePid: number | null
  readonly isFailover: boolean
}

/** A moment of the source. */
export interface SourceStatus {
  readonly state: SourceState
  /** Changes flow, of one model at least, and none that was there at the start is still to come. */
  readonly isReady: boolean
  /** Until this process has read what was there when it first connected. */
  readonly isCatchingUp: boolean
  readonly slot: string
  readonly publication: string
  /** The latest failure; kept while it matters, null again once changes flow. */
  readonly lastError: RowcastError | null
  /** Attempts that failed since changes last flowed. */
  readonly failures: number
  /** Streams that have begun; each one after the first is a reconnection. */
  readonly streamsStarted: number
  /** How long WAL has been waiting, at the last look, without any of it coming, in milliseconds; 0 while it comes. */
  readonly stalledMs: number
  /** Looks at slot, publication and tables that failed in a row; from the third on this process is not ready (SOURCE_WATCH_FAILED). */
  readonly failedLooks: number
  /** Highest position confirmed to PostgreSQL, as `16/B374D848`; null before the first. */
  readonly confirmedLsn: string | null
  readonly positions: SourcePositions
  /** The database cluster; null before the first stream. */
  readonly system: { readonly systemId: string; readonly timeline: number } | null
  /**
   * Tables whose replica identity is not what it should be, at the last look: SOURCE_IDENTITY_NOT_FULL (old rows do not come),
   * SOURCE_IDENTITY_MISSING and SOURCE_IDENTITY_CONFLICT (PostgreSQL refuses the application's UPDATE and DELETE).
   */
  readonly identityFaults: readonly RowcastError[]
  /** Null before the first look. */
  readonly slotHealth: SlotHealth | null
}

/** The slot's facts as health. */
export function toSlotHealth(slot: SlotState | null, budgetBytes: number | null): SlotHealth | null {
  if (slot === null) return null
  const { walStatus, retainedBytes, restartBytes, safeWalBytes, invalidationReason, activePid, isFailover } =
    slot
  return {
    ...{ walStatus, retainedBytes, restartBytes, safeWalBytes, budgetBytes },
    ...{ invalidationReason, activePid, isFailover },
  }
}
