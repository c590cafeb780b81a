/**
 * Global set-up of the `pg` tests: one PostgreSQL for the whole run, stopped and deleted at its end. Embedded, or in a
 * container where ROWCAST_TEST_CONTAINER_IMAGE says so (`npm run test:containers`).
 */
import { writeFileSync } from 'node:fs'
import type { TestProject } from 'vitest/node'
import { parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { openPostgres, postgresMajor } from './postgres.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Address of the shared PostgreSQL, as superuser, database `postgres`. */
    postgresUrl: string
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
  const postgres = image === undefined ? await openEmbedded() : await openContainer(image)
  const version = await readVersion(postgres.url)
  process.stdout.write(`The tests use PostgreSQL ${version}, ${postgres.place}.\n`)
  // The runner of several versions asks which one it really was.
  const versionFile = process.env['ROWCAST_TEST_VERSION_FILE']
  if (versionFile !== undefined) writeFileSync(versionFile, version)
  project.provide('postgresUrl', postgres.url)
  return async () => {
    await postgres[Symbol.asyncDispose]()
  }
}
