/** Stage 5, source. One slot, as PostgreSQL has it. Source: PostgreSQL manual, "pg_replication_slots". */
import { type Lsn, parseLsn } from '../../wire/lsn.ts'

/** The slot as it stands. */
export interface SlotState {
  readonly plugin: string | null
  readonly slotType: string
  readonly database: string | null
  readonly activePid: number | null
  /** application_name of the reader, where we may see it. */
  readonly activeName: string | null
  readonly confirmedLsn: Lsn | null
  /** 'reserved', 'extended', 'unreserved' or 'lost'. */
  readonly walStatus: string | null
  /** PostgreSQL 17+: 'wal_removed', 'rows_removed', 'wal_level_insufficient', 'idle_timeout'. On 16 'recovery_conflict' for the second and third. */
  readonly invalidationReason: string | null
  /** WAL that PostgreSQL keeps because of the slot. */
  readonly retainedBytes: number | null
  /** What of it lies before the confirmed position: of transactions that were open then, and until PostgreSQL notes that they are not. */
  readonly restartBytes: number | null
  /** WAL that may be written before the slot is in danger; null: no limit is set. */
  readonly safeWalBytes: number | null
  /** PostgreSQL 17+: is to be synchronised to standbys. */
  readonly isFailover: boolean
  /** PostgreSQL 17+: is a standby's copy of the primary's slot. */
  readonly isSynced: boolean
}

/** As the query has it. */
export type RawSlot = Readonly<Record<string, string | number | boolean | null>>

/** An expression: the slot of this name as RawSlot, or NULL. Both are expressions; `lsn` is where the server stands. */
export function slotSql(name: string, lsn: string): string {
  return `(SELECT to_jsonb(s) || jsonb_build_object(
                   'retained_bytes', pg_wal_lsn_diff(${lsn}, s.restart_lsn),
                   'restart_bytes', pg_wal_lsn_diff(s.confirmed_flush_lsn, s.restart_lsn),
                   'active_name', (SELECT application_name FROM pg_stat_activity WHERE pid = s.active_pid))
            FROM pg_replication_slots s WHERE s.slot_name = ${name})`
}

/**
 * Columns that a version does not have are absent. Version 16 calls every slot conflicting that was given up: a conflict with recovery
 * is one of a standby.
 */
export function parseSlot(slot: RawSlot, isInRecovery: boolean): SlotState {
  const text = (name: string) => (typeof slot[name] === 'string' ? slot[name] : null)
  const number = (name: string) => (typeof slot[name] === 'number' ? slot[name] : null)
  const confirmed = text('confirmed_flush_lsn')
  return {
    plugin: text('plugin'),
    slotType: text('slot_type') ?? '',
    database: text('database'),
    activePid: number('active_pid'),
    activeName: text('active_name'),
    confirmedLsn: confirmed === null ? null : parseLsn(confirmed),
    walStatus: text('wal_status'),
    invalidationReason:
      text('invalidation_reason') ??
      (isInRecovery && slot['conflicting'] === true ? 'recovery_conflict' : null),
    retainedBytes: number('retained_bytes'),
    restartBytes: number('restart_bytes'),
    safeWalBytes: number('safe_wal_size'),
    isFailover: slot['failover'] === true,
    isSynced: slot['synced'] === true,
  }
}
