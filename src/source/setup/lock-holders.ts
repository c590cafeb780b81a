/** Stage 5, source. Whom set-up waits for, who holds locks on tables or has written and not ended: process, name and age; never a query's text. */

import type { SqlQueries } from '../db/sql.ts'
import type { QualifiedTable } from '../facts/table-name.ts'

/** A session that set-up waits for. */
export interface SessionAhead {
  readonly pid: number
  readonly applicationName: string | null
  /** Age of its transaction; null where our role may not see it. */
  readonly seconds: number | null
}

/** One with a lock on one of the tables. */
export interface LockHolder extends SessionAhead {
  readonly schema: string
  readonly table: string
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

/**
 * The oldest transactions that have written, in any database of the server: a new slot waits for them.
 * Source: PostgreSQL manual, 47.2.3, "Replication Slots".
 */
export function readWriters(sql: SqlQueries): Promise<readonly SessionAhead[]> {
  return sql.query<SessionAhead>(`
    SELECT pid, application_name AS "applicationName",
           extract(epoch FROM clock_timestamp() - xact_start)::float8 AS "seconds"
      FROM pg_stat_activity
     WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
     ORDER BY 3 DESC NULLS LAST LIMIT ${HOLDERS_MAX}`)
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
