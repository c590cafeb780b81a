/**
 * A table that is held in ACCESS EXCLUSIVE, as VACUUM FULL, LOCK TABLE and a long ALTER TABLE do: whatever looks at the
 * database goes on, and so do the changes of all other models.
 */
import pg from 'pg'
import { expect, it } from 'vitest'
import { createSetupGoal } from '../../src/source/setup/setup-goal.ts'
import { runTeardown } from '../../src/source/setup/teardown.ts'
import { buildRowcast, ITEM, OTHER, openScenario } from '../scenarios/scenario.ts'
import type { TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'

/** Holds tables until the end of the scope. */
async function holdTables(database: TestDatabase, tables: string): Promise<AsyncDisposable> {
  const holder = new pg.Client({ ...database.target } as pg.ClientConfig)
  await holder.connect()
  await holder.query(`BEGIN; LOCK TABLE ${tables} IN ACCESS EXCLUSIVE MODE`)
  return { [Symbol.asyncDispose]: () => holder.end() }
}

it('keeps no look waiting, nor a start, enable() and the teardown’s plan', async () => {
  const { database, rowcast, sql } = await openScenario({
    sql: `CREATE TABLE items (id int PRIMARY KEY, note text) PARTITION BY LIST (id);
          CREATE TABLE items_1 PARTITION OF items FOR VALUES IN (1); CREATE TABLE others (id int PRIMARY KEY)`,
  })
  const others = rowcast.subscribe('Other')
  await using _lock = await holdTables(database, 'items, items_1')
  await sql('INSERT INTO others VALUES (1)')
  expect((await others.next()).value).toMatchObject({ new: { id: 1 } })
  // A look sees what changed in the catalog.
  await sql('ALTER PUBLICATION rowcast DROP TABLE others')
  await expect(others.next()).rejects.toMatchObject({ code: 'SOURCE_TABLE_NOT_PUBLISHED' })
  expect(await rowcast.enable()).toHaveLength(1)
  await rowcast.stop()

  const next = buildRowcast(database)
  expect(await next.enable()).toEqual([])
  next.start()
  await next.ready()
  const again = next.subscribe('Other')
  await sql('INSERT INTO others VALUES (2)')
  expect((await again.next()).value).toMatchObject({ new: { id: 2 } })
  await next.stop()

  const goal = createSetupGoal({
    ...{ catalog: { joinTables: [] }, schema: 'public', slot: slotOf(database), publication: 'rowcast' },
    models: [{ spec: ITEM }, { spec: OTHER }],
  })
  expect(await runTeardown(database.target, goal, { isDry: true })).not.toEqual([])
})
