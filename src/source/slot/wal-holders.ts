/**
 * Stage 5, source. Why PostgreSQL holds WAL from before what a slot has confirmed: transactions that are open, in whichever database, and
 * prepared ones; where there are none, the record of running transactions that it has not read yet. Names and ages, never a query's text.
 * Source: SnapBuildProcessRunningXacts in snapbuild.c; PostgreSQL manual, "pg_locks", "pg_prepared_xacts".
 */
import type { RunQuery } from '../db/run-query.ts'

/** A transaction that has an id. Null is what our role may not see, or what a prepared one does not have. */
export interface OpenTransaction {
  readonly xid: string
  readonly pid: number | null
  readonly applicationName: string | null
  readonly database: string | null
  /** `active`, `idle in transaction`; `prepared`. */
  readonly state: string | null
  readonly seconds: number | null
  /** Name of a prepared one. */
  readonly gid: string | null
}

/** What there is to say of it. */
export interface WalHolders {
  /** The oldest first. */
  readonly transactions: readonly OpenTransaction[]
  /** Which database wrote most rows since the statistics began, and its part of all; null where nothing was written. */
  readonly busiest: { readonly database: string; readonly share: number } | null
}

/** WAL of this kind from which it is worth a word: before that it comes and goes. */
export const HELD_BYTES_HIGH = 16 * 1024 * 1024
const TRANSACTIONS_MAX = 3

/** Reads them; every role may. Locks show transactions whose sessions the role may not see. */
export async function readWalHolders(query: RunQuery): Promise<WalHolders> {
  const [row] = await query<WalHolders>(HOLDERS_SQL)
  return row ?? { transactions: [], busiest: null }
}

const HOLDERS_SQL = `
  WITH open AS (
    SELECT pid, max(age(transactionid)) AS age,
           (array_agg(transactionid::text ORDER BY age(transactionid) DESC))[1] AS xid
      FROM pg_catalog.pg_locks
     WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND granted AND pid IS DISTINCT FROM pg_backend_pid()
     GROUP BY pid, virtualtransaction
     ORDER BY age DESC LIMIT ${TRANSACTIONS_MAX}
  ), written AS (
    SELECT datname::text AS database, tup_inserted + tup_updated + tup_deleted AS rows
      FROM pg_catalog.pg_stat_database WHERE datname IS NOT NULL
  )
  SELECT coalesce((SELECT jsonb_agg(jsonb_build_object(
             'xid', xid, 'pid', open.pid, 'applicationName', a.application_name, 'gid', p.gid,
             'database', coalesce(a.datname, p.database),
             'state', CASE WHEN p.gid IS NULL THEN a.state ELSE 'prepared' END,
             'seconds', extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared))) ORDER BY age DESC)
           FROM open LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = open.pid
           LEFT JOIN pg_catalog.pg_prepared_xacts p ON open.pid IS NULL AND p.transaction::text = open.xid), '[]') AS transactions,
         (SELECT jsonb_build_object('database', database, 'share', rows::float8 / (SELECT sum(rows) FROM written))
            FROM written WHERE rows > 0 ORDER BY rows DESC LIMIT 1) AS busiest`

/** What holds it and what to do, in sentences. @param database ours */
export function describeWalHolders(
  { transactions, busiest }: WalHolders,
  database: string,
): { readonly why: string; readonly hint: string } {
  const [oldest] = transactions
  const others =
    busiest !== null && busiest.database !== database
      ? ` WAL of all databases counts: "${busiest.database}" has written ${Math.round(busiest.share * 100)} % of the rows.`
      : ''
  if (oldest === undefined) {
    return {
      why: `No transaction is open: PostgreSQL has not noted yet that the last one has ended (every 15 s, while something is written).${others}`,
      hint: 'Nothing: it goes by itself. From PostgreSQL 16 on SELECT pg_log_standby_snapshot(); has it noted now; granted to the role of rowcast, that does so by itself.',
    }
  }
  return {
    why: `${transactions.map(describeTransaction).join('; ')} ${transactions.length === 1 ? 'is' : 'are'} open.${others}`,
    hint: hintOf(oldest),
  }
}

function describeTransaction({
  xid,
  pid,
  gid,
  applicationName,
  database,
  state,
  seconds,
}: OpenTransaction): string {
  const where = database === null ? '' : ` in database "${database}"`
  const age = seconds === null ? '' : `, ${Math.round(seconds)} s old`
  if (gid !== null) return `prepared transaction "${gid}" (xid ${xid})${where}${age}`
  const name = applicationName === null || applicationName === '' ? '' : ` "${applicationName}"`
  return `transaction ${xid} of process ${pid ?? 'unknown'}${name}${where}${state === null ? '' : `, ${state}`}${age}`
}

function hintOf({ gid, pid, state }: OpenTransaction): string {
  if (gid !== null)
    return 'Have its owner run COMMIT PREPARED or ROLLBACK PREPARED; SELECT * FROM pg_prepared_xacts; lists them.'
  if (state?.startsWith('idle in transaction') === true)
    return `Have the program end its transaction, or run SELECT pg_terminate_backend(${pid}); idle_in_transaction_session_timeout prevents it.`
  return 'Wait for it to end. Where it never does, look at what the process does: pg_stat_activity.'
}
