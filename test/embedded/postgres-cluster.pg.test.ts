import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { createPostgresCluster } from '../../src/embedded/postgres-cluster.ts'
import { isProcessAlive, listChildren } from '../../src/embedded/process-table.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { openFolder, openPostgres, testPackage } from '../support/postgres.ts'

test('it is set up for logical replication, speaks UTF8 and listens on 127.0.0.1 only', async () => {
  await using postgres = await openPostgres({ settings: { max_connections: 17 } })
  const [settings] = await withSqlClient(postgres.cluster.target(), (sql) =>
    sql.query(`SELECT current_setting('wal_level') AS wal, current_setting('server_encoding') AS encoding,
      current_setting('listen_addresses') AS listen, current_setting('max_connections') AS connections,
      current_setting('TimeZone') AS zone, current_setting('password_encryption') AS auth,
      'ä' < 'b' AS "isLinguistic"`),
  )
  expect(settings).toEqual({
    wal: 'logical',
    encoding: 'UTF8',
    listen: '127.0.0.1',
    connections: '17',
    zone: 'UTC',
    auth: 'scram-sha-256',
    isLinguistic: false,
  })
  expect(postgres.cluster.version).toMatch(/^\d+\.\d+/)
  expect(await readdir(postgres.folder)).toEqual(expect.arrayContaining(['data', 'data.log']))
  expect(await readFile(postgres.cluster.logFile, 'utf8')).toContain('ready to accept connections')
})

test.each([
  { isDisposable: false, fsync: 'on' },
  { isDisposable: true, fsync: 'off' },
])('data survive a stop, a restart and a crash, and the port stays: $isDisposable', async (row) => {
  await using postgres = await openPostgres({ isDisposable: row.isDisposable })
  const { cluster } = postgres
  const [disk] = await withSqlClient(cluster.target(), (sql) => sql.query('SHOW fsync'))
  expect(disk).toEqual({ fsync: row.fsync })
  const { port } = cluster
  expect(await cluster.createDatabase('kept "db"')).toBe(true)
  expect(await cluster.createDatabase('kept "db"')).toBe(false)
  const target = cluster.target('kept "db"')
  const countRows = () =>
    withSqlClient(target, async (sql) => (await sql.query<{ id: number }>('SELECT id FROM kept')).length)

  await withSqlClient(target, (sql) => sql.execute('CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)'))
  await cluster.restart()
  expect(await countRows()).toBe(1)

  await withSqlClient(target, (sql) => sql.execute('INSERT INTO kept VALUES (2)'))
  await cluster.stop('immediate')
  expect(cluster.isRunning).toBe(false)
  expect(cluster.pid).toBeNull()
  await cluster.stop()
  await cluster.start()
  expect(await countRows()).toBe(2)

  await withSqlClient(target, (sql) => sql.execute('INSERT INTO kept VALUES (3)'))
  await cluster.kill()
  expect(cluster.isRunning).toBe(false)
  await cluster.start()
  expect(await countRows()).toBe(3)
  expect(cluster.port).toBe(port)
})

test('kill() leaves no child behind, not even one that is slow to notice', async () => {
  await using postgres = await openPostgres()
  const { cluster } = postgres
  const pid = cluster.pid ?? 0
  await withSqlClient(cluster.target(), async (sql) => {
    const [session] = await sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const children = listChildren(pid)
    expect(children).toContain(session?.pid)
    process.kill(session?.pid ?? 0, 'SIGSTOP')
    let isKilled = false
    const killing = cluster.kill().then(() => {
      isKilled = true
    })
    await expect.poll(() => cluster.isRunning).toBe(false)
    expect(isKilled).toBe(false)
    process.kill(session?.pid ?? 0, 'SIGCONT')
    await killing
    expect([pid, ...children].filter(isProcessAlive)).toEqual([])
    await expect(sql.query('SELECT 1')).rejects.toMatchObject({ retry: 'backoff' })
  })
})

