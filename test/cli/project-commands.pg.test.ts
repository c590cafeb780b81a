/** The commands against a real database, as somebody at a terminal runs them. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { skipMarkPrefix } from '../../src/source/setup/skip-marks.ts'
import { quoteIdentifier } from '../../src/wire/quote.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { openService } from '../support/live-service.ts'
import { untilLooking } from './look-slots.ts'
import { openCliFolder } from './run-cli.ts'

const envOf = (database: TestDatabase, url = database.url) => ({
  DATABASE_URL: url,
  ROWCAST_SLOT: slotOf(database),
  ROWCAST_PUBLICATION: 'rowcast',
})

/** All that set-up may touch, as text. */
async function catalogOf(database: TestDatabase): Promise<string> {
  const rows = await database.query(
    `SELECT (SELECT jsonb_agg(to_jsonb(p) - 'oid') FROM pg_publication p) AS publications,
            (SELECT jsonb_agg(to_jsonb(pr) - 'oid' - 'prpubid') FROM pg_publication_rel pr) AS published,
            (SELECT jsonb_agg(s.slot_name) FROM pg_replication_slots s WHERE s.database = current_database()) AS slots,
            (SELECT jsonb_agg(jsonb_build_array(c.relname, c.relreplident, obj_description(c.oid),
                     (SELECT array_agg(i.indexrelid::regclass) FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident)) ORDER BY c.oid)
               FROM pg_class c WHERE c.relkind IN ('r', 'p') AND c.relnamespace::regnamespace::text !~ '^pg_|information') AS identities`,
  )
  return JSON.stringify(rows)
}

async function marksOf(database: TestDatabase): Promise<number> {
  const [found] = await database.query<{ count: number }>(
    `SELECT count(*)::int FROM pg_replication_slots WHERE starts_with(slot_name::text, $1)`,
    [skipMarkPrefix(slotOf(database))],
  )
  return found?.count ?? 0
}

describe('enable and disable', () => {
  it('leave nothing behind: slot, publication and identities are as they were', async () => {
    await using database = await openDatabase({ migrate: true })
    await database.query('ALTER TABLE "Tag" REPLICA IDENTITY USING INDEX "Tag_name_key"')
    await database.query('ALTER TABLE "Team" REPLICA IDENTITY NOTHING')
    await database.query('ALTER TABLE "Comment" REPLICA IDENTITY FULL')
    await using folder = await openCliFolder(envOf(database))
    const before = await catalogOf(database)

    const planned = await folder.run(['enable', '--dry-run', '--json'])
    expect(planned).toMatchObject({ code: 0, stderr: '' })
    expect(await catalogOf(database)).toBe(before)
    const { steps } = JSON.parse(planned.stdout) as { steps: { sql: string }[] }
    expect(steps.map(({ sql }) => sql).join('\n')).toContain(
      'ALTER TABLE "public"."Tag" REPLICA IDENTITY FULL',
    )

    expect(await folder.run(['enable'])).toMatchObject({ code: 0, stderr: '' })
    expect(await catalogOf(database)).not.toBe(before)
    expect((await folder.run(['enable'])).stdout).toContain('nothing to do')

    // Notified first, done with --yes only.
    const reported = await folder.run(['disable'])
    expect(reported.code).toBe(3)
    expect(reported.stdout).toContain('--yes')
    expect(reported.stdout).toContain('pg_drop_replication_slot')
    expect(await folder.run(['disable', '--yes'])).toMatchObject({ code: 0, stderr: '' })
    expect(await catalogOf(database)).toBe(before)
    expect((await folder.run(['disable', '--yes'])).stdout).toContain('nothing of rowcast')
  })

  it('skip marks one transaction, says whose changes are given up, and refuses what is none; disable takes the mark away', async () => {
    await using database = await openDatabase({ migrate: true })
    await using folder = await openCliFolder(envOf(database))
    await folder.run(['enable'])
    await database.query(`INSERT INTO "Tag" (name) VALUES ('one')`)
    const [begin] = await database.query<{ to: string }>(
      `SELECT ('0/0'::pg_lsn + ('x' || encode(substring(data FROM 2 FOR 8), 'hex'))::bit(64)::bigint + 1)::text AS "to"
         FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', 'rowcast')
        WHERE get_byte(data, 0) = 66 ORDER BY lsn DESC LIMIT 1`,
      [slotOf(database)],
    )
    const to = begin?.to ?? ''
    for (const wrong of ['nonsense', '0/1', 'FFFFFFFF/0', to.replace(/.$/, '0')]) {
      const refused = await folder.run(['skip', '--to', wrong, '--yes'])
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('CLI_BAD_OPTION')])
    }
    const reported = await folder.run(['skip', '--to', to, '--json'])
    expect(reported.code).toBe(3)
    const skipped = { slot: slotOf(database), to, models: ['Tag'], tables: ['public.Tag'] }
    expect(JSON.parse(reported.stdout)).toEqual({ done: false, ...skipped })
    expect(await marksOf(database)).toBe(0)
    expect(JSON.parse((await folder.run(['skip', '--to', to, '--yes', '--json'])).stdout)).toEqual({
      ...{ done: true, ...skipped },
    })
    expect(await marksOf(database)).toBe(1)
    expect((await folder.run(['skip', '--to', to, '--yes'])).stdout).toContain('Subscriptions of Tag end')
    expect(await marksOf(database)).toBe(1)
    expect((await folder.run(['disable', '--yes'])).code).toBe(0)
    expect(await marksOf(database)).toBe(0)
  })

  it('disable leaves a publication alone that publishes more, and refuses while somebody reads the slot', async () => {
    await using database = await openDatabase({ migrate: true })
    await using folder = await openCliFolder(envOf(database), 'models: { Tag: {} }')
    await database.query('CREATE PUBLICATION rowcast FOR TABLE "Team"')
    await folder.run(['enable'])
    {
      await using service = await openService(database)
      await service.service.rowcast.ready()
      const refused = await folder.run(['disable', '--yes'])
      expect(refused.code).toBe(1)
      expect(refused.stderr).toMatch(/SOURCE_SLOT_IN_USE.*pg_terminate_backend/s)
    }
    expect((await folder.run(['disable', '--yes'])).code).toBe(0)
    const left = await database.query('SELECT tablename::text FROM pg_publication_tables')
    expect(left).toEqual([{ tablename: 'Team' }])
  })
})

