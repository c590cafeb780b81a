/**
 * Stage 5, source. What there is to know of the server, the database and our role in it, one expression of SQL each. Set-up, the worker
 * and `doctor` ask for what they need of it, each in a query of its own.
 */
import { MONEY_SCALE_SQL } from '../db/money-scale-sql.ts'
import type { SqlQueries } from '../db/sql.ts'

export interface ServerFacts {
  /** 180004 for 18.4. */
  readonly serverVersion: number
  /** As the server says it: `18.4 (Debian …)`. */
  readonly version: string
  readonly database: string
  readonly role: string
  readonly isInRecovery: boolean
  /** Of the WAL that it writes; null at a standby. */
  readonly timeline: number | null
  readonly walLevel: string
  /** False when max_slot_wal_keep_size is unset: then a slot nobody reads can fill the disk. */
  readonly isSlotWalLimited: boolean
  /** On Amazon RDS a role replicates as a member of rds_replication. */
  readonly mayReplicate: boolean
  readonly mayCreateInDatabase: boolean
  /** Whether our role may have the running transactions logged; PostgreSQL 16+. */
  readonly maySnapshot: boolean
  /** Whether the server takes a message of ours: it is no standby, and our role may write one. */
  readonly mayEmit: boolean
  /** Digits of money after the point under the lc_monetary of database and role, which our own sessions do not have. */
  readonly moneyScale: number
  readonly replicationSlotsMax: number
  readonly replicationSlotsUsed: number
  readonly walSendersMax: number
  readonly walSendersUsed: number
  readonly synchronousCommit: string
  readonly walSenderTimeoutMs: number
  /** Settings that only a provider's servers have. */
  readonly providerSettings: readonly { readonly name: string; readonly setting: string }[]
  /** Slots that nobody reads, and the WAL they hold. */
  readonly idleSlots: readonly { readonly name: string; readonly retainedBytes: number | null }[]
}

/** How far the server has come; at a standby, in replaying. */
export const SERVER_LSN_SQL = `(CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0')
            ELSE pg_current_wal_lsn() END)`

/** Whether a barrier can be written for the process that starts next: the form of the function that takes text counts. */
export const TAKES_MESSAGES_SQL = `
         (NOT pg_is_in_recovery() AND EXISTS (
           SELECT FROM pg_proc WHERE proname = 'pg_logical_emit_message' AND pronamespace = 'pg_catalog'::regnamespace
              AND proargtypes[2] = 'pg_catalog.text'::regtype AND has_function_privilege(oid, 'EXECUTE')))`

const FACTS: Readonly<Record<keyof ServerFacts, string>> = {
  serverVersion: `current_setting('server_version_num')::int`,
  version: `current_setting('server_version')`,
  database: 'current_database()::text',
  role: 'current_user::text',
  isInRecovery: 'pg_is_in_recovery()',
  timeline: `(CASE WHEN pg_is_in_recovery() THEN NULL
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END)`,
  walLevel: `current_setting('wal_level')`,
  isSlotWalLimited: `current_setting('max_slot_wal_keep_size') <> '-1'`,
  mayReplicate: `(SELECT r.rolreplication OR r.rolsuper OR EXISTS (
           SELECT FROM pg_roles g WHERE g.rolname = 'rds_replication' AND pg_has_role(r.oid, g.oid, 'USAGE')
         ) FROM pg_roles r WHERE r.rolname = current_user)`,
  mayCreateInDatabase: `has_database_privilege(current_database(), 'CREATE')`,
  maySnapshot: `(NOT pg_is_in_recovery() AND coalesce(has_function_privilege(
           to_regprocedure('pg_catalog.pg_log_standby_snapshot()')::oid, 'EXECUTE'), false))`,
  mayEmit: TAKES_MESSAGES_SQL,
  moneyScale: MONEY_SCALE_SQL,
  replicationSlotsMax: `current_setting('max_replication_slots')::int`,
  replicationSlotsUsed: '(SELECT count(*)::int FROM pg_replication_slots)',
  walSendersMax: `current_setting('max_wal_senders')::int`,
  walSendersUsed: `(SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'walsender')`,
  synchronousCommit: `current_setting('synchronous_commit')`,
  walSenderTimeoutMs: `(SELECT setting::int FROM pg_settings WHERE name = 'wal_sender_timeout')`,
  providerSettings: `(SELECT coalesce(jsonb_agg(jsonb_build_object('name', name, 'setting', setting)), '[]') FROM pg_settings
           WHERE name ~ '^(rds|cloudsql|azure|neon)[.]')`,
  idleSlots: `(SELECT coalesce(jsonb_agg(jsonb_build_object('name', slot_name, 'retainedBytes',
                   CASE WHEN pg_is_in_recovery() THEN NULL
                        ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint END)), '[]')
            FROM pg_replication_slots WHERE NOT active)`,
}

/** Columns of a SELECT, each under its name. */
export function serverFactsSql(names: readonly (keyof ServerFacts)[]): string {
  return names.map((name) => `${FACTS[name]} AS "${name}"`).join(',\n         ')
}

/** Whether the server is a standby. */
export async function isInRecovery(sql: SqlQueries): Promise<boolean> {
  const [server] = await sql.query<Pick<ServerFacts, 'isInRecovery'>>(
    `SELECT ${serverFactsSql(['isInRecovery'])}`,
  )
  return server?.isInRecovery === true
}
