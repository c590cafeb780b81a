/**
 * Replica identities while changes flow: new partitions are looked after, and what makes PostgreSQL refuse the
 * application's own statements is set back, or at least said.
 */
import { readFile } from 'node:fs/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { toHealthReport } from '../../src/service-health.ts'
import { openApplication } from '../support/application.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { openDatabase } from '../support/database.ts'
import { buildRowcast, ITEM, OTHER, openScenario, skipBelow, TABLES } from './scenario.ts'

const PARTED = `CREATE TABLE items (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
  CREATE TABLE items_0 PARTITION OF items FOR VALUES FROM (0) TO (5000); CREATE TABLE others (id int PRIMARY KEY)`
const NEXT = 'CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (5000) TO (6000)'
const IDENTITY = `SELECT relreplident::text AS identity FROM pg_class WHERE relname = `

const identityOf = async (
  sql: (text: string) => Promise<readonly Record<string, unknown>[]>,
  table: string,
) => (await sql(`${IDENTITY}'${table}'`))[0]?.['identity']

/** Ends once the application's own statement works again. */
const worksAgain = (sql: (text: string) => Promise<unknown>, statement: string) =>
  expect
    .poll(
      () =>
        sql(statement).then(
          () => 'done',
          (error: unknown) => (error as { code: unknown }).code,
        ),
      { timeout: 20_000 },
    )
    .toBe('done')

describe('a new partition', () => {
  it('is set to FULL by the watch, beside the application, and goes back with disable()', async () => {
    const { sql, rowcast, watch, database } = await openScenario({ sql: PARTED })
    await using application = await openApplication(database)
    await sql(NEXT)
    await expect.poll(() => identityOf(sql, 'items_1'), { timeout: 20_000 }).toBe('f')
    await expect.poll(() => rowcast.status().identityFaults, { timeout: 20_000 }).toEqual([])
    const items = watch()
    await sql(`INSERT INTO items VALUES (5001, 'a'); DELETE FROM items WHERE id = 5001`)
    for (let change = await items.next(); ; change = await items.next()) {
      if (change.action !== 'DELETE' || change.key?.['id'] !== 5001) continue
      expect(change.old).toEqual({ id: 5001, note: 'a' })
      break
    }
    await application.ran(2)
    expect(application.failures).toEqual([])
    await rowcast.disable()
    expect(await identityOf(sql, 'items_1')).toBe('d')
  })

  it('is reported as long as it cannot be repaired', async () => {
    const { sql, rowcast } = await openScenario({ sql: PARTED, options: { watchIntervalMs: 100 } })
    await sql(NEXT)
    await sql('BEGIN; SELECT FROM items_1')
    await expect
      .poll(() => rowcast.status().identityFaults.map(({ code }) => code), { timeout: 20_000 })
      .toEqual(['SOURCE_IDENTITY_NOT_FULL'])
    await sql('ROLLBACK')
    await expect.poll(() => rowcast.status().identityFaults, { timeout: 20_000 }).toEqual([])
  })

  it('is not made possible where nothing would identify its rows', async () => {
    await using database = await openDatabase()
    await database.query(
      `CREATE TABLE items (id int, note text) PARTITION BY RANGE (id); CREATE TABLE others (id int PRIMARY KEY)`,
    )
    await expect(buildRowcast(database).enable()).rejects.toMatchObject({
      code: 'SOURCE_IDENTITY_MISSING',
      hint: expect.stringContaining('primary key'),
    })
  })
})

