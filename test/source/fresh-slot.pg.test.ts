/**
 * A slot is made while somebody writes. PostgreSQL waits for whoever writes then, and sends what began in the meantime: of that, what a table
 * was not published for is in no stream. Source: PostgreSQL, SnapBuildFindSnapshot in snapbuild.c.
 */
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import type { Rowcast } from '../../src/rowcast.ts'
import { buildRowcast, TABLES, watchOf } from '../scenarios/scenario.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'

interface Writer {
  readonly client: pg.Client
  readonly xid: string
}

/** A transaction that has written, and is open. */
async function openWriter(database: TestDatabase, statement: string): Promise<Writer> {
  const client = new pg.Client({ connectionString: database.url })
  onTestFinished(() => client.end())
  await client.connect()
  await client.query('BEGIN')
  await client.query(statement)
  const { rows } = await client.query('SELECT pg_current_xact_id()::xid::text AS xid')
  return { client, xid: rows[0].xid }
}

/** Resolves once whoever makes the slot waits for the transaction. */
async function untilAwaited(database: TestDatabase, { xid }: Writer): Promise<void> {
  const waiting = `SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE NOT granted AND transactionid::text = $1 AND query LIKE '%pg_create_logical_replication_slot(%' AND datname = $2`
  await expect
    .poll(() => database.query(waiting, [xid, database.name]).then(({ length }) => length), {
      timeout: 20_000,
    })
    .toBe(1)
}

/** Has the slot made; meanwhile `run` does something whose transactions the slot sends. */
async function makeSlotAround(
  database: TestDatabase,
  rowcast: Rowcast,
  run: () => Promise<void>,
): Promise<void> {
  const first = await openWriter(database, 'INSERT INTO others VALUES (1)')
  const made = rowcast.enable()
  await untilAwaited(database, first)
  const second = await openWriter(database, 'INSERT INTO others VALUES (2)')
  await first.client.query('COMMIT')
  await untilAwaited(database, second)
  await run()
  await second.client.query('COMMIT')
  await made
}

/** What `enable()` does once more has a slot to make, and nothing else. */
async function openWithoutSlot(): Promise<{ database: TestDatabase; rowcast: Rowcast }> {
  const database = await openDatabase()
  onTestFinished(() => database[Symbol.asyncDispose]())
  await database.query(TABLES)
  const rowcast = buildRowcast(database)
  onTestFinished(() => rowcast.stop())
  await rowcast.enable()
  await database.query('SELECT pg_drop_replication_slot($1)', [slotOf(database)])
  return { database, rowcast }
}

it('a table that leaves the publication and comes back while its slot is made ends who subscribes, once its writers are over', async () => {
  const { database, rowcast } = await openWithoutSlot()
  let writer: Writer | null = null
  await makeSlotAround(database, rowcast, async () => {
    await database.query('ALTER PUBLICATION rowcast DROP TABLE items')
    writer = await openWriter(database, `INSERT INTO items VALUES (1, 'not published')`)
    await database.query('ALTER PUBLICATION rowcast ADD TABLE items')
  })
  rowcast.start()
  await rowcast.ready()
  const [items, others] = [watchOf(rowcast, 'Item'), watchOf(rowcast, 'Other')]
  await (writer as Writer | null)?.client.query('COMMIT')
  expect(await items.failure()).toMatchObject({
    code: 'RESYNC_REQUIRED',
    details: { reason: 'publication-changed' },
  })
  await database.query('INSERT INTO others VALUES (3)')
  expect(await others.next()).toMatchObject({ new: { id: 3 } })
}, 40_000)

it('writers of a table that stays as it is end nobody', async () => {
  const { database, rowcast } = await openWithoutSlot()
  let writer: Writer | null = null
  await makeSlotAround(database, rowcast, async () => {
    writer = await openWriter(database, `INSERT INTO items VALUES (1, 'published')`)
  })
  rowcast.start()
  await rowcast.ready()
  const items = watchOf(rowcast, 'Item')
  await (writer as Writer | null)?.client.query('COMMIT')
  expect(await items.next()).toMatchObject({ new: { id: 1 } })
  await database.query(`INSERT INTO items VALUES (2, 'later')`)
  expect(await items.next()).toMatchObject({ new: { id: 2 } })
})
