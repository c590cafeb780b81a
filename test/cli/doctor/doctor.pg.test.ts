/** `doctor` on real servers in real states; what it decides: findings.test.ts. */
import { Buffer } from 'node:buffer'
import { expect, it } from 'vitest'
import type { Finding } from '../../../src/cli/doctor/examination.ts'
import { withSqlClient } from '../../../src/source/db/sql.ts'
import { skipBelow } from '../../scenarios/scenario.ts'
import { openDatabase, type TestDatabase } from '../../support/database.ts'
import { openTcpProxy } from '../../support/tcp-proxy.ts'
import { openCliFolder } from '../run-cli.ts'

interface Diagnosis {
  readonly serverVersion: string | null
  readonly findings: readonly Finding[]
}

async function examine(database: TestDatabase, url = database.url, config = 'models: { Tag: {} }') {
  const slot = `slot_${database.name}`
  await using folder = await openCliFolder({ DATABASE_URL: url, ROWCAST_SLOT: slot }, config)
  const { code, stdout, stderr } = await folder.run(['doctor', '--json'])
  expect(stderr).toBe('')
  return { code, ...(JSON.parse(stdout) as Diagnosis) }
}

const codesOf = ({ findings }: Diagnosis) => findings.map(({ code }) => code)

it('finds what SQL cannot: a pooler that refuses replication connections', async () => {
  await using database = await openDatabase({ migrate: true })
  const { hostname, port } = new URL(database.url)
  // A pooler answers a start-up parameter that it does not know with an error. The server does, too.
  await using proxy = await openTcpProxy(Number(port), {
    intercept: (bytes) =>
      Buffer.from(bytes.toString('latin1').replace('replication\0', 'replicatiox\0'), 'latin1'),
  })
  const url = database.url.replace(`${hostname}:${port}`, `127.0.0.1:${proxy.port}`)
  const refused = await examine(database, url)
  expect(refused.code).toBe(3)
  expect(refused.findings[0]).toMatchObject({
    ...{ severity: 'error', code: 'REPLICATION_REFUSED' },
    why: expect.stringContaining(`127.0.0.1:${proxy.port} answers SQL`),
    hint: expect.stringContaining('direct address'),
  })
  expect((await examine(database)).code).toBe(0)
})

it('reads columns as the stream does: domains, arrays of them, widened numbers, texts behind enums', async () => {
  await using database = await openDatabase({ migrate: true })
  await database.query(`
    CREATE DOMAIN word AS text; CREATE DOMAIN flag AS boolean;
    ALTER TABLE users ALTER tags DROP DEFAULT, ALTER tags TYPE word[] USING tags::word[],
      ALTER reputation TYPE numeric, ALTER storage_bytes TYPE int USING 0, ALTER balance TYPE float8,
      ALTER role DROP DEFAULT, ALTER role TYPE text`)
  expect(codesOf(await examine(database, database.url, 'models: { User: {} }'))).not.toContain(
    'CATALOG_DRIFT',
  )
  await database.query('ALTER TABLE users ALTER role TYPE int USING 0')
  expect(codesOf(await examine(database, database.url, 'models: { User: {} }'))).toContain('CATALOG_DRIFT')
})

it('sees through domains, as the stream does', async () => {
  await using database = await openDatabase({ migrate: true })
  await database.query(
    'CREATE DOMAIN words AS text; CREATE DOMAIN few_words AS words; CREATE DOMAIN cents AS int',
  )
  await database.query('ALTER TABLE "Tag" ALTER COLUMN name TYPE few_words')
  expect(codesOf(await examine(database))).not.toContain('CATALOG_DRIFT')
  await database.query('ALTER TABLE "Tag" ALTER COLUMN name TYPE cents USING 0')
  expect(codesOf(await examine(database))).toContain('CATALOG_DRIFT')
})

it('finds a server that does not answer', async () => {
  await using database = await openDatabase()
  const nobody = await examine(database, 'postgresql://u:secret@127.0.0.1:1/none')
  expect(nobody).toMatchObject({ code: 3, serverVersion: null })
  expect(codesOf(nobody)).toEqual(['SOURCE_CONNECTION_REFUSED'])
  expect(JSON.stringify(nobody)).not.toContain('secret')
})