describe('a generated column that is added to a live model', () => {
  const total = 'ALTER TABLE items ADD COLUMN total int GENERATED ALWAYS AS (id * 2)'

  it('and stored, is published: the application goes on', async () => {
    const { sql, database, watch } = await openScenario()
    await using application = await openApplication(database)
    await application.ran(2)
    await sql(`${total} STORED`)
    await application.ran(2)
    const items = watch()
    await sql(`INSERT INTO items (id, note) VALUES (1, 'a'); UPDATE items SET note = 'b' WHERE id = 1`)
    for (let change = await items.next(); change.key?.['id'] !== 1; change = await items.next());
    await application.ran(2)
    expect(application.failures).toEqual([])
  })

  it('and stored, is made to be published by the publication of an earlier set-up', async (context) => {
    await using database = await openDatabase()
    await skipBelow(18, database, context)
    await database.query(`${TABLES}; CREATE PUBLICATION rowcast FOR TABLE items, others
      WITH (publish_via_partition_root = true)`)
    await buildRowcast(database).enable()
    await database.query(`${total} STORED; INSERT INTO items (id) VALUES (1); UPDATE items SET note = 'a'`)
  })

  it('and virtual, makes PostgreSQL refuse UPDATE until the watch has set the identity back; it says so', async (context) => {
    const { sql, rowcast, database } = await openScenario()
    await skipBelow(18, database, context)
    await sql(`INSERT INTO items VALUES (1, 'a'); ${total} VIRTUAL`)
    await expect
      .poll(
        () =>
          sql(`UPDATE items SET note = 'b'`).then(
            () => 'done',
            () => 'refused',
          ),
        { timeout: 20_000 },
      )
      .toBe('done')
    expect(await identityOf(sql, 'items')).toBe('d')
    await expect
      .poll(() => rowcast.status().identityFaults.map(({ code }) => code), { timeout: 20_000 })
      .toEqual(['SOURCE_IDENTITY_NOT_FULL'])
    await expect(rowcast.enable()).rejects.toMatchObject({ code: 'SOURCE_IDENTITY_CONFLICT' })
    await sql(`UPDATE items SET note = 'c'`)
  })

  it('and virtual, is seen long before the next look of the watch', async (context) => {
    const { sql, database } = await openScenario({ options: { watchIntervalMs: 3_600_000 } })
    await skipBelow(18, database, context)
    await sql(`${total} VIRTUAL`)
    await expect.poll(() => identityOf(sql, 'items'), { timeout: 20_000 }).toBe('d')
    await sql(`INSERT INTO items VALUES (1, 'a'); UPDATE items SET note = 'b'`)
  })

  it('and virtual, has no window where the same statement sets the identity back', async (context) => {
    const { sql, database, rowcast } = await openScenario()
    await skipBelow(18, database, context)
    await using application = await openApplication(database)
    await application.ran(2)
    await sql(`${total} VIRTUAL, REPLICA IDENTITY DEFAULT`)
    await application.ran(2)
    await expect
      .poll(() => rowcast.status().identityFaults.map(({ code }) => code), { timeout: 20_000 })
      .toEqual(['SOURCE_IDENTITY_NOT_FULL'])
    await application.ran(2)
    expect(application.failures).toEqual([])
  })

  it('and virtual, has no window where the event trigger of the manual is', async (context) => {
    const { sql, database } = await openScenario({ sql: `${PARTED}; ALTER TABLE others ADD COLUMN n int` })
    await skipBelow(18, database, context)
    const manual = await readFile('docs/postgres-scenarios.md', 'utf8')
    const [, trigger = ''] = /```sql\n([^`]*CREATE EVENT TRIGGER[^`]*)```/.exec(manual) ?? []
    await sql(trigger)
    await using application = await openApplication(database)
    await application.ran(2)
    await sql(`${total} VIRTUAL`)
    await sql('ALTER TABLE others ADD COLUMN m int GENERATED ALWAYS AS (n + 1) VIRTUAL')
    expect(await Promise.all(['items_0', 'others'].map((table) => identityOf(sql, table)))).toEqual([
      'd',
      'd',
    ])
    await application.ran(2)
    expect(application.failures).toEqual([])
  })

  it('and virtual, is helped by what the hint says: keep', async (context) => {
    await using database = await openDatabase()
    await skipBelow(18, database, context)
    await database.query(TABLES)
    const first = buildRowcast(database)
    await first.enable()
    await database.query(`INSERT INTO items VALUES (1, 'a'); ${total} VIRTUAL`)
    await expect(database.query(`UPDATE items SET note = 'b'`)).rejects.toMatchObject({ code: '42P10' })
    const register = { Item: { replicaIdentity: 'keep' as const } }
    await buildRowcast(database, { register }).enable()
    await database.query(`UPDATE items SET note = 'b'`)
  })
})

it('a virtual column of a table without a key: it leaves the publication, and its model hears of it', async (context) => {
  const { sql, rowcast, watch, database } = await openScenario({
    sql: 'CREATE TABLE items (id int, note text); CREATE TABLE others (id int PRIMARY KEY)',
  })
  await skipBelow(18, database, context)
  const items = watch()
  await sql(`INSERT INTO items VALUES (1, 'a')`)
  await items.next()
  await sql(`ALTER TABLE items ADD COLUMN double int GENERATED ALWAYS AS (id * 2) VIRTUAL`)
  await worksAgain(sql, `UPDATE items SET note = 'b'`)
  expect(await items.failure()).toMatchObject({ code: 'SOURCE_TABLE_NOT_PUBLISHED' })
  expect(rowcast.status().drifted).toMatchObject([{ model: 'Item' }])
})

