/**
 * Global set-up of the `pg` tests: one PostgreSQL for each worker of the run, stopped and deleted at its end; a test file has its
 * worker's for itself (`shared-postgres-url.ts`). Embedded, or in a container where ROWCAST_TEST_CONTAINER_IMAGE says so (`npm run test:containers`).
 */
import { writeFileSync } from 'node:fs'
import type { TestProject } from 'vitest/node'
import { parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { openPostgres, postgresMajor } from './postgres.ts'
import { WORKERS } from './workers.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Addresses of the PostgreSQLs, one for each worker, as superuser, database `postgres`. */
    postgresUrls: readonly string[]
  }
}

const SETTINGS = {
  max_connections: 200,
  max_replication_slots: 50,
  max_wal_senders: 50,
  shared_buffers: '64MB',
} as const

interface SharedPostgres extends AsyncDisposable {
  readonly url: string
  /** Where it runs, for the reader of the output. */
  readonly place: string
}

async function openEmbedded(): Promise<SharedPostgres> {
  const postgres = await openPostgres({ settings: SETTINGS })
  return {
    url: postgres.cluster.connectionString(),
    place: 'embedded',
    [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose](),
  }
}

async function openContainer(image: string): Promise<SharedPostgres> {
  // Its packages are those of `npm run test:containers` alone.
  const { openContainerPostgres } = await import('./container-postgres.ts')
  const name = `${image}:${postgresMajor()}`
  const container = await openContainerPostgres(name, { ...SETTINGS, wal_level: 'logical', timezone: 'UTC' })
  return {
    url: container.connectionString,
    place: `in a container of ${name}; tests that stop and kill a server start an embedded one for it`,
    [Symbol.asyncDispose]: () => container[Symbol.asyncDispose](),
  }
}

async function readVersion(url: string): Promise<string> {
  const rows = await withSqlClient(parseConnectionTarget(url), (sql) =>
    sql.query<{ version: string }>(`SELECT split_part(current_setting('server_version'), ' ', 1) AS version`),
  )
  return rows[0]?.version ?? ''
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const image = process.env['ROWCAST_TEST_CONTAINER_IMAGE'] || undefined
  const open = () => (image === undefined ? openEmbedded() : openContainer(image))
  const servers = await openAll(Array.from({ length: WORKERS }, open))
  const [first] = servers
  if (first === undefined) throw new Error('No worker.')
  const version = await readVersion(first.url)
  process.stdout.write(
    `The tests use PostgreSQL ${version}, ${first.place}; one for each of ${WORKERS} workers.\n`,
  )
  // The runner of several versions asks which one it really was.
  const versionFile = process.env['ROWCAST_TEST_VERSION_FILE']
  if (versionFile !== undefined) writeFileSync(versionFile, version)
  project.provide(
    'postgresUrls',
    servers.map((server) => server.url),
  )
  return async () => {
    await endAll(servers)
  }
}

/** All of them, or none that runs on. */
async function openAll(opening: readonly Promise<SharedPostgres>[]): Promise<readonly SharedPostgres[]> {
  const results = await Promise.allSettled(opening)
  const opened = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed === undefined) return opened
  await endAll(opened)
  throw failed.reason
}

async function endAll(servers: readonly SharedPostgres[]): Promise<void> {
  await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()))
}
