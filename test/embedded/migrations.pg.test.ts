import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { applyMigrations } from '../../src/embedded/migrations.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { openDatabase } from '../support/database.ts'
import { openFolder } from '../support/postgres.ts'

const FIRST = '20260101000000_first'
const SECOND = '20260102000000_second'

async function writeMigration(folder: string, name: string, script: string): Promise<void> {
  await mkdir(join(folder, name), { recursive: true })
  await writeFile(join(folder, name, 'migration.sql'), script)
}

test('each migration runs once, in the order of the names, and is recorded as Prisma does', async () => {
  await using folder = await openFolder()
  await using database = await openDatabase()
  const script = '-- Ünïcode\nCREATE TABLE "a" (id int);\nINSERT INTO "a" VALUES (1);\n'
  await writeMigration(folder.path, SECOND, 'ALTER TABLE "a" ADD COLUMN note text;')
  await writeMigration(folder.path, FIRST, script)
  await writeFile(join(folder.path, 'migration_lock.toml'), 'provider = "postgresql"\n')
  const request = { target: database.target, folder: folder.path }

  expect(await applyMigrations(request)).toEqual([FIRST, SECOND])
  expect(await applyMigrations(request)).toEqual([])
  expect(await database.query('SELECT * FROM a')).toEqual([{ id: 1, note: null }])

  await writeMigration(folder.path, '20260103000000_third', 'CREATE TABLE b ();')
  expect(await applyMigrations(request)).toEqual(['20260103000000_third'])

  const records = await database.query('SELECT * FROM _prisma_migrations ORDER BY started_at')
  expect(records[0]).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    checksum: createHash('sha256').update(script).digest('hex'),
    finished_at: expect.any(Date),
    migration_name: FIRST,
    logs: null,
    rolled_back_at: null,
    started_at: expect.any(Date),
    applied_steps_count: 1,
  })
  expect(records).toHaveLength(3)
})

test('two processes at once apply each migration once between them', async () => {
  await using folder = await openFolder()
  await using database = await openDatabase()
  await writeMigration(folder.path, FIRST, 'CREATE TABLE a (id int); SELECT pg_sleep(0.2);')
  const request = { target: database.target, folder: folder.path }
  const applied = await Promise.all([applyMigrations(request), applyMigrations(request)])
  expect(applied.flat()).toEqual([FIRST])
})

test('waiting for another run has a bound', async () => {
  await using folder = await openFolder()
  await using database = await openDatabase()
  await writeMigration(folder.path, FIRST, 'CREATE TABLE a ();')
  await database.query('SELECT pg_advisory_lock(72707369)')
  const request = { target: database.target, folder: folder.path, lockTimeoutMs: 50 }
  await expect(applyMigrations(request)).rejects.toMatchObject({ code: 'EMBEDDED_MIGRATION_LOCKED' })
})

test('a migration edited after it was applied is refused; other line ends are not an edit', async () => {
  await using folder = await openFolder()
  await using database = await openDatabase()
  const request = { target: database.target, folder: folder.path }
  await writeMigration(folder.path, FIRST, 'CREATE TABLE a (\n  id int\n);\n')
  await applyMigrations(request)
  await writeMigration(folder.path, FIRST, 'CREATE TABLE a (\r\n  id int\r\n);\r\n')
  expect(await applyMigrations(request)).toEqual([])
  await writeMigration(folder.path, FIRST, 'CREATE TABLE a (\n  id bigint\n);\n')
  await writeMigration(folder.path, SECOND, 'CREATE TABLE b ();')
  await expect(applyMigrations(request)).rejects.toMatchObject({
    code: 'EMBEDDED_MIGRATION_CHANGED',
    message: expect.stringContaining(FIRST),
  })
  expect(await database.query("SELECT to_regclass('b') AS b")).toEqual([{ b: null }])
})