describe('an identity index', () => {
  it('that is dropped while changes flow is replaced by what identifies rows: the application goes on', async () => {
    const { sql, rowcast } = await openScenario({
      sql: `${TABLES}; CREATE UNIQUE INDEX by_id ON items (id); ALTER TABLE items REPLICA IDENTITY USING INDEX by_id`,
      register: { Item: { replicaIdentity: 'keep' } },
      models: [ITEM, OTHER],
      // Identities are looked at in between.
      options: { watchIntervalMs: 60_000 },
    })
    await sql('DROP INDEX by_id')
    await expect.poll(() => identityOf(sql, 'items'), { timeout: 20_000 }).toBe('d')
    await sql('UPDATE items SET id = id')
    await sql('ALTER TABLE items DROP CONSTRAINT items_pkey')
    await expect.poll(() => identityOf(sql, 'items'), { timeout: 20_000 }).toBe('f')
    await sql('UPDATE items SET id = id')
    await expect.poll(() => rowcast.status().identityFaults, { timeout: 20_000 }).toEqual([])
  })

  it('that is dropped by a role that owns what ours does not is reported', async () => {
    const database = await openDatabase()
    onTestFinished(() => database[Symbol.asyncDispose]())
    const role = `runner_${database.name}`
    await database.query(
      `${TABLES}; CREATE UNIQUE INDEX by_id ON items (id); ALTER TABLE items REPLICA IDENTITY USING INDEX by_id`,
    )
    const register = {
      Item: { replicaIdentity: 'keep' as const },
      Other: { replicaIdentity: 'keep' as const },
    }
    await buildRowcast(database, { register }).enable()
    await database.query(`CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'runner'`)
    onTestFinished(async () => {
      await database.query(`DROP ROLE ${role}`)
    })
    const url = new URL(database.url)
    url.username = role
    url.password = 'runner'
    const rowcast = buildRowcast(database, { register, options: { connectionString: url.href } })
    onTestFinished(() => rowcast.stop())
    rowcast.start()
    await rowcast.ready()
    await database.query('DROP INDEX by_id')
    await expect
      .poll(() => rowcast.status().identityFaults.map(({ code, hint }) => [code, hint]), { timeout: 20_000 })
      .toEqual([
        ['SOURCE_IDENTITY_MISSING', expect.stringContaining('ALTER TABLE "public"."items" REPLICA IDENTITY')],
      ])
    await database.query('ALTER TABLE items REPLICA IDENTITY DEFAULT')
    await expect.poll(() => rowcast.status().identityFaults, { timeout: 20_000 }).toEqual([])
  })
})

describe('a publication of somebody else that has INSERT alone', () => {
  it('gets no UPDATE that PostgreSQL would refuse then', async () => {
    const keyless = buildModel([buildField('id', 'Int')], { name: 'Item', table: 'items' })
    await using database = await openDatabase()
    await database.query(`${TABLES}; CREATE TABLE keyless (n int); INSERT INTO keyless VALUES (1);
      CREATE PUBLICATION rowcast FOR TABLE keyless WITH (publish = 'insert')`)
    await expect(buildRowcast(database, { models: [keyless] }).enable()).rejects.toMatchObject({
      code: 'SOURCE_IDENTITY_MISSING',
    })
    await database.query('UPDATE keyless SET n = 2')
  })
})

