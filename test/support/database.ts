/**
 * `await using database = await openDatabase()`: a fresh database on the shared PostgreSQL (or on one of the
 * test's own), dropped at the end with the replication slots in it.
 */
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { applyMigrations } from '../../src/embedded/migrations.ts'
import { type ConnectionTarget, parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { type SqlClient, withSqlClient } from '../../src/source/db/sql.ts'
import { quoteIdentifier } from '../../src/wire/quote.ts'
import { sharedPostgresUrl } from './shared-postgres-url.ts'

/** A database that ends with the test. */
export interface TestDatabase extends AsyncDisposable {
  readonly name: string
  readonly url: string
  readonly target: ConnectionTarget
  /** Runs one statement on the test's own session, application_name 'rowcast test', opened when first needed. */
  query<Row extends object = Record<string, unknown>>(
    text: string,
    parameters?: readonly unknown[],
  ): Promise<readonly Row[]>
}

/** What kind of database. */
export interface TestDatabaseOptions {
  /** With the tables of prisma/migrations. @default false */
  readonly migrate?: boolean | undefined
  /** Address of the server. @default the shared one */
  readonly serverUrl?: string | undefined
  /** @default the server's */
  readonly encoding?: 'SQL_ASCII' | 'WIN1252' | undefined
  /** Text is ordered and lower-cased by ICU. @default as the server has it */
  readonly icu?: { readonly locale: string } | undefined
}

const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../prisma/migrations', import.meta.url))
const TEMPLATE = 'rowcast_template'
const TEMPLATE_LOCK_KEY = 7_269_873

/** Creates a database with a name of its own. */
export async function openDatabase(options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  const server = parseConnectionTarget(options.serverUrl ?? sharedPostgresUrl())
  const name = `test_${randomUUID().slice(0, 8)}`
  await withSqlClient(server, async (sql) => {
    // It gets its tables by itself: a copy has the locale of what it is copied from.
    const template =
      options.migrate && options.icu === undefined ? await provideTemplate(server, sql) : 'template0'
    const more =
      options.icu !== undefined
        ? ` LOCALE_PROVIDER icu ICU_LOCALE '${options.icu.locale}' LOCALE 'C.UTF-8'`
        : options.encoding === undefined
          ? ''
          : await encodingClause(sql, options.encoding)
    await sql.execute(`CREATE DATABASE ${name} TEMPLATE ${template}${more}`)
  })
  const target = { ...server, database: name }
  if (options.migrate && options.icu !== undefined)
    await applyMigrations({ target, folder: MIGRATIONS_FOLDER })
  const session = createSession(target)
  return {
    name,
    url: `postgresql://${target.user}:${encodeURIComponent(String(target.password))}@${target.host}:${target.port}/${name}`,
    target,
    query: session.query,
    async [Symbol.asyncDispose]() {
      await session.end()
      await withSqlClient(server, (sql) => dropDatabase(sql, name))
    },
  }
}

/** Every encoding goes with libc's C; the server's own locale goes with UTF-8 only. */
async function encodingClause(sql: SqlClient, encoding: string): Promise<string> {
  const [server] = await sql.query<{ version: number }>(
    "SELECT current_setting('server_version_num')::int AS version",
  )
  const provider = (server?.version ?? 0) >= 150_000 ? ' LOCALE_PROVIDER libc' : ''
  return ` ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'${provider}`
}

/** One session, opened when first needed and again after it was lost. */
function createSession(target: ConnectionTarget) {
  let current: pg.Client | null = null

  /** Connects in the background; the driver holds queries back until then, in order. */
  function open(): pg.Client {
    const config: pg.ClientConfig = { ...target, application_name: 'rowcast test' }
    const client = new pg.Client(config)
    const forget = () => {
      if (current === client) current = null
    }
    client.on('error', forget).on('end', forget)
    client.connect().catch(forget)
    return client
  }

  return {
    async query<Row extends object>(
      text: string,
      parameters: readonly unknown[] = [],
    ): Promise<readonly Row[]> {
      current ??= open()
      return (await current.query<Row>(text, [...parameters])).rows
    },
    async end() {
      await current?.end()
    },
  }
}

/** Made once per server, so that a database with tables costs a copy instead of the migrations. */
async function provideTemplate(server: ConnectionTarget, sql: SqlClient): Promise<string> {
  await sql.query('SELECT pg_advisory_lock($1)', [TEMPLATE_LOCK_KEY])
  try {
    const [finished] = await sql.query('SELECT FROM pg_database WHERE datname = $1 AND datistemplate', [
      TEMPLATE,
    ])
    if (finished !== undefined) return TEMPLATE
    await sql.execute(`DROP DATABASE IF EXISTS ${TEMPLATE} WITH (FORCE)`)
    await sql.execute(`CREATE DATABASE ${TEMPLATE} TEMPLATE template0`)
    await applyMigrations({ target: { ...server, database: TEMPLATE }, folder: MIGRATIONS_FOLDER })
    await sql.execute(`ALTER DATABASE ${TEMPLATE} IS_TEMPLATE true`)
    return TEMPLATE
  } finally {
    await sql.query('SELECT pg_advisory_unlock($1)', [TEMPLATE_LOCK_KEY])
  }
}

/** Closes the door first: a client that reconnects at once would take its slot again. */
async function dropDatabase(sql: SqlClient, name: string): Promise<void> {
  await sql.execute(`ALTER DATABASE ${quoteIdentifier(name)} ALLOW_CONNECTIONS false`)
  await sql.query(
    'SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE database = $1 AND active_pid IS NOT NULL',
    [name],
  )
  await sql.query(
    'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1',
    [name],
  )
  await sql.execute(`DROP DATABASE ${quoteIdentifier(name)} WITH (FORCE)`)
}