test('a failed migration names its line, undoes itself, and blocks the next run until it is marked', async () => {
  await using folder = await openFolder()
  await using database = await openDatabase()
  const request = { target: database.target, folder: folder.path }
  await writeMigration(
    folder.path,
    FIRST,
    '-- ä€😀\nCREATE TABLE a (id int);\n\nALTER TABLE missing ADD x int;\n',
  )
  await writeMigration(folder.path, SECOND, 'CREATE TABLE b ();')
  await expect(applyMigrations(request)).rejects.toMatchObject({
    code: 'EMBEDDED_MIGRATION_FAILED',
    message: expect.stringMatching(/first" failed.*42P01.*"missing" does not exist/s),
  })
  expect(await database.query("SELECT to_regclass('a') AS a, to_regclass('b') AS b")).toEqual([
    { a: null, b: null },
  ])
  expect(await database.query('SELECT finished_at, logs FROM _prisma_migrations')).toEqual([
    { finished_at: null, logs: expect.stringContaining('42P01') },
  ])

  await writeMigration(folder.path, FIRST, 'CREATE TABLE a (id int);')
  const blocked = await applyMigrations(request).catch((error: unknown) => error)
  expect(blocked).toMatchObject({ code: 'EMBEDDED_MIGRATION_UNRESOLVED' })

  // The hint's own SQL works.
  const sql = /UPDATE .*;/.exec(blocked instanceof Error ? blocked.message : '')?.[0] ?? ''
  await database.query(sql)
  expect(await applyMigrations(request)).toEqual([FIRST, SECOND])
  expect(await applyMigrations(request)).toEqual([])
})

test('a syntax error is reported with its line', async () => {
  await using folder = await openFolder()
  await using database = await openDatabase()
  await writeMigration(folder.path, FIRST, '-- ä€😀\nCREATE TABLE a (id int);\n\nCREATE TABEL b ();\n')
  await expect(applyMigrations({ target: database.target, folder: folder.path })).rejects.toMatchObject({
    message: expect.stringMatching(/failed at line 4\..*42601.*"TABEL"/s),
  })
})

test('a script with its own transaction, or with another search_path, does not disturb the books', async () => {
  await using folder = await openFolder()
  await using database = await openDatabase()
  const request = { target: database.target, folder: folder.path }
  await writeMigration(folder.path, FIRST, "SELECT set_config('search_path', '', false);")
  await writeMigration(folder.path, SECOND, 'CREATE TABLE b ();')
  await writeMigration(folder.path, '20260103000000_third', 'BEGIN; CREATE TABLE c (); SELECT 1/0; COMMIT;')
  await expect(applyMigrations(request)).rejects.toMatchObject({ code: 'EMBEDDED_MIGRATION_FAILED' })
  expect(
    await database.query(
      'SELECT migration_name, finished_at IS NOT NULL AS done, logs IS NOT NULL AS logged FROM _prisma_migrations ORDER BY 1',
    ),
  ).toEqual([
    { migration_name: FIRST, done: true, logged: false },
    { migration_name: SECOND, done: true, logged: false },
    { migration_name: '20260103000000_third', done: false, logged: true },
  ])
  expect(await database.query("SELECT to_regclass('public.b')::text AS b")).toEqual([{ b: 'b' }])
})

test('everything goes to the schema of the address', async () => {
  await using folder = await openFolder()
  await using database = await openDatabase()
  await writeMigration(folder.path, FIRST, 'CREATE TABLE a ();')
  const target = { ...database.target, schema: 'odd "name"' }
  expect(await applyMigrations({ target, folder: folder.path })).toEqual([FIRST])
  expect(await applyMigrations({ target, folder: folder.path })).toEqual([])
  expect(
    await database.query(
      'SELECT tablename::text FROM pg_tables WHERE schemaname = \'odd "name"\' ORDER BY 1',
    ),
  ).toEqual([{ tablename: '_prisma_migrations' }, { tablename: 'a' }])
})

test('a database with tables that no migration made is left alone', async () => {
  await using folder = await openFolder()
  await using database = await openDatabase()
  await writeMigration(folder.path, FIRST, 'CREATE TABLE a ();')
  await database.query('CREATE TABLE theirs ()')
  await expect(applyMigrations({ target: database.target, folder: folder.path })).rejects.toMatchObject({
    code: 'EMBEDDED_DATABASE_NOT_EMPTY',
  })
  expect(await database.query("SELECT to_regclass('_prisma_migrations') AS books")).toEqual([{ books: null }])
})

test('folders that are not of Prisma are named', async () => {
  await using folder = await openFolder()
  await using database = await openDatabase()
  const { target } = database
  await expect(applyMigrations({ target, folder: join(folder.path, 'none') })).rejects.toMatchObject({
    code: 'EMBEDDED_MIGRATIONS_UNREADABLE',
  })
  await mkdir(join(folder.path, FIRST))
  await expect(applyMigrations({ target, folder: folder.path })).rejects.toMatchObject({
    code: 'EMBEDDED_MIGRATIONS_UNREADABLE',
    message: expect.stringContaining(FIRST),
  })
})

test('a message of a failure carries no values of rows', async () => {
  await using folder = await openFolder()
  await using database = await openDatabase()
  await writeMigration(
    folder.path,
    FIRST,
    `CREATE TABLE a (v text);
     INSERT INTO a VALUES ('top-secret'), ('top-secret');
     ALTER TABLE a ALTER v TYPE int USING v::int;`,
  )
  const request = { target: database.target, folder: folder.path }
  const error = await applyMigrations(request).catch((reason: unknown) => reason)
  expect(error).toMatchObject({
    code: 'EMBEDDED_MIGRATION_FAILED',
    message: expect.stringContaining('22P02'),
  })
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    expect(JSON.stringify([cause.message, { ...cause }])).not.toContain('top-secret')
  }
  expect(
    await withSqlClient(database.target, (sql) => sql.query('SELECT logs FROM _prisma_migrations')),
  ).toEqual([{ logs: expect.not.stringContaining('top-secret') }])
})
