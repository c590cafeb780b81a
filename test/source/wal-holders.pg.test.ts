/** What PostgreSQL holds WAL for is named: idle and prepared transactions, of this and of other databases, also to a role that sees no sessions. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { describeWalHolders, readWalHolders } from '../../src/source/slot/wal-holders.ts'
import { openScenario } from '../scenarios/scenario.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openPostgres, type TestPostgres } from '../support/postgres.ts'

let postgres: TestPostgres
beforeAll(async () => {
  postgres = await openPostgres({ settings: { max_prepared_transactions: 4 } })
})
afterAll(() => postgres[Symbol.asyncDispose]())

const onServer = () => ({ serverUrl: postgres.cluster.connectionString() })
const holdersOf = ({ target }: TestDatabase, user?: string) =>
  withSqlClient(user === undefined ? target : { ...target, user, password: 'secret' }, (sql) =>
    readWalHolders((text) => sql.query(text)),
  )

test('sessions and prepared transactions, the oldest first, and who writes most', async () => {
  await using database = await openDatabase(onServer())
  await using other = await openDatabase(onServer())
  const none = await holdersOf(database)
  expect(none.transactions).toEqual([])
  expect(describeWalHolders(none, database.name).hint).toContain('pg_log_standby_snapshot')
  await other.query('CREATE TABLE busy (id int)')
  await other.query("BEGIN; INSERT INTO busy VALUES (1); PREPARE TRANSACTION 'left behind'")
  await database.query('CREATE TABLE items (id int)')
  await database.query("SET application_name = 'the application'; BEGIN; INSERT INTO items VALUES (1)")
  await database.query("CREATE ROLE sees_nothing LOGIN PASSWORD 'secret'")
  const holders = await holdersOf(database)
  expect(holders.transactions).toMatchObject([
    { gid: 'left behind', pid: null, state: 'prepared', database: other.name },
    { gid: null, applicationName: 'the application', state: 'idle in transaction', database: database.name },
  ])
  const { why, hint } = describeWalHolders(holders, database.name)
  expect(why).toMatch(
    /^prepared transaction "left behind" .*; transaction \d+ of process \d+ "the application"/,
  )
  expect(hint).toContain('ROLLBACK PREPARED')
  await database.query('COMMIT')
  const hidden = await holdersOf(database, 'sees_nothing')
  expect(hidden.transactions).toMatchObject([{ gid: 'left behind', database: other.name }])
  await database.query('BEGIN; INSERT INTO items VALUES (2)')
  expect((await holdersOf(database, 'sees_nothing')).transactions).toHaveLength(2)
  await database.query('COMMIT')
  await other.query("ROLLBACK PREPARED 'left behind'")
  await database.query('DROP ROLE sees_nothing')
})

test('a prepared transaction that alters a live table, and one that takes it from the publication: reported once they commit', async () => {
  const { sql, watch, rowcast } = await openScenario(onServer())
  const items = watch()
  const others = watch('Other')
  await sql(`BEGIN; INSERT INTO items VALUES (1, 'before'); ALTER TABLE items ADD COLUMN extra int;
    INSERT INTO items VALUES (2, 'after', 7); PREPARE TRANSACTION 'ddl'`)
  await sql('INSERT INTO others VALUES (1)')
  expect((await others.next()).new).toEqual({ id: 1 })
  await sql("COMMIT PREPARED 'ddl'")
  expect((await items.take(2)).map((change) => change.new)).toEqual([
    { id: 1, note: 'before' },
    { id: 2, note: 'after' },
  ])
  await sql(
    `BEGIN; INSERT INTO items VALUES (3, 'last'); ALTER PUBLICATION rowcast DROP TABLE items; PREPARE TRANSACTION 'out'`,
  )
  await sql('INSERT INTO others VALUES (2)')
  expect((await others.next()).new).toEqual({ id: 2 })
  await sql("COMMIT PREPARED 'out'")
  // It was published when it was written; the look that finds the table gone may come before it.
  const ended = items.next().then((change) => {
    expect(change.new).toEqual({ id: 3, note: 'last' })
    return items.next()
  })
  await expect(ended).rejects.toMatchObject({
    code: expect.stringMatching(/^(?:SOURCE_TABLE_NOT_PUBLISHED|RESYNC_REQUIRED)$/),
  })
  await sql('INSERT INTO others VALUES (3)')
  expect((await others.next()).new).toEqual({ id: 3 })
  await rowcast.enable()
  await expect.poll(() => rowcast.status().drifted).toEqual([])
  const again = watch('Item', await rowcast.changeCursor())
  await sql("INSERT INTO items VALUES (4, 'back')")
  expect((await again.next()).new).toEqual({ id: 4, note: 'back' })
})
