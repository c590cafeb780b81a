/** Stage 5, source. Who holds locks on tables that set-up has to alter: process, name and age; never a query's text. */

import type { SqlQueries } from '../db/sql.ts'
import type { QualifiedTable } from '../facts/table-name.ts'

/** A session with a lock on one of the tables. */
export interface LockHolder {
  readonly schema: string
  readonly table: string
  readonly pid: number
  readonly applicationName: string | null
  /** Age of its transaction; null where our role may not see it. */
  readonly seconds: number | null
}

const HOLDERS_MAX = 5

/** The oldest first. */
export function readLockHolders(
  sql: SqlQueries,
  tables: readonly QualifiedTable[],
): Promise<readonly LockHolder[]> {
  if (tables.length === 0) return Promise.resolve([])
  return sql.query<LockHolder>(LOCK_HOLDERS_SQL, [
    tables.map(({ schema }) => schema),
    tables.map(({ table }) => table),
  ])
}

const LOCK_HOLDERS_SQL = `
  SELECT n.nspname::text AS "schema", c.relname::text AS "table", a.pid,
         CASE WHEN a.backend_type LIKE 'autovacuum%' THEN 'autovacuum' ELSE a.application_name END AS "applicationName",
         extract(epoch FROM clock_timestamp() - min(a.xact_start))::float8 AS "seconds"
    FROM unnest($1::text[], $2::text[]) AS name(nspname, relname)
    JOIN pg_namespace n ON n.nspname = name.nspname
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = name.relname
    JOIN pg_locks l ON l.locktype = 'relation' AND l.relation = c.oid AND l.granted
                   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    JOIN pg_stat_activity a ON a.pid = l.pid
   WHERE l.pid <> pg_backend_pid()
   GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC NULLS LAST LIMIT ${HOLDERS_MAX}`
