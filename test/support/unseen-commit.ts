/** Commits that are on disk, are sent, and that no query sees: they wait for a standby which is not there. */
import pg from 'pg'
import { expect } from 'vitest'
import type { TestDatabase } from './database.ts'
import { until } from './tags.ts'

/** Of the sessions of this database only who asks for it waits for a standby. */
export async function waitForNoStandby(database: TestDatabase): Promise<void> {
  await database.query(`ALTER DATABASE ${database.name} SET synchronous_commit = 'local'`)
  await database.query("SET synchronous_commit = 'local'")
}

/** The standby that commits wait for; null: none, and those that wait go on. */
export async function awaitStandby(database: TestDatabase, name: string | null): Promise<void> {
  await database.query(`ALTER SYSTEM SET synchronous_standby_names = '${name ?? ''}'`)
  await database.query('SELECT pg_reload_conf()')
  const [row] = await database.query<{ at: string }>('SELECT pg_conf_load_time()::text AS at')
  expect(row).toBeDefined()
}

/** Inserts a row whose commit is on disk and invisible until `release()`. */
export async function insertUnseen(database: TestDatabase, name: string) {
  await awaitStandby(database, 'absent')
  const client = new pg.Client({ ...database.target, application_name: 'unseen' })
  client.on('error', () => {})
  await client.connect()
  await client.query("SET synchronous_commit = 'on'")
  const inserting = client.query('INSERT INTO "Tag" (name) VALUES ($1)', [name])
  await until(async () => {
    const [waiting] = await database.query(
      "SELECT 1 FROM pg_stat_activity WHERE application_name = 'unseen' AND wait_event = 'SyncRep'",
    )
    return waiting !== undefined
  })
  return async () => {
    await awaitStandby(database, null)
    await inserting
    await client.end()
  }
}
