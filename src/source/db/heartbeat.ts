/**
 * Stage 5, source. Decides when a slot needs a nudge to let WAL go. Pure.
 *
 * Keepalives move a slot whose server is busy elsewhere. What they cannot do: PostgreSQL moves the slot's restart
 * position only when it decodes a record that it writes itself after some activity, so a slot that stood behind a
 * burst of WAL stays there while the server is quiet. One transactional message of ours is activity enough.
 * Source: LogicalIncreaseRestartDecodingForSlot in logical.c; manual, "pg_logical_emit_message".
 */
import type { Lsn } from '../../wire/lsn.ts'

/** Of our own messages, which no listener gets. */
export const HEARTBEAT_PREFIX = 'rowcast'

/** The statement; needs no right to any table. */
export const HEARTBEAT_SQL = `SELECT pg_logical_emit_message(true, '${HEARTBEAT_PREFIX}', '')`

/** Below one WAL segment nothing can be freed anyway. */
const HELD_BYTES_MIN = 16 * 1024 * 1024

/** The slot at one look. */
export interface SlotReading {
  readonly serverLsn: Lsn
  readonly safeLsn: Lsn
  /** What retention lets go; a barrier may hold the confirmed position a little before it. */
  readonly releasedLsn: Lsn
  readonly retainedBytes: number
  /** What PostgreSQL holds of it before the confirmed position. */
  readonly restartBytes: number
  /** Whether our role may have the running transactions logged. */
  readonly maySnapshot: boolean
}

/**
 * Logs the running transactions; PostgreSQL 16 and later. It does so by itself every 15 s at most, and moves the slot's restart
 * position only then: meanwhile the slot holds whatever all databases write.
 */
export const SNAPSHOT_SQL = 'SELECT pg_log_standby_snapshot()'

/** Whether WAL is held that only this would let go. */
export function isSnapshotDue({ restartBytes, maySnapshot }: SlotReading): boolean {
  return maySnapshot && restartBytes >= HELD_BYTES_MIN
}

/** Compares two looks, an interval apart. */
export function isHeartbeatDue(before: SlotReading | null, now: SlotReading): boolean {
  if (before === null || now.safeLsn !== before.safeLsn) return false
  const isUnheard = before.serverLsn > now.safeLsn
  const isHeld = now.retainedBytes >= HELD_BYTES_MIN && now.releasedLsn === now.safeLsn
  return isUnheard || isHeld
}
