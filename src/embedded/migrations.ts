/**
 * Beside the spine, embedded. Applies prisma/migrations in order, each once, and keeps Prisma's own books
 * (`_prisma_migrations`), so that `prisma migrate deploy` can carry on where this stopped.
 * Source: Prisma's schema engine, `sql-schema-connector` (table, lock) and `migration-connector` (checksum).
 *
 * The package knows nothing of a schema, and `prisma migrate deploy` is a program of 60 MB that a container may lack.
 */
import { createHash, randomUUID } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isRowcastError, RowcastError } from '../errors.ts'
import { type SqlClient, type SqlTarget, withSqlClient } from '../source/db/sql.ts'
import { sqlstateOf } from '../source/db/sqlstate.ts'
import { quoteIdentifier, quoteLiteral, quoteQualified } from '../wire/quote.ts'

/** What to migrate. */
export interface MigrationRequest {
  readonly target: SqlTarget
  /** The folder that holds a folder with a migration.sql for each migration. */
  readonly folder: string
  /** How long to wait for another migration run. @default 60_000 // 1 min */
  readonly lockTimeoutMs?: number | undefined
}

interface Migration {
  readonly name: string
  readonly script: string
  readonly checksum: string
}

interface MigrationRecord {
  readonly name: string
  readonly checksum: string
  readonly isFinished: boolean
  readonly isRolledBack: boolean
}

/** The key of Prisma's own advisory lock: the two never migrate at the same time. */
const PRISMA_LOCK_KEY = 72_707_369
const LOCK_NOT_AVAILABLE = '55P03'
const TABLE = '_prisma_migrations'

/**
 * Applies what has not been applied yet.
 * @returns the names of the migrations applied now, in order; none when the database was up to date.
 * @throws EMBEDDED_MIGRATIONS_UNREADABLE, EMBEDDED_DATABASE_NOT_EMPTY, EMBEDDED_MIGRATION_CHANGED,
 * EMBEDDED_MIGRATION_UNRESOLVED, EMBEDDED_MIGRATION_FAILED, EMBEDDED_MIGRATION_LOCKED, SOURCE_…
 */
export async function applyMigrations(request: MigrationRequest): Promise<readonly string[]> {
  const migrations = await readMigrations(request.folder)
  return withSqlClient(request.target, async (sql) => {
    await takeLock(sql, request.lockTimeoutMs ?? 60_000)
    const schema = await openSchema(sql, request.target.schema ?? null)
    const table = quoteQualified(schema, TABLE)
    const pending = choosePending(migrations, await readRecords(sql, schema, table), table)
    for (const migration of pending) {
      await applyMigration(sql, migration, table)
      // A script may leave a search_path behind (dumps empty it); the next one is not to feel it.
      await sql.execute(`SET search_path = ${quoteIdentifier(schema)}`)
    }
    return pending.map((migration) => migration.name)
  })
}

/** Which migrations are still to run. Pure. Like Prisma, it leaves records without a folder alone. */
function choosePending(
  migrations: readonly Migration[],
  records: readonly MigrationRecord[],
  table: string,
): readonly Migration[] {
  const unresolved = records.find((record) => !record.isFinished && !record.isRolledBack)
  if (unresolved !== undefined) {
    throw new RowcastError(
      'EMBEDDED_MIGRATION_UNRESOLVED',
      `An earlier run of migration "${unresolved.name}" failed.`,
      { hint: rollBackHint(unresolved.name, table) },
    )
  }
  const applied = new Map(
    records.filter((record) => !record.isRolledBack).map((record) => [record.name, record.checksum]),
  )
  for (const migration of migrations) {
    const checksum = applied.get(migration.name)
    if (checksum === undefined || possibleChecksums(migration.script).includes(checksum)) continue
    throw new RowcastError(
      'EMBEDDED_MIGRATION_CHANGED',
      `Migration "${migration.name}" was edited after it had been applied.`,
    )
  }
  return migrations.filter((migration) => !applied.has(migration.name))
}

async function readMigrations(folder: string): Promise<readonly Migration[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
    return await Promise.all(
      // By code unit, as Prisma sorts: the names begin with their date.
      names.sort().map(async (name) => {
        const script = await readFile(join(folder, name, 'migration.sql'), 'utf8')
        return { name, script, checksum: sha256(script) }
      }),
    )
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'no reason given'
    throw new RowcastError('EMBEDDED_MIGRATIONS_UNREADABLE', `The migrations cannot be read: ${reason}.`, {
      cause: error,
    })
  }
}