it('doctor, status, plan and enable look at a table that somebody holds in ACCESS EXCLUSIVE', async () => {
  await using database = await openDatabase({ migrate: true })
  await using folder = await openCliFolder(envOf(database), 'models: { Tag: {}, Team: {} }')
  await folder.run(['enable'])
  await database.query('BEGIN')
  await database.query('LOCK TABLE "Tag" IN ACCESS EXCLUSIVE MODE')
  const [doctor, status, plan, enable] = await Promise.all(
    [['doctor'], ['status'], ['plan'], ['enable']].map((command) => folder.run(command)),
  )
  await database.query('ROLLBACK')
  expect(doctor).toMatchObject({ code: 0, stderr: '' })
  expect(status).toMatchObject({ stderr: '', stdout: expect.stringContaining('WAL reserved') })
  expect(plan).toMatchObject({ code: 0, stderr: '' })
  expect(enable).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing to do') })
})

it('plan writes a migration that lets a role run which may not ALTER', async () => {
  await using database = await openDatabase({ migrate: true })
  const role = `runner_${database.name}`
  await database.query(`CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'runner'`)
  await database.query(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role}`)
  onTestFinished(async () => {
    await database.query(`DROP OWNED BY ${role}`).catch(() => undefined)
  })
  const url = new URL(database.url)
  url.username = role
  url.password = 'runner'
  await using folder = await openCliFolder(envOf(database, url.href), 'models: { Tag: {}, Team: {} }')
  const refused = await folder.run(['enable'])
  expect(refused.code).toBe(1)
  expect(refused.stderr).toContain('SOURCE_NOT_OWNER')

  const homeless = await folder.run(['plan'])
  expect(homeless).toMatchObject({ code: 1, stderr: expect.stringContaining('CLI_NO_SCHEMA') })
  expect(homeless.stderr).toContain('rowcast plan --schema')
  await mkdir(join(folder.path, 'prisma'))
  await writeFile(join(folder.path, 'prisma/schema.prisma'), '')

  await database.query('BEGIN')
  await database.query('SELECT FROM "Tag"')
  const planned = await folder.run(['plan'])
  await database.query('ROLLBACK')
  expect(planned.stdout).toContain('prisma migrate deploy')
  expect(planned.stdout).toMatch(/"public"\."Tag" is locked now by process \d+ \("rowcast test"\)/)
  const [name] = await readdir(join(folder.path, 'prisma/migrations'))
  expect(name).toMatch(/^\d{14}_rowcast$/)
  const sql = await readFile(join(folder.path, 'prisma/migrations', name ?? '', 'migration.sql'), 'utf8')
  // As Prisma runs it: one statement of several, hence one transaction.
  await database.query(sql)
  expect((await folder.run(['plan'])).stdout).toContain('nothing to migrate')
  expect(await folder.run(['enable'])).toMatchObject({ code: 0, stderr: '' })
  const tail = folder.start(['tail', '--json', '--limit', '1'])
  await untilLooking(database, 1)
  await database.query(`INSERT INTO "Tag" (name) VALUES ('planned')`)
  expect(JSON.parse(await tail.nextLine())).toMatchObject({ model: 'Tag', new: { name: 'planned' } })
  expect((await tail.ended).code).toBe(0)
  // What the owner enabled with a migration, the owner takes back.
  await using owner = await openCliFolder(envOf(database), 'models: { Tag: {}, Team: {} }')
  await owner.run(['disable', '--yes'])
  expect(await database.query(`SELECT relreplident FROM pg_class WHERE relname IN ('Tag', 'Team')`)).toEqual([
    { relreplident: 'd' },
    { relreplident: 'd' },
  ])
  await database.query(`DROP OWNED BY ${role}`)
  await database.query(`DROP ROLE ${role}`)
})

/** `psql` runs `\\! …` in a shell wherever a line begins with it. */
it('plan writes names with line breaks so that psql runs nothing of them', async () => {
  await using database = await openDatabase({ migrate: true })
  await using folder = await openCliFolder(envOf(database), 'models: { Tag: {} }')
  const gone = join(folder.path, 'gone')
  const name = `t\n\\! touch ${gone}\n--`.slice(0, 63)
  await database.query(`CREATE TABLE ${quoteIdentifier(name)} () INHERITS ("Tag")`)
  const { stdout, code } = await folder.run(['plan', '--stdout'])
  expect(code).toBe(0)
  expect(stdout).toContain('touch')
  const lines = stdout.split('\n').filter((line) => line !== '')
  expect(lines.filter((line) => !/^(-- |ALTER |CREATE |COMMENT )/.test(line))).toEqual([])
  const psql = spawnSync('psql', ['-v', 'ON_ERROR_STOP=1', database.url], { input: stdout, encoding: 'utf8' })
  if (psql.error !== undefined) process.stderr.write('psql is not installed: the migration was only read.\n')
  else {
    expect(psql).toMatchObject({ status: 0 })
    expect((await folder.run(['plan'])).stdout).toContain('nothing to migrate')
  }
  expect(existsSync(gone)).toBe(false)
})

async function slotsOf(database: TestDatabase): Promise<number> {
  const rows = await database.query('SELECT FROM pg_replication_slots WHERE database = current_database()')
  return rows.length
}

describe('tail', () => {
  it('shows changes as they come beside a running service, and leaves no slot', async () => {
    await using database = await openDatabase({ migrate: true })
    await using service = await openService(database)
    await service.service.rowcast.ready()
    await using folder = await openCliFolder(envOf(database))
    const tail = folder.start(['tail', 'tag', '--action', 'insert', 'update', '--limit', '2'])
    await tail.said('from now on')
    await database.query(`INSERT INTO "Team" (name, slug) VALUES ('not', 'asked-for')`)
    await database.query(`INSERT INTO "Tag" (name) VALUES ('new')`)
    await database.query(`UPDATE "Tag" SET name = 'newer', color = '#ff0000'`)
    const { code, stdout } = await tail.ended
    expect(code).toBe(0)
    expect(stdout).toMatch(/INSERT {3}Tag id=1 .*\n {4}\+ id: 1\n {4}\+ name: "new"\n/)
    expect(stdout).toMatch(
      /UPDATE {3}Tag id=1 .*\n {4}~ name: "new" → "newer"\n {4}~ color: null → "#ff0000"\n$/,
    )
    expect(stdout).not.toContain('Team')
    expect(stdout).not.toContain('\u001b')
    expect(await slotsOf(database)).toBe(1)
  })

  it('filters by a where, and goes on from a cursor without consuming anything', async () => {
    await using database = await openDatabase({ migrate: true })
    await using folder = await openCliFolder(envOf(database), 'models: { Tag: {} }')
    await folder.run(['enable'])
    await database.query(`INSERT INTO "Tag" (name) SELECT 'tag ' || n FROM generate_series(1, 100) n`)
    const names = (text: string) =>
      text
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { new: { name: string } }).new.name)
    const where = ['--where', '{"name": {"endsWith": "0"}}']
    const first = await folder.run(['tail', 'Tag', ...where, '--from', 'earliest', '--json', '--limit', '3'])
    expect(names(first.stdout)).toEqual(['tag 10', 'tag 20', 'tag 30'])
    const cursor = (JSON.parse(first.stdout.trim().split('\n')[1] ?? '') as { cursor: string }).cursor
    const next = await folder.run(['tail', 'Tag', '--from', cursor, '--json', '--limit', '2'])
    expect(names(next.stdout)).toEqual(['tag 21', 'tag 22'])
  })

  it.each([
    [['tail', 'Teamm'], 'Did you mean "Team"'],
    [['tail', '--where', '{"id": 1}'], 'about one model'],
    [['tail', 'Tag', '--where', 'id=1'], 'not JSON'],
    [['tail', 'Tag', '--where', '{"nme": 1}'], 'BAD_FILTER'],
    [['tail', '--action', 'UPSERT'], 'CLI_BAD_OPTION'],
    [['tail', '--from', 'yesterday'], 'BAD_CURSOR'],
    [['tail'], 'SOURCE_PUBLICATION_MISSING'],
  ])('%j says what is wrong', async (args, words) => {
    await using database = await openDatabase({ migrate: true })
    await using folder = await openCliFolder(envOf(database), 'models: { Tag: {}, Team: {} }')
    const { code, stderr } = await folder.run(args)
    expect(code).toBe(1)
    expect(stderr).toContain(words)
  })
})

describe('doctor', () => {
  it('finds nothing in the way of a healthy database, and counts what is to do', async () => {
    await using database = await openDatabase({ migrate: true })
    await using folder = await openCliFolder(envOf(database))
    const { code, stdout } = await folder.run(['doctor'])
    expect(stdout).toContain('Changes can flow.')
    expect(stdout).toContain('SETUP_PENDING')
    expect(code).toBe(0)
  })

  it('shows what is amiss, with what to run', async () => {
    await using database = await openDatabase({ migrate: true })
    await database.query('ALTER TABLE "Tag" DROP COLUMN color')
    await database.query('ALTER TABLE "Team" ALTER COLUMN name DROP NOT NULL')
    await database.query('ALTER TABLE "Comment" ALTER COLUMN body TYPE int USING 0')
    await using folder = await openCliFolder(envOf(database))
    const { code, stdout } = await folder.run(['doctor', '--json'])
    expect(code).toBe(3)
    const { findings } = JSON.parse(stdout) as {
      findings: { code: string; model: string; why: string; hint: string }[]
    }
    const drift = findings.filter((finding) => finding.code === 'CATALOG_DRIFT')
    expect(drift.map(({ why }) => why)).toEqual([
      expect.stringMatching(/Comment\.body.*integer/),
      expect.stringMatching(/Tag\.color.*does not exist/),
    ])
    expect(findings.find((finding) => finding.code === 'NULLABLE_COLUMN')).toMatchObject({ model: 'Team' })
    for (const { hint } of findings) expect(hint).not.toBe('')
  })
})

describe('status', () => {
  it('says who reads the slot, and what is in the way', async () => {
    await using database = await openDatabase({ migrate: true })
    await using folder = await openCliFolder(envOf(database))
    const none = await folder.run(['status', '--json'])
    expect(none.code).toBe(3)
    expect(JSON.parse(none.stdout)).toMatchObject({ problem: { code: 'SOURCE_SLOT_MISSING' }, reader: null })
    await using service = await openService(database)
    await service.service.rowcast.ready()
    const some = await folder.run(['status', '--json', '--url', service.url])
    expect(some.code).toBe(0)
    expect(JSON.parse(some.stdout)).toMatchObject({
      problem: null,
      reader: { name: `rowcast: ${slotOf(database)}`, state: 'streaming' },
      service: { isReady: true, state: 'streaming' },
    })
    expect((await folder.run(['status'])).stdout).toMatch(/Reader +rowcast: .*\(streaming\)/)
    await service.service.stop()
    const left = await folder.run(['status'])
    expect([left.code, left.stdout]).toEqual([3, expect.stringMatching(/Reader +nobody/)])
  })
})