test('a smart stop waits for the clients', async () => {
  await using postgres = await openPostgres()
  let stopping: Promise<void> = Promise.resolve()
  await withSqlClient(postgres.cluster.target(), async (sql) => {
    stopping = postgres.cluster.stop('smart')
    await expect
      .poll(() => withSqlClient(postgres.cluster.target(), async () => 'in').catch((error) => error.code))
      .toBe('SOURCE_SERVER_STARTING')
    expect(await sql.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    expect(postgres.cluster.isRunning).toBe(true)
  })
  await stopping
  expect(postgres.cluster.isRunning).toBe(false)
})

test('a second server on the same data is refused, naming the first', async () => {
  await using postgres = await openPostgres()
  const second = createPostgresCluster({
    dataFolder: postgres.cluster.dataFolder,
    ...testPackage(),
  })
  await expect(second).rejects.toMatchObject({
    code: 'EMBEDDED_ALREADY_RUNNING',
    message: expect.stringContaining(String(postgres.cluster.pid)),
    hint: expect.stringContaining(`kill -INT ${postgres.cluster.pid}`),
  })
  expect(postgres.cluster.isRunning).toBe(true)
})

/** Starts a cluster in another process of Node.js; resolves when it runs. */
async function holdCluster(dataFolder: string) {
  const script = fileURLToPath(new URL('../support/hold-cluster.ts', import.meta.url))
  const owner = spawn(
    process.execPath,
    ['--import', 'tsx', script, dataFolder, JSON.stringify(testPackage())],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  onTestFinished(() => {
    owner.kill('SIGKILL')
  })
  const exited = new Promise<number | null>((resolve) => owner.once('exit', resolve))
  const line = await new Promise<string>((resolve) => owner.stdout.setEncoding('utf8').once('data', resolve))
  const serverPid = Number(line)
  onTestFinished(() => {
    if (isProcessAlive(serverPid)) process.kill(serverPid, 'SIGQUIT')
  })
  return { owner, exited, serverPid }
}

test('a server whose owner was killed is stopped and the data are taken over', async () => {
  await using folder = await openFolder()
  const dataFolder = join(folder.path, 'data')
  const { owner, exited, serverPid } = await holdCluster(dataFolder)
  owner.kill('SIGKILL')
  await exited
  expect(isProcessAlive(serverPid)).toBe(true)

  const cluster = await createPostgresCluster({ dataFolder, ...testPackage() })
  try {
    expect(isProcessAlive(serverPid)).toBe(false)
    expect(await withSqlClient(cluster.target(), (sql) => sql.query('SELECT id FROM held'))).toEqual([
      { id: 1 },
    ])
  } finally {
    await cluster.stop('immediate')
  }
})

test('a server that its owner forgot ends with the owner, and does not keep it alive', async () => {
  await using folder = await openFolder()
  const { owner, exited, serverPid } = await holdCluster(join(folder.path, 'data'))
  owner.stdin.end()
  expect(await exited).toBe(0)
  await expect.poll(() => isProcessAlive(serverPid)).toBe(false)
})

test('a taken port is refused when it was asked for', async () => {
  await using folder = await openFolder()
  const other = createServer()
  const port = await new Promise<number>((resolve) => {
    other.listen(0, '127.0.0.1', () => {
      const address = other.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
  onTestFinished(() => {
    other.close()
  })
  const dataFolder = join(folder.path, 'data')
  await expect(createPostgresCluster({ dataFolder, port, ...testPackage() })).rejects.toMatchObject({
    code: 'EMBEDDED_PORT_IN_USE',
    message: expect.stringContaining(String(port)),
  })
})

test('a setting that PostgreSQL refuses is reported with its own words', async () => {
  await expect(openPostgres({ settings: { wal_level: 'rainbow' } })).rejects.toMatchObject({
    code: 'EMBEDDED_START_FAILED',
    message: expect.stringContaining('wal_level'),
  })
})

test('folders that are not ours to use are refused and left as they are', async () => {
  await using folder = await openFolder()
  const dataFolder = join(folder.path, 'data')
  const create = () => createPostgresCluster({ dataFolder, ...testPackage() })
  await mkdir(dataFolder)
  await writeFile(join(dataFolder, 'diary.txt'), 'mine')
  await expect(create()).rejects.toMatchObject({ code: 'EMBEDDED_DATA_FOLDER_UNUSABLE' })
  await writeFile(join(dataFolder, 'PG_VERSION'), '9\n')
  await expect(create()).rejects.toMatchObject({
    code: 'EMBEDDED_DATA_FOLDER_UNUSABLE',
    message: expect.stringContaining('made by PostgreSQL 9'),
  })
  expect(await readFile(join(dataFolder, 'diary.txt'), 'utf8')).toBe('mine')
})

test('the superuser has a random password that only the server’s user can read, and keeps it', async () => {
  await using one = await openPostgres()
  await using other = await openPostgres()
  const passwordOf = ({ cluster }: typeof one) => String(cluster.target().password)
  expect(passwordOf(one)).not.toBe(passwordOf(other))
  expect(passwordOf(one)).toMatch(/^[\w-]{24}$/)
  const guess = { ...one.cluster.target(), password: 'postgres' }
  await expect(withSqlClient(guess, (sql) => sql.query('SELECT 1'))).rejects.toMatchObject({
    code: 'SOURCE_AUTHENTICATION_FAILED',
  })
  const { mode } = await stat(join(one.cluster.dataFolder, 'rowcast.password'))
  expect(mode & 0o777).toBe(0o600)
  await one.cluster.restart()
  expect(await withSqlClient(one.cluster.target(), (sql) => sql.query('SELECT 1 AS one'))).toEqual([
    { one: 1 },
  ])
})

test('another password than the data folder was made with is named as the reason', async () => {
  await using postgres = await openPostgres({ password: 'first & last' })
  const { dataFolder } = postgres.cluster
  await postgres.cluster.stop()
  const options = { dataFolder, password: 'second', ...testPackage() }
  await expect(createPostgresCluster(options)).rejects.toMatchObject({
    code: 'EMBEDDED_DATA_FOLDER_UNUSABLE',
    message: expect.stringContaining('another password'),
  })
})
