/**
 * Stage 5, source. What the worker has to know of slot, publication and server, in one catalog query: before each
 * stream on the replication connection itself, later on the watch's short-lived one. Changes nothing.
 * Source: PostgreSQL manual, "pg_replication_slots".
 */
import { RowcastError } from '../../errors.ts'
import { type Lsn, parseLsn } from '../../wire/lsn.ts'
import { quoteLiteral } from '../../wire/quote.ts'
import { MONEY_SCALE_SQL } from '../db/money-scale-sql.ts'
import type { RunQuery } from '../db/run-query.ts'
import { HELD_XIDS_SQL } from '../db/snapshot.ts'
import { parseSnapshot, parseXidBound, type Sight } from '../db/visibility.ts'
import { isSameTable } from '../setup/database-facts.ts'
import { type FoundTable, readModelTables, TAKES_MESSAGES_SQL } from '../setup/model-tables.ts'
import type { SetupGoal } from '../setup/setup-plan.ts'
import { parseSkipMarks, skipMarksSql } from '../setup/skip-marks.ts'
import { type IdentityFault, readIdentityFaults } from '../setup/table-identities.ts'

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

/** The publication as it stands. */
export interface PublicationState {
  /** Changes when it is dropped and recreated. */
  readonly oid: number
  /** Which of insert, update, delete and truncate it publishes, as `iudt`. */
  readonly actions: string
}

/** All of it. */
export interface SourceFacts {
  readonly serverVersion: number
  readonly database: string
  readonly isInRecovery: boolean
  readonly serverLsn: Lsn
  /** What a query sees at the same moment. */
  readonly sight: Sight
  /** False when max_slot_wal_keep_size is unset: then a slot nobody reads can fill the disk. */
  readonly isSlotWalLimited: boolean
  /** Whether our role may have the running transactions logged; PostgreSQL 16+. */
  readonly maySnapshot: boolean
  /** Whether the server takes a message of ours: it is no standby, and our role may write one. */
  readonly mayEmit: boolean
  readonly slot: SlotState | null
  readonly publication: PublicationState | null
  /** Behind transactions that are to be passed over. */
  readonly skips: readonly Lsn[]
  /** The models' tables, and those that inherit from them. */
  readonly modelTables: readonly FoundTable[]
  /** Tables whose replica identity is not what their model, or the application, needs. */
  readonly identityFaults: readonly IdentityFault[]
  /** Digits of money after the point under the lc_monetary of database and role, which our own sessions do not have. */
  readonly moneyScale: number
  /** Wanted tables that the publication lacks. */
  readonly unpublished: readonly { readonly model: string; readonly table: string }[]
}

type FactsRow = Omit<
  SourceFacts,
  'serverLsn' | 'sight' | 'slot' | 'unpublished' | 'modelTables' | 'identityFaults' | 'skips'
> & {
  readonly skips: readonly string[]
  readonly serverLsn: string
  readonly snapshot: string
  readonly heldXids: string | null
  readonly slot: Readonly<Record<string, string | number | boolean | null>> | null
}

/** Reads them. */
export async function readSourceFacts(query: RunQuery, goal: SetupGoal): Promise<SourceFacts> {
  const [row] = await query<FactsRow>(factsSql(goal))
  if (row === undefined) throw new RowcastError('BUG', 'The query for slot and publication returned no row.')
  const { slot, skips, snapshot, heldXids, ...facts } = row
  const modelTables = await readModelTables(query, goal, row.serverVersion)
  return {
    ...facts,
    skips: parseSkipMarks(goal.slot, skips),
    serverLsn: parseLsn(row.serverLsn),
    sight: {
      isVisible: parseSnapshot(row.isInRecovery ? `${snapshot}@${row.serverLsn}` : snapshot),
      xidBound: parseXidBound(snapshot, heldXids),
    },
    slot: slot === null ? null : toSlotState(slot, row.isInRecovery),
    modelTables,
    identityFaults: await readIdentityFaults(query, goal, row.serverVersion),
    unpublished: goal.tables
      .filter((wanted) => !modelTables.some((found) => found.isPublished && isSameTable(found, wanted)))
      .map(({ model, schema, table }) => ({ model, table: `${schema}.${table}` })),
  }
}

/**
 * Columns that a version does not have are absent from the slot's JSON. Version 16 calls every slot conflicting that was given up: a
 * conflict with recovery is one of a standby.
 */
function toSlotState(
  slot: Readonly<Record<string, string | number | boolean | null>>,
  isInRecovery: boolean,
): SlotState {
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

/** Without parameters: a walsender takes only the simple query protocol. */
function factsSql(goal: SetupGoal): string {
  const publication = quoteLiteral(goal.publication)
  return `
  WITH server AS (
    SELECT pg_is_in_recovery() AS in_recovery,
           CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0') ELSE pg_current_wal_lsn() END AS lsn
  )
  SELECT current_setting('server_version_num')::int AS "serverVersion",
         current_database()::text AS "database",
         server.in_recovery AS "isInRecovery",
         server.lsn::text AS "serverLsn",
         pg_current_snapshot()::text AS "snapshot",
         ${HELD_XIDS_SQL} AS "heldXids",
         current_setting('max_slot_wal_keep_size') <> '-1' AS "isSlotWalLimited",
         NOT server.in_recovery AND coalesce(has_function_privilege(
           to_regprocedure('pg_catalog.pg_log_standby_snapshot()')::oid, 'EXECUTE'), false) AS "maySnapshot",
         ${TAKES_MESSAGES_SQL} AS "mayEmit",
         (SELECT to_jsonb(s) || jsonb_build_object(
                   'retained_bytes', pg_wal_lsn_diff(server.lsn, s.restart_lsn),
                   'restart_bytes', pg_wal_lsn_diff(s.confirmed_flush_lsn, s.restart_lsn),
                   'active_name', (SELECT application_name FROM pg_stat_activity WHERE pid = s.active_pid))
            FROM pg_replication_slots s WHERE s.slot_name = ${quoteLiteral(goal.slot)}) AS "slot",
         (SELECT jsonb_build_object('oid', oid::bigint, 'actions',
                   concat(CASE WHEN pubinsert THEN 'i' END, CASE WHEN pubupdate THEN 'u' END,
                          CASE WHEN pubdelete THEN 'd' END, CASE WHEN pubtruncate THEN 't' END))
            FROM pg_publication WHERE pubname = ${publication}) AS "publication",
         ${MONEY_SCALE_SQL} AS "moneyScale",
         ${skipMarksSql(goal.slot)} AS "skips"
    FROM server`
}