describe('a publication of somebody else with a row filter', () => {
  it.for([
    ['items', TABLES],
    ['items_0', PARTED],
  ] as const)(
    'that only a whole identity serves: disable() leaves %s as it is',
    async ([table, sql], context) => {
      const scenario = await openScenario({ sql })
      await skipBelow(15, scenario.database, context)
      await scenario.sql(
        `INSERT INTO items VALUES (1, 'a');
       CREATE PUBLICATION others FOR TABLE items WHERE (note IS NOT NULL) WITH (publish_via_partition_root = true)`,
      )
      await scenario.sql(`UPDATE items SET note = 'b'`)
      await scenario.rowcast.disable()
      await scenario.sql(`UPDATE items SET note = 'c'`)
      await scenario.sql('DELETE FROM items')
      expect(await identityOf(scenario.sql, table)).toBe('f')
      // Of others, which the filter says nothing of, it is put back.
      expect(await identityOf(scenario.sql, 'others')).toBe('d')
    },
  )

  it('that asks for the key alone: the identity is put back', async (context) => {
    const { sql, rowcast, database } = await openScenario()
    await skipBelow(15, database, context)
    await sql(`INSERT INTO items VALUES (1, 'a'); CREATE PUBLICATION others FOR TABLE items WHERE (id > 0)`)
    await rowcast.disable()
    expect(await identityOf(sql, 'items')).toBe('d')
    await sql(`UPDATE items SET note = 'c'`)
  })

  it.for([
    ['keyed WHERE (n > 0)', 'row filter'],
    ['keyed (n)', 'column list'],
  ] as const)(
    'or list, and INSERT alone, gets no UPDATE that PostgreSQL would refuse: %s',
    async ([table, what], context) => {
      await using database = await openDatabase()
      await skipBelow(15, database, context)
      await database.query(`${TABLES}; CREATE TABLE keyed (id int PRIMARY KEY, n int); INSERT INTO keyed VALUES (1, 1);
      CREATE PUBLICATION rowcast FOR TABLE ${table} WITH (publish = 'insert')`)
      await expect(buildRowcast(database).enable()).rejects.toMatchObject({
        code: 'SOURCE_IDENTITY_CONFLICT',
        message: expect.stringContaining(what),
      })
      await database.query('UPDATE keyed SET n = 2')
    },
  )
})

describe('a publication of somebody else, made while changes flow', () => {
  it('under which PostgreSQL refuses UPDATE is named by enable, which sets the identity back: the application comes first', async (context) => {
    const { sql, rowcast, database } = await openScenario()
    await skipBelow(15, database, context)
    await sql(`INSERT INTO items VALUES (1, 'a')`)
    await sql('CREATE PUBLICATION others FOR TABLE items (id)')
    await expect(sql(`UPDATE items SET note = 'b'`)).rejects.toThrow()
    await expect(rowcast.enable()).rejects.toMatchObject({
      ...{ code: 'SOURCE_IDENTITY_CONFLICT', message: expect.stringContaining('Publication "others"') },
      hint: expect.stringContaining('"others"'),
    })
    await sql(`UPDATE items SET note = 'b'`)
    await sql('DROP PUBLICATION others')
    await rowcast.enable()
    expect(await identityOf(sql, 'items')).toBe('f')
  })
})

