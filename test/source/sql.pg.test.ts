import { createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { findFreePort } from '../../src/embedded/free-port.ts'
import { parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { type SqlTarget, withSqlClient } from '../../src/source/db/sql.ts'
import { openReplicationConnection } from '../../src/wire/connection.ts'
import { openDatabase } from '../support/database.ts'
import { openPostgres } from '../support/postgres.ts'
import { sharedPostgresUrl } from '../support/shared-postgres-url.ts'

const server = () => parseConnectionTarget(sharedPostgresUrl())
const connect = (target: SqlTarget, answerTimeoutMs?: number) =>
  withSqlClient(target, async () => 'in', { answerTimeoutMs })

test('the session is pinned, whatever the database and the role have as their defaults', async () => {
  await using database = await openDatabase()
  for (const setting of ['DateStyle = German', 'IntervalStyle = iso_8601', "TimeZone = 'Asia/Tokyo'"]) {
    await database.query(`ALTER DATABASE ${database.name} SET ${setting}`)
  }
  await database.query(`ALTER DATABASE ${database.name} SET extra_float_digits = 0`)
  await database.query(`ALTER DATABASE ${database.name} SET client_encoding = LATIN1`)
  const [session] = await withSqlClient(database.target, (sql) =>
    sql.query(`SELECT '2026-01-02T03:04:05Z'::timestamptz::text AS time, '1 day 2 hours'::interval::text AS span,
      (0.1::float8 + 0.2::float8)::text AS sum, current_setting('client_encoding') AS encoding,
      current_setting('application_name') AS name`),
  )
  expect(session).toEqual({
    time: '2026-01-02 03:04:05+00',
    span: '1 day 02:00:00',
    sum: '0.30000000000000004',
    encoding: 'UTF8',
    name: 'rowcast setup',
  })
})

test('the connection is gone afterwards, after a throw as well, and the throw comes through', async () => {
  await using database = await openDatabase()
  const failure = new TypeError('of the callback')
  const failing = withSqlClient(
    database.target,
    async (sql) => {
      await sql.query('SELECT 1')
      throw failure
    },
    { applicationName: 'test of ending' },
  )
  await expect(failing).rejects.toBe(failure)
  await expect
    .poll(() => database.query("SELECT FROM pg_stat_activity WHERE application_name = 'test of ending'"))
    .toEqual([])
})

test('unqualified names live in the schema of the target', async () => {
  await using database = await openDatabase()
  await database.query('CREATE SCHEMA "Sales"')
  const target = { ...database.target, schema: 'Sales' }
  expect(await withSqlClient(target, (sql) => sql.query('SELECT current_schema()::text AS s'))).toEqual([
    { s: 'Sales' },
  ])
})

test('a wrong password, an unknown user and a missing database are distinguished, without the password', async () => {
  const target = server()
  const wrong = await connect({ ...target, password: 'hunter2' }).catch((error: unknown) => error)
  expect(wrong).toMatchObject({ code: 'SOURCE_AUTHENTICATION_FAILED', details: { sqlstate: '28P01' } })
  expect(String(wrong)).not.toContain('hunter2')
  await expect(connect({ ...target, user: 'nobody_here' })).rejects.toMatchObject({
    code: 'SOURCE_AUTHENTICATION_FAILED',
    message: expect.stringContaining('nobody_here'),
  })
  await expect(connect({ ...target, database: 'no_such_db' })).rejects.toMatchObject({
    code: 'SOURCE_DATABASE_MISSING',
    message: expect.stringContaining('no_such_db'),
  })
})

test('a server that asks for a password that nobody gave, or speaks no TLS, says so', async () => {
  const target = server()
  const withoutPassword = { ...target, password: () => Promise.resolve('') }
  await expect(connect(withoutPassword)).rejects.toMatchObject({ code: 'SOURCE_CONNECTION_FAILED' })
  await expect(connect({ ...target, ssl: true })).rejects.toMatchObject({
    code: 'SOURCE_CONNECTION_FAILED',
    message: expect.stringContaining('SSL'),
  })
})

test('nobody listening, no such socket, no such host', async () => {
  const target = server()
  await expect(connect({ ...target, port: await findFreePort() })).rejects.toMatchObject({
    code: 'SOURCE_CONNECTION_REFUSED',
    retry: 'backoff',
  })
  await expect(connect({ ...target, host: '/no/such/folder' })).rejects.toMatchObject({
    code: 'SOURCE_CONNECTION_REFUSED',
  })
  await expect(connect({ ...target, host: 'no-such-host.invalid' })).rejects.toMatchObject({
    code: 'SOURCE_HOST_UNKNOWN',
  })
})

test('a server that accepts and says nothing is given up', async () => {
  const port = await listen((socket) => socket.on('error', () => {}))
  await expect(connect({ ...server(), port }, 100)).rejects.toMatchObject({
    code: 'SOURCE_HOST_UNREACHABLE',
    message: expect.stringContaining('100 ms'),
  })
})

test('a balancer without a server behind it, which accepts and hangs up, is a matter of trying again', async () => {
  const port = await listen((socket) => socket.on('error', () => {}).end())
  await expect(connect({ ...server(), port })).rejects.toMatchObject({ code: 'SOURCE_CONNECTION_LOST' })
  await expect(
    openReplicationConnection(
      { ...server(), port },
      { applicationName: 'rowcast: test', answerTimeoutMs: 30_000 },
    ),
  ).rejects.toMatchObject({ code: 'WIRE_CONNECTION_LOST', retry: 'backoff' })
})

/** A TCP server for this test; its port. */
function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const listener = createServer(onSocket)
  onTestFinished(() => {
    listener.close()
  })
  return new Promise((resolve) => {
    listener.listen(0, '127.0.0.1', () => {
      const address = listener.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}

test('a session ended by the administrator, during a query and between two', async () => {
  await using database = await openDatabase()
  const terminate = (pid: unknown) => database.query('SELECT pg_terminate_backend($1, 10000)', [pid])
  const during = withSqlClient(database.target, async (sql) => {
    const [row] = await sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const sleeping = sql.query('SELECT pg_sleep(600)')
    await Promise.all([sleeping, terminate(row?.pid)])
  })
  await expect(during).rejects.toMatchObject({
    code: 'SOURCE_SERVER_STOPPED',
    details: { sqlstate: '57P01' },
  })
  const between = withSqlClient(database.target, async (sql) => {
    const [row] = await sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    await terminate(row?.pid)
    await sql.query('SELECT 1')
  })
  await expect(between).rejects.toMatchObject({ retry: 'backoff' })
})

test('no connection left, and no right', async () => {
  await using postgres = await openPostgres({
    settings: { max_connections: 5, superuser_reserved_connections: 3, max_wal_senders: 1 },
  })
  const admin = postgres.cluster.target()
  await withSqlClient(admin, (sql) => sql.execute("CREATE ROLE ada LOGIN PASSWORD 'ada'"))
  const ada = { ...admin, user: 'ada', password: 'ada' }
  await expect(withSqlClient(ada, (sql) => sql.query('CREATE ROLE eve'))).rejects.toMatchObject({
    code: 'SOURCE_PERMISSION_DENIED',
  })
  const nested = withSqlClient(ada, () => withSqlClient(ada, () => withSqlClient(ada, () => connect(ada))))
  await expect(nested).rejects.toMatchObject({ code: 'SOURCE_TOO_MANY_CONNECTIONS', retry: 'backoff' })
})
