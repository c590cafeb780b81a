import { expect, test } from 'vitest'
import { parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { openReplicationConnection } from '../../src/wire/connection.ts'
import { LSN_ZERO } from '../../src/wire/lsn.ts'
import { openDatabase } from './database.ts'
import { sharedPostgresUrl } from './shared-postgres-url.ts'

test('a test database goes, with its slots, those that are being read included', async () => {
  const database = await openDatabase()
  const slot = `slot_${database.name}`
  await database.query('CREATE PUBLICATION p FOR ALL TABLES')
  await database.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [slot])
  await database.query("SELECT pg_create_logical_replication_slot($1 || '_idle', 'pgoutput')", [slot])
  const stream = async () => {
    const connection = await openReplicationConnection(database.target, {
      applicationName: 'test of dropping',
      answerTimeoutMs: 10_000,
    })
    await connection.startStream(
      { slot, startLsn: LSN_ZERO, options: { proto_version: '1', publication_names: 'p' } },
      { onWalData() {}, onKeepalive() {}, onNotice() {}, confirmedLsn: () => LSN_ZERO },
    )
    return connection
  }
  // A reader that comes back at once, as rowcast does.
  const reconnecting = (await stream()).closed.then(() => stream()).catch((error: unknown) => error)
  await database[Symbol.asyncDispose]()
  expect(await reconnecting).toBeInstanceOf(Error)
  const left = await withSqlClient(parseConnectionTarget(sharedPostgresUrl()), (sql) =>
    sql.query(
      `SELECT datname::text FROM pg_database WHERE datname = $1
       UNION ALL SELECT slot_name::text FROM pg_replication_slots WHERE database = $1`,
      [database.name],
    ),
  )
  expect(left).toEqual([])
})

test('migrated databases have the tables of prisma/migrations and are their own', async () => {
  await using first = await openDatabase({ migrate: true })
  await using second = await openDatabase({ migrate: true })
  await first.query('CREATE TABLE only_here ()')
  for (const database of [first, second]) {
    const [counts] = await database.query<{ books: number }>(
      'SELECT count(*)::int AS books FROM _prisma_migrations',
    )
    expect(counts?.books).toBeGreaterThan(0)
  }
  expect(await second.query("SELECT to_regclass('only_here') AS t")).toEqual([{ t: null }])
})

test('the session of a test database is opened again after it was ended', async () => {
  await using database = await openDatabase()
  await expect(database.query('SELECT pg_terminate_backend(pg_backend_pid())')).rejects.toMatchObject({
    code: '57P01',
  })
  await expect.poll(() => database.query('SELECT 1 AS one').catch(() => null)).toEqual([{ one: 1 }])
})
