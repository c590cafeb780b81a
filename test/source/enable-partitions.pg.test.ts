/** `enable()` of partitioned tables in a publication that somebody made, which says of partitions what PostgreSQL says by default. */
import { expect, it } from 'vitest'
import { runSetup } from '../../src/source/setup/setup.ts'
import type { SetupGoal } from '../../src/source/setup/setup-goal.ts'
import { openDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'

const SCHEMA = `
  CREATE TABLE events (id int, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
  CREATE TABLE events_x PARTITION OF events FOR VALUES IN ('x')`

it.each([
  ['FOR TABLE events', ['events']],
  ['FOR ALL TABLES', ['events']],
  ['FOR TABLE events_x', ['events']],
  ['FOR TABLE events, events_x WITH (publish_via_partition_root = true)', ['events', 'events_x']],
  ['FOR ALL TABLES WITH (publish_via_partition_root = true)', ['events', 'events_x']],
])('is possible in one %s, and is then done', async (what, tables) => {
  await using database = await openDatabase()
  await database.query(SCHEMA)
  await database.query(`CREATE PUBLICATION rowcast ${what}`)
  const goal: SetupGoal = {
    tables: tables.map((table) => ({ model: table, schema: 'public', table })),
    publication: 'rowcast',
    slot: slotOf(database),
  }
  await runSetup(database.target, goal)
  const published = await database.query(
    `SELECT tablename::text AS name FROM pg_publication_tables WHERE pubname = 'rowcast' ORDER BY 1`,
  )
  expect(published).toContainEqual({ name: 'events' })
  expect(await runSetup(database.target, goal)).toEqual([])
})
