/** A transaction that PostgreSQL spills to disk, and of which it has next to nothing to send: the stream is the same one behind it. */
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { openLiveRowcast, slotOf, takeChanges } from '../support/live-rowcast.ts'

const ROWS = 300_000
const WORK_MEMORY_BYTES = 64 * 1024

it('a transaction that is spilled to disk costs neither the connection nor a change', {
  timeout: 300_000,
}, async () => {
  await using database = await openDatabase({ migrate: true })
  await database.query(`ALTER DATABASE ${database.name} SET wal_sender_timeout = '3s'`)
  await database.query(`ALTER DATABASE ${database.name} SET logical_decoding_work_mem = '64kB'`)
  await database.query('CREATE TABLE unwatched (id int, name text)')
  await using live = await openLiveRowcast(database, { models: ['Tag'] })
  const tags = live.rowcast.subscribe('Tag')
  const facts = async (): Promise<{ readonly pid: number; readonly spilled: number } | undefined> => {
    const [found] = await database.query<{ pid: number; spilled: number }>(
      `SELECT slots.active_pid AS pid, coalesce(stats.spill_bytes, 0)::float8 AS spilled
         FROM pg_replication_slots slots LEFT JOIN pg_stat_replication_slots stats USING (slot_name)
        WHERE slot_name = $1`,
      [slotOf(database)],
    )
    return found
  }
  const before = await facts()
  await database.query(
    `BEGIN;
     INSERT INTO "Tag" (name) VALUES ('first');
     INSERT INTO unwatched SELECT i, i::text FROM generate_series(1, ${ROWS}) i;
     INSERT INTO "Tag" (name) VALUES ('last');
     COMMIT;
     INSERT INTO "Tag" (name) VALUES ('behind')`,
  )
  const changes = await takeChanges(tags, 3)
  expect(changes.map((change) => change.new?.name)).toEqual(['first', 'last', 'behind'])
  expect((await facts())?.pid).toBe(before?.pid)
  expect(live.rowcast.status()).toMatchObject({ state: 'streaming', failures: 0 })
  // PostgreSQL counts what it has spilled once it has decoded the transaction.
  await expect.poll(async () => (await facts())?.spilled).toBeGreaterThan(100 * WORK_MEMORY_BYTES)
})