describe('the watch sees a publication of somebody else', () => {
  it('with a column list: UPDATE works again, and it is said what old rows lack and why', async (context) => {
    const lines: string[] = []
    const log = (message: string) => void lines.push(message)
    const logger = { error: log, warn: log, info: log, debug: log }
    const { sql, rowcast, database } = await openScenario({ options: { logger } })
    await skipBelow(15, database, context)
    await sql(`INSERT INTO items VALUES (1, 'a'); CREATE PUBLICATION theirs FOR TABLE items (id)`)
    await worksAgain(sql, `UPDATE items SET note = 'b'`)
    expect(await identityOf(sql, 'items')).toBe('d')
    await expect
      .poll(() => lines, { timeout: 20_000 })
      .toEqual(
        expect.arrayContaining([
          expect.stringMatching(/PostgreSQL refuses.*"theirs" lists/),
          'Set up: ALTER TABLE "public"."items" REPLICA IDENTITY DEFAULT',
        ]),
      )
    await expect
      .poll(() => rowcast.status().identityFaults.map(({ code, message }) => [code, message]), {
        timeout: 20_000,
      })
      .toEqual([
        ['SOURCE_IDENTITY_NOT_FULL', expect.stringMatching(/whole old rows.*publication "theirs" lists/)],
      ])
    expect(toHealthReport(rowcast.status()).details).toMatchObject({ identityFaults: 1 })
    // What the hint says: first the other publication, then enable.
    await sql('ALTER PUBLICATION theirs SET TABLE items')
    await rowcast.enable()
    await expect.poll(() => rowcast.status().identityFaults, { timeout: 20_000 }).toEqual([])
    expect(await identityOf(sql, 'items')).toBe('f')
  })

  it('with a column list of a partitioned table at any depth', async (context) => {
    const { sql, database } = await openScenario({
      sql: `CREATE TABLE items (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
        CREATE TABLE items_mid PARTITION OF items FOR VALUES FROM (0) TO (5000) PARTITION BY RANGE (id);
        CREATE TABLE items_0 PARTITION OF items_mid FOR VALUES FROM (0) TO (500); CREATE TABLE others (id int PRIMARY KEY)`,
      options: { watchIntervalMs: 60_000 },
    })
    await skipBelow(15, database, context)
    await sql(`INSERT INTO items VALUES (1, 'a');
      CREATE PUBLICATION theirs FOR TABLE items_mid (id) WITH (publish_via_partition_root = true)`)
    await worksAgain(sql, `UPDATE items SET note = 'b'`)
  })

  it('that was there when the stream began', async (context) => {
    const { sql, rowcast, database } = await openScenario()
    await skipBelow(15, database, context)
    await rowcast.stop()
    await sql(`INSERT INTO items VALUES (1, 'a'); CREATE PUBLICATION theirs FOR TABLE items (id)`)
    const second = buildRowcast(database)
    onTestFinished(() => second.stop())
    second.start()
    await second.ready()
    await worksAgain(sql, `UPDATE items SET note = 'b'`)
  })

  it('that leaves out generated columns', async (context) => {
    const { sql, rowcast, database } = await openScenario({
      sql: `${TABLES}; ALTER TABLE items ADD COLUMN total int GENERATED ALWAYS AS (id * 2) STORED`,
    })
    await skipBelow(18, database, context)
    await sql(`INSERT INTO items VALUES (1, 'a'); CREATE PUBLICATION theirs FOR TABLE items`)
    await worksAgain(sql, `UPDATE items SET note = 'b'`)
    await expect
      .poll(() => rowcast.status().identityFaults.map(({ hint }) => hint), { timeout: 20_000 })
      .toEqual([
        expect.stringContaining('ALTER PUBLICATION "theirs" SET (publish_generated_columns = stored)'),
      ])
  })

  it('whose list has columns of a unique index alone: that becomes the identity', async (context) => {
    const { sql, database } = await openScenario({
      sql: `${TABLES}; ALTER TABLE items ALTER note SET NOT NULL; CREATE UNIQUE INDEX by_note ON items (note) INCLUDE (id)`,
    })
    await skipBelow(15, database, context)
    await sql(`INSERT INTO items VALUES (1, 'a'); CREATE PUBLICATION theirs FOR TABLE items (note)`)
    await worksAgain(sql, `UPDATE items SET note = 'b'`)
    expect(await identityOf(sql, 'items')).toBe('i')
  })

  it('with a row filter that FULL alone serves: FULL stays, and where a list forbids it, both are named', async (context) => {
    const { sql, rowcast, database } = await openScenario({ options: { watchIntervalMs: 100 } })
    await skipBelow(15, database, context)
    await sql(`INSERT INTO items VALUES (1, 'a'), (2, NULL); INSERT INTO others VALUES (1);
      CREATE PUBLICATION filters FOR TABLE items WHERE (note IS NOT NULL); CREATE PUBLICATION lists FOR TABLE others (id)`)
    await worksAgain(sql, 'DELETE FROM others')
    await sql(`UPDATE items SET note = 'b' WHERE id = 1`)
    expect(await identityOf(sql, 'items')).toBe('f')
    await sql('CREATE PUBLICATION lists_too FOR TABLE items (id)')
    await expect
      .poll(
        () =>
          rowcast
            .status()
            .identityFaults.flatMap(({ code, message }) =>
              code === 'SOURCE_IDENTITY_CONFLICT' ? [message] : [],
            ),
        { timeout: 20_000 },
      )
      .toEqual([expect.stringMatching(/refuses.*"lists_too".*"filters"/)])
    expect(await identityOf(sql, 'items')).toBe('f')
    await sql('DROP PUBLICATION lists_too')
    await sql(`UPDATE items SET note = 'c' WHERE id = 1`)
  })

  it('of a table that rowcast set to FULL and no longer publishes', async (context) => {
    const { sql, database } = await openScenario()
    await skipBelow(15, database, context)
    await sql(`INSERT INTO items VALUES (1, 'a'); ALTER PUBLICATION rowcast DROP TABLE items;
      CREATE PUBLICATION theirs FOR TABLE items (id)`)
    await worksAgain(sql, `UPDATE items SET note = 'b'`)
  })
})