async function takeLock(sql: SqlClient, lockTimeoutMs: number): Promise<void> {
  try {
    await sql.query("SELECT set_config('lock_timeout', $1, false)", [String(lockTimeoutMs)])
    // Freed with the session.
    await sql.query('SELECT pg_advisory_lock($1)', [PRISMA_LOCK_KEY])
    await sql.execute('RESET lock_timeout')
  } catch (error) {
    if (sqlstateOf(error) !== LOCK_NOT_AVAILABLE) throw error
    throw new RowcastError(
      'EMBEDDED_MIGRATION_LOCKED',
      `Another process holds the lock on migrations for longer than ${lockTimeoutMs} ms.`,
    )
  }
}

/** The schema that unqualified names of the scripts go to; made when the address names one that is missing. */
async function openSchema(sql: SqlClient, wanted: string | null): Promise<string> {
  if (wanted !== null) await sql.execute(`CREATE SCHEMA IF NOT EXISTS ${quoteIdentifier(wanted)}`)
  const [row] = await sql.query<{ schema: string | null }>('SELECT current_schema()::text AS schema')
  return row?.schema ?? 'public'
}

async function readRecords(
  sql: SqlClient,
  schema: string,
  table: string,
): Promise<readonly MigrationRecord[]> {
  const [existing] = await sql.query<{ hasRecords: boolean; tableCount: number }>(TABLES_SQL, [schema, TABLE])
  if (existing?.hasRecords !== true) {
    if (existing !== undefined && existing.tableCount > 0) {
      const happened = `Schema "${schema}" has ${existing.tableCount} tables, and none of them is ${TABLE}.`
      throw new RowcastError('EMBEDDED_DATABASE_NOT_EMPTY', happened)
    }
    await sql.execute(createTableSql(table))
  }
  return sql.query<MigrationRecord>(`SELECT migration_name AS name, checksum, finished_at IS NOT NULL AS "isFinished",
    rolled_back_at IS NOT NULL AS "isRolledBack" FROM ${table} ORDER BY started_at`)
}

/** Tables of extensions do not count: they come with the image of the server (PostGIS). */
const TABLES_SQL = `
  SELECT coalesce(bool_or(c.relname = $2), false) AS "hasRecords", count(*)::int AS "tableCount"
    FROM pg_class c
   WHERE c.relnamespace = to_regnamespace(quote_ident($1)) AND c.relkind IN ('r', 'p')
     AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                        AND d.objid = c.oid AND d.deptype = 'e')`

/** To the letter what Prisma creates. */
function createTableSql(table: string): string {
  return `CREATE TABLE ${table} (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             TIMESTAMPTZ,
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          TIMESTAMPTZ,
    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count     INTEGER NOT NULL DEFAULT 0
)`
}

async function applyMigration(sql: SqlClient, migration: Migration, table: string): Promise<void> {
  const id = randomUUID()
  await sql.query(`INSERT INTO ${table} (id, checksum, migration_name) VALUES ($1, $2, $3)`, [
    id,
    migration.checksum,
    migration.name,
  ])
  try {
    await sql.execute(migration.script)
  } catch (error) {
    const reason = isRowcastError(error) ? error : new RowcastError('BUG', 'execute() threw no RowcastError.')
    // A script with a BEGIN of its own leaves its transaction open. The connection itself may be gone, too.
    await sql.execute('ROLLBACK').catch(() => {})
    await sql.query(`UPDATE ${table} SET logs = $2 WHERE id = $1`, [id, reason.message]).catch(() => {})
    throw new RowcastError(
      'EMBEDDED_MIGRATION_FAILED',
      `Migration "${migration.name}" failed${lineOf(migration.script, reason)}. ${reason.message}`,
      { hint: `Correct its migration.sql. ${rollBackHint(migration.name, table)}`, cause: reason },
    )
  }
  await sql.query(
    `UPDATE ${table} SET finished_at = now(), applied_steps_count = applied_steps_count + 1 WHERE id = $1`,
    [id],
  )
}

function rollBackHint(name: string, table: string): string {
  const update = `UPDATE ${table} SET rolled_back_at = now() WHERE migration_name = ${quoteLiteral(name)} AND finished_at IS NULL`
  return `Undo what it left behind, then run \`prisma migrate resolve --rolled-back ${name}\` or the SQL ${update};`
}

/** The server counts characters from 1. */
function lineOf(script: string, error: RowcastError): string {
  const position = error.details['position']
  if (typeof position !== 'number') return ''
  return ` at line ${
    [...script]
      .slice(0, position - 1)
      .join('')
      .split('\n').length
  }`
}

/** As it is, and with the line ends that git may have put in on another system: Prisma accepts them as well. */
function possibleChecksums(script: string): readonly string[] {
  const lf = script.replaceAll('\r\n', '\n')
  return [script, lf, lf.replaceAll('\n', '\r\n')].map(sha256)
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
