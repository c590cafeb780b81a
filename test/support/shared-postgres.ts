/** Global set-up of the `pg` tests: one PostgreSQL for the whole run, stopped and deleted at its end. */
import type { TestProject } from 'vitest/node'
import { openPostgres } from './postgres.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Address of the shared PostgreSQL, as superuser, database `postgres`. */
    postgresUrl: string
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const postgres = await openPostgres({
    settings: {
      max_connections: 200,
      max_replication_slots: 50,
      max_wal_senders: 50,
      shared_buffers: '64MB',
    },
  })
  process.stdout.write(`The tests use PostgreSQL ${postgres.cluster.version}, embedded.\n`)
  project.provide('postgresUrl', postgres.cluster.connectionString())
  return async () => {
    await postgres[Symbol.asyncDispose]()
  }
}
