/** Rows that nobody is sent: their table leaves the publication and comes back, and no look in turn notices. */
import pg from 'pg'
import type { TestDatabase } from './database.ts'
import { slotOf } from './live-rowcast.ts'
import { until } from './tags.ts'

/** Inserts a tag that is not published, and cuts the replication stream: the look with which it begins again notices. */
export async function missTag(database: TestDatabase, name: string): Promise<void> {
  await database.query('ALTER PUBLICATION rowcast DROP TABLE "Tag"')
  await database.query('INSERT INTO "Tag" (name) VALUES ($1)', [name])
  await database.query('ALTER PUBLICATION rowcast ADD TABLE "Tag"')
  await database.query(
    'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active',
    [slotOf(database)],
  )
}

/** Resolves once changes of the model can be subscribed to again. */
export async function whenOpen({ subscribe }: { subscribe(): AsyncIterator<unknown> }): Promise<void> {
  await until(async () => {
    try {
      await subscribe().return?.()
      return true
    } catch {
      return false
    }
  })
}

/** Somebody whose transaction has an id, has written elsewhere, and stays open. */
export async function openWriter(database: TestDatabase): Promise<AsyncDisposable> {
  const writer = new pg.Client(database.target)
  writer.on('error', () => {})
  await writer.connect()
  await writer.query('BEGIN')
  await writer.query('SELECT pg_current_xact_id()')
  return {
    async [Symbol.asyncDispose]() {
      await writer.query('ROLLBACK')
      await writer.end()
    },
  }
}