it('finds the rights that are missing, and takes membership in rds_replication for the right to replicate', async () => {
  await using database = await openDatabase({ migrate: true })
  const role = `plain_${database.name}`
  const url = database.url.replace(/\/\/[^@]+@/, `//${role}:x@`)
  await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`)
  try {
    const without = await examine(database, url)
    expect(without.code).toBe(3)
    expect(without.findings[0]).toMatchObject({
      ...{
        code: 'SOURCE_NO_REPLICATION_RIGHT',
        hint: expect.stringContaining(`ALTER ROLE "${role}" WITH REPLICATION`),
      },
    })
    expect(codesOf(without)).toContain('NO_SELECT')
    await database.query(
      `DO $$ BEGIN CREATE ROLE rds_replication NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    )
    await database.query(`GRANT rds_replication TO ${role}`)
    await database.query(`GRANT SELECT ON "Tag" TO ${role}`)
    const member = await examine(database, url)
    expect(codesOf(member)).not.toContain('SOURCE_NO_REPLICATION_RIGHT')
    expect(codesOf(member)).not.toContain('NO_SELECT')
    expect(codesOf(member)).toContain('SOURCE_NOT_OWNER')
  } finally {
    await database.query(`DROP OWNED BY ${role}`)
    await database.query(`DROP ROLE ${role}`)
  }
})

it('weighs identities and large values by the table’s statistics', async () => {
  await using database = await openDatabase({ migrate: true })
  await database.query('DROP INDEX "Tag_name_key"')
  await database.query(
    'ALTER TABLE "Tag" ALTER COLUMN name TYPE text, ALTER COLUMN name SET STORAGE EXTERNAL',
  )
  // A session sends its statistics when it ends, at the latest.
  await withSqlClient(database.target, async (sql) => {
    await sql.execute(
      `INSERT INTO "Tag" (name) SELECT repeat(n::text, 5000) FROM generate_series(100, 600) n`,
    )
    await sql.execute(`UPDATE "Tag" SET color = '#fff'`)
    await sql.execute('ANALYZE "Tag"')
  })
  await expect
    .poll(async () => codesOf(await examine(database)), { timeout: 60_000, interval: 500 })
    .toEqual(expect.arrayContaining(['IDENTITY_COST', 'TOAST_HEAVY']))
  const kept = await examine(database, database.url, "models: { Tag: { replicaIdentity: 'keep' } }")
  expect(codesOf(kept)).toContain('OLD_NOT_SENT')
  expect(codesOf(kept)).not.toContain('IDENTITY_COST')
})

it('names the publication of somebody else under which PostgreSQL refuses UPDATE and DELETE', async (context) => {
  await using database = await openDatabase({ migrate: true })
  await skipBelow(15, database, context)
  await database.query('CREATE PUBLICATION rowcast FOR TABLE "Tag"; ALTER TABLE "Tag" REPLICA IDENTITY FULL')
  await database.query(`SELECT pg_create_logical_replication_slot('slot_${database.name}', 'pgoutput')`)
  expect(codesOf(await examine(database))).not.toContain('SOURCE_IDENTITY_CONFLICT')
  await database.query('CREATE PUBLICATION others FOR TABLE "Tag" (id)')
  expect((await examine(database)).findings).toContainEqual(
    expect.objectContaining({
      ...{ severity: 'error', code: 'SOURCE_IDENTITY_CONFLICT' },
      why: expect.stringContaining('Publication "others" lists columns of "public"."Tag"'),
      hint: expect.stringContaining('"others"'),
    }),
  )
})

it('reports the slot that nobody reads, of others, and of tables that are sent for nothing', async () => {
  await using database = await openDatabase({ migrate: true })
  await database.query('CREATE PUBLICATION rowcast FOR TABLE "Tag", "Team"')
  for (const name of [`slot_${database.name}`, `other_${database.name}`])
    await database.query('SELECT pg_create_logical_replication_slot($1, $2)', [name, 'pgoutput'])
  const { findings } = await examine(database)
  expect(findings).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ code: 'SLOT_UNREAD', why: expect.stringContaining(`slot_${database.name}`) }),
      expect.objectContaining({ code: 'SLOT_IDLE', hint: expect.stringContaining(`other_${database.name}`) }),
      expect.objectContaining({ code: 'PUBLISHED_UNUSED', hint: expect.stringContaining('"public"."Team"') }),
    ]),
  )
})

const MODELS =
  'models: { User: {}, Session: {}, Account: {}, Team: {}, Membership: {}, Post: {}, Comment: {}, Tag: {} }'

it('prints what is wrong with many models in few lines, and each of them as JSON', async () => {
  await using database = await openDatabase({ migrate: true })
  const role = `reader_${database.name}`
  const url = database.url.replace(/\/\/[^@]+@/, `//${role}:x@`)
  await database.query(`CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'x'`)
  try {
    await using folder = await openCliFolder({ DATABASE_URL: url, ROWCAST_SLOT: database.name }, MODELS)
    const { findings } = JSON.parse((await folder.run(['doctor', '--json'])).stdout) as Diagnosis
    const unread = findings.filter(({ code }) => code === 'NO_SELECT')
    expect(unread.length).toBeGreaterThan(4)
    const { stdout } = await folder.run(['doctor'])
    expect(stdout.match(/^warning\s+NO_SELECT/gm)).toHaveLength(3)
    expect(stdout).toContain(`and ${unread.length - 3} more NO_SELECT, of `)
  } finally {
    await database.query(`DROP ROLE ${role}`)
  }
})
