/** `enable()` on a real PostgreSQL: idempotent, repairing, and with an error that says what to run. */
import { describe, expect, it } from 'vitest'
import { catalog, type ModelName } from '../../prisma/generated/rowcast.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { openPostgres } from '../support/postgres.ts'

function build(database: TestDatabase, options: { models?: ModelName[]; connectionString?: string } = {}) {
  const rowcast = createRowcast({
    connectionString: options.connectionString ?? database.url,
    catalog,
    slot: slotOf(database),
  })
  for (const model of options.models ?? (['User', 'Post', 'AuditEvent', 'Membership'] as const))
    rowcast.register(model)
  return rowcast
}

const kindsOf = (steps: readonly { kind: string }[]) => steps.map((step) => step.kind)

describe('enable()', () => {
  it('prepares identities, publication and slot once, and then finds nothing to do', async () => {
    await using database = await openDatabase({ migrate: true })
    const rowcast = build(database)
    expect(kindsOf(await rowcast.enable())).toEqual([
      'publication',
      'memory',
      ...Array(4).fill('replica-identity'),
      'publication',
      'slot',
    ])
    expect(await rowcast.enable()).toEqual([])
    const tables = await database.query(
      `SELECT schemaname || '.' || tablename AS name FROM pg_publication_tables WHERE pubname = 'rowcast' ORDER BY 1`,
    )
    expect(tables.map((row) => row['name'])).toEqual([
      'audit.events',
      'public.Post',
      'public.team_memberships',
      'public.users',
    ])
  })

  it('that is stopped before it has written what was there leaves no publication, which disable would not know for ours', async () => {
    await using database = await openDatabase({ migrate: true })
    await database.query(`CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'stopped'; END $$`)
    await database.query(
      `CREATE EVENT TRIGGER stop ON ddl_command_start WHEN TAG IN ('COMMENT') EXECUTE FUNCTION refuse()`,
    )
    await expect(build(database).enable()).rejects.toMatchObject({ code: 'SOURCE_SQL_FAILED' })
    expect(await database.query('SELECT FROM pg_publication')).toEqual([])
    await database.query('DROP EVENT TRIGGER stop')
    expect(kindsOf(await build(database).enable()).slice(0, 2)).toEqual(['publication', 'memory'])
  })

  it('repairs what somebody changed, and adds a model that was registered later', async () => {
    await using database = await openDatabase({ migrate: true })
    await build(database, { models: ['User'] }).enable()
    await database.query('ALTER TABLE users REPLICA IDENTITY DEFAULT')
    await database.query(`ALTER PUBLICATION rowcast SET (publish = 'insert')`)
    const steps = await build(database, { models: ['User', 'Tag'] }).enable()
    expect(kindsOf(steps)).toEqual([
      ...['memory', 'replica-identity', 'replica-identity', 'publication', 'publication'],
    ])
    expect(await build(database, { models: ['User', 'Tag'] }).enable()).toEqual([])
  })

  it('lets two processes start at once', async () => {
    await using database = await openDatabase({ migrate: true })
    const all = await Promise.all([
      build(database).enable(),
      build(database).enable(),
      build(database).enable(),
    ])
    expect(all.map((steps) => steps.length).sort()).toEqual([0, 0, 8])
  })

  it('names the statements for the owner when the role owns nothing', async () => {
    await using database = await openDatabase({ migrate: true })
    const role = `guest_${database.name}`
    await database.query(`CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'x'`)
    try {
      const connectionString = database.url.replace(/\/\/[^@]+@/, `//${role}:x@`)
      const error = await build(database, { models: ['User'], connectionString })
        .enable()
        .catch((e: unknown) => e)
      expect(error).toMatchObject({ code: 'SOURCE_NOT_OWNER' })
      expect((error as Error).message).toContain('ALTER TABLE "public"."users" REPLICA IDENTITY FULL;')
      expect((error as Error).message.split('\n').length).toBeLessThan(25)
      await build(database, { models: ['User'] }).enable()
      expect(await build(database, { models: ['User'], connectionString }).enable()).toEqual([])
    } finally {
      await database.query(`DROP OWNED BY ${role}`)
      await database.query(`DROP ROLE ${role}`)
    }
  })

  it('says when the role may not replicate', async () => {
    await using database = await openDatabase({ migrate: true })
    const role = `plain_${database.name}`
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`)
    try {
      const connectionString = database.url.replace(/\/\/[^@]+@/, `//${role}:x@`)
      await expect(build(database, { connectionString }).enable()).rejects.toMatchObject({
        code: 'SOURCE_NO_REPLICATION_RIGHT',
        hint: expect.stringContaining(`ALTER ROLE "${role}" WITH REPLICATION`),
      })
    } finally {
      await database.query(`DROP ROLE ${role}`)
    }
  })

  it('says when tables are missing, and when one cannot be replicated', async () => {
    await using empty = await openDatabase()
    await expect(build(empty).enable()).rejects.toMatchObject({
      code: 'SOURCE_TABLE_MISSING',
      hint: expect.stringContaining('prisma migrate deploy'),
    })
    await using database = await openDatabase({ migrate: true })
    await database.query('ALTER TABLE "Comment" SET UNLOGGED')
    await expect(build(database, { models: ['Comment'] }).enable()).rejects.toMatchObject({
      code: 'SOURCE_TABLE_NOT_REPLICABLE',
    })
  })

  it('does not take a slot that is not its own', async () => {
    await using database = await openDatabase({ migrate: true })
    await database.query(`SELECT pg_create_logical_replication_slot($1, 'test_decoding')`, [slotOf(database)])
    await expect(build(database).enable()).rejects.toMatchObject({ code: 'SOURCE_SLOT_MISMATCH' })
  })

  it('says which setting is missing where wal_level is not logical', async () => {
    await using postgres = await openPostgres({ settings: { wal_level: 'replica' } })
    await using database = await openDatabase({
      migrate: true,
      serverUrl: postgres.cluster.connectionString(),
    })
    await expect(build(database).enable()).rejects.toMatchObject({
      code: 'SOURCE_WAL_LEVEL',
      hint: expect.stringContaining("ALTER SYSTEM SET wal_level = 'logical'"),
    })
  })
})

describe('start() without enable()', () => {
  it('reports the missing slot with its hint, and begins once somebody enabled it', async () => {
    await using database = await openDatabase({ migrate: true })
    const rowcast = build(database, { models: ['User'] })
    await using _stopped = { [Symbol.asyncDispose]: () => rowcast.stop() }
    rowcast.start()
    await expect.poll(() => rowcast.status().lastError?.code, { timeout: 20_000 }).toBe('SOURCE_SLOT_MISSING')
    await rowcast.enable()
    await rowcast.ready()
  })
})
