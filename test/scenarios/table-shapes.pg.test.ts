/**
 * Partitions, inheritance, generated columns and relations that have no changes. Behaviours of PostgreSQL's
 * 011_generated, 013_partition, 009_matviews and 100_bugs.
 */
import { describe, expect, it } from 'vitest'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { openDatabase } from '../support/database.ts'
import { buildRowcast, ITEM, OTHER, openScenario, outline, skipBelow, TABLES } from './scenario.ts'

/** So that the watch looks after nothing. */
const UNWATCHED = { watchIntervalMs: 3_600_000 }

const PARTED = `CREATE TABLE items (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
  CREATE TABLE items_low PARTITION OF items FOR VALUES FROM (0) TO (100);
  CREATE TABLE items_high (note text, id int NOT NULL PRIMARY KEY);
  ALTER TABLE items ATTACH PARTITION items_high FOR VALUES FROM (100) TO (200);
  CREATE TABLE others (id int PRIMARY KEY)`

describe('a partitioned table', () => {
  it('is one model, whatever partition a row is in and whatever order its columns have', async () => {
    const { sql, watch } = await openScenario({ sql: PARTED })
    const items = watch()
    await sql(`INSERT INTO items VALUES (1, 'a'), (101, 'b')`)
    await sql(`UPDATE items SET note = note || '!'`)
    await sql('UPDATE items SET id = 102 WHERE id = 1')
    await sql('DELETE FROM items WHERE id = 101')
    const changes = await items.take(7)
    expect(outline(changes)).toEqual([
      ['INSERT', null, { id: 1, note: 'a' }],
      ['INSERT', null, { id: 101, note: 'b' }],
      ['UPDATE', { id: 1, note: 'a' }, { id: 1, note: 'a!' }],
      ['UPDATE', { id: 101, note: 'b' }, { id: 101, note: 'b!' }],
      // PostgreSQL moves a row between partitions as a delete and an insert.
      ['DELETE', { id: 1, note: 'a!' }, null],
      ['INSERT', null, { id: 102, note: 'a!' }],
      ['DELETE', { id: 101, note: 'b!' }, null],
    ])
    expect(changes[4]?.transaction.xid).toBe(changes[5]?.transaction.xid)
  })

  it('is emptied as a whole; PostgreSQL does not report one partition emptied by itself', async () => {
    const { sql, watch } = await openScenario({ sql: PARTED })
    const items = watch()
    await sql(`INSERT INTO items VALUES (1, 'a')`)
    await sql('TRUNCATE items_low')
    await sql('TRUNCATE items')
    expect((await items.take(2)).map((change) => change.action)).toEqual(['INSERT', 'TRUNCATE'])
  })

  it('takes partitions in and lets them go; enable() gives new ones their identity', async () => {
    const { sql, watch, rowcast, major } = await openScenario({ sql: PARTED, options: UNWATCHED })
    const items = watch()
    await sql(`CREATE TABLE items_top PARTITION OF items FOR VALUES FROM (200) TO (300)`)
    await sql(`INSERT INTO items VALUES (201, 'a')`)
    await sql(`UPDATE items SET note = 'b'`)
    const steps = await rowcast.enable()
    expect(steps.filter(({ kind }) => kind !== 'memory').map((step) => step.sql)).toEqual([
      'ALTER TABLE "public"."items_top" REPLICA IDENTITY FULL',
    ])
    await sql(`UPDATE items SET note = 'c'`)
    await sql('ALTER TABLE items DETACH PARTITION items_top')
    await sql(`UPDATE items_top SET note = 'nobody’s'`)
    await sql('ALTER TABLE items ATTACH PARTITION items_top FOR VALUES FROM (200) TO (300)')
    await sql('DELETE FROM items')
    // PostgreSQL 14 notices a detached partition only on a new connection.
    const ofNobody = ['UPDATE', { id: 201, note: 'c' }, { id: 201, note: 'nobody’s' }]
    expect(outline(await items.take(major === 14 ? 5 : 4))).toEqual([
      ['INSERT', null, { id: 201, note: 'a' }],
      ['UPDATE', null, { id: 201, note: 'b' }],
      ['UPDATE', { id: 201, note: 'b' }, { id: 201, note: 'c' }],
      ...(major === 14 ? [ofNobody] : []),
      ['DELETE', { id: 201, note: 'nobody’s' }, null],
    ])
  })
})

describe('inheritance', () => {
  const CHILDREN = `${TABLES}; CREATE TABLE special_items (extra int, PRIMARY KEY (id)) INHERITS (items)`

  it('makes rows of a child table rows of the model, as Prisma Client reads them', async () => {
    const { sql, watch } = await openScenario({ sql: CHILDREN })
    const items = watch()
    await sql(`INSERT INTO special_items VALUES (1, 'a', 7)`)
    await sql(`UPDATE items SET note = 'b'`)
    await sql(`INSERT INTO items VALUES (2, 'c')`)
    await sql('TRUNCATE items')
    expect(outline(await items.take(4))).toEqual([
      ['INSERT', null, { id: 1, note: 'a' }],
      ['UPDATE', { id: 1, note: 'a' }, { id: 1, note: 'b' }],
      ['INSERT', null, { id: 2, note: 'c' }],
      ['TRUNCATE', null, null],
    ])
  })

  it.each(['TRUNCATE ONLY items', 'TRUNCATE special_items'])(
    '%s leaves rows of the model, so that its subscriptions end instead of being emptied',
    async (truncate) => {
      const { sql, watch, rowcast } = await openScenario({ sql: CHILDREN, options: { watchIntervalMs: 100 } })
      const items = watch()
      await sql(`INSERT INTO special_items VALUES (1, 'a', 7)`)
      await sql(`INSERT INTO items VALUES (2, 'b')`)
      await sql(truncate)
      expect(outline(await items.take(2))).toHaveLength(2)
      expect(await items.failure()).toMatchObject({ code: 'RESYNC_REQUIRED' })
      await expect.poll(() => rowcast.status().drifted).toEqual([])
      const again = watch()
      await sql(`INSERT INTO items VALUES (3, 'c')`)
      expect(outline(await again.take(1))).toEqual([['INSERT', null, { id: 3, note: 'c' }]])
    },
  )

  it('by a new table is reported, as PostgreSQL does not publish it, until enable() adds it', async () => {
    const { sql, watch, rowcast } = await openScenario()
    const items = watch()
    await sql('CREATE TABLE special_items (extra int, PRIMARY KEY (id)) INHERITS (items)')
    expect(await items.failure()).toMatchObject({ code: 'SOURCE_TABLE_NOT_PUBLISHED' })
    await rowcast.enable()
    await expect.poll(() => rowcast.status().drifted).toEqual([])
    const again = watch()
    await sql(`INSERT INTO special_items VALUES (1, 'a', 7)`)
    expect((await again.next()).new).toEqual({ id: 1, note: 'a' })
  })
})

describe('inheritance by a table that is made, published and written at once', () => {
  it('is a gap for the model, and its rows come from then on', async () => {
    const { sql, watch, rowcast } = await openScenario()
    const items = watch()
    const { publication } = rowcast.status()
    await sql(`BEGIN; CREATE TABLE special_items (extra int, PRIMARY KEY (id)) INHERITS (items);
      ALTER TABLE special_items REPLICA IDENTITY FULL; ALTER PUBLICATION "${publication}" ADD TABLE special_items;
      COMMIT; INSERT INTO special_items VALUES (1, 'a', 7)`)
    expect(await items.failure()).toMatchObject({ code: 'RESYNC_REQUIRED' })
    await expect.poll(() => rowcast.status().drifted).toEqual([])
    const again = watch()
    await sql(`INSERT INTO special_items VALUES (2, 'b', 7)`)
    expect((await again.next()).new).toEqual({ id: 2, note: 'b' })
  })
})

describe('generated columns', () => {
  const model = buildModel(
    [buildField('id', 'Int'), buildField('price', 'Int'), buildField('total', 'Int', { hasDefault: true })],
    { name: 'Item', table: 'items' },
  )
  const stored =
    'CREATE TABLE items (id int PRIMARY KEY, price int, total int GENERATED ALWAYS AS (price * 2) STORED)'

  it('that are stored come along from PostgreSQL 18 on, and are unavailable before', async () => {
    const { sql, watch, major, rowcast } = await openScenario({ sql: stored, models: [model] })
    const items = watch()
    await sql('INSERT INTO items VALUES (1, 10)')
    await sql('UPDATE items SET price = 20')
    await sql('DELETE FROM items')
    const [inserted, updated, gone] = await items.take(3)
    if (major >= 18) {
      expect(inserted).toMatchObject({ new: { total: 20 }, unavailable: [] })
      expect(updated).toMatchObject({ old: { total: 20 }, new: { total: 40 }, changed: ['price', 'total'] })
    } else {
      expect(inserted?.new).toEqual({ id: 1, price: 10 })
      expect(updated).toMatchObject({ old: { id: 1, price: 10 }, changed: ['price'], unavailable: ['total'] })
      expect([inserted?.unavailable, gone?.unavailable]).toEqual([['total'], ['total']])
    }
    expect(rowcast.status().drifted).toEqual([])
    expect(await rowcast.enable()).toEqual([])
  })

  it('are published before a full identity counts them, so that the application can go on', async (context) => {
    await using database = await openDatabase()
    await skipBelow(18, database, context)
    await database.query(
      `${stored}; ALTER TABLE items REPLICA IDENTITY FULL; CREATE PUBLICATION rowcast FOR TABLE items`,
    )
    await database.query('INSERT INTO items VALUES (1, 10)')
    await expect(database.query('UPDATE items SET price = 1')).rejects.toMatchObject({
      detail: expect.stringContaining('generated columns'),
    })
    await buildRowcast(database, { models: [model] }).enable()
    await database.query('UPDATE items SET price = 1')
    // Another publication, of somebody else, would break it again.
    await database.query(
      'ALTER TABLE items REPLICA IDENTITY DEFAULT; CREATE PUBLICATION others FOR TABLE items',
    )
    await expect(buildRowcast(database, { models: [model] }).enable()).rejects.toMatchObject({
      code: 'SOURCE_IDENTITY_CONFLICT',
      hint: expect.stringContaining('ALTER PUBLICATION "others" SET (publish_generated_columns = stored)'),
    })
    await database.query('UPDATE items SET price = 2')
  })

  it('that are virtual forbid FULL, and are unavailable otherwise', async (context) => {
    await using database = await openDatabase()
    await skipBelow(18, database, context)
    await database.query(stored.replace('STORED', 'VIRTUAL'))
    await expect(buildRowcast(database, { models: [model] }).enable()).rejects.toMatchObject({
      code: 'SOURCE_IDENTITY_CONFLICT',
      hint: expect.stringContaining("{ replicaIdentity: 'keep' }"),
    })
    const { sql, watch } = await openScenario({
      sql: stored.replace('STORED', 'VIRTUAL'),
      models: [model],
      register: { Item: { replicaIdentity: 'keep' } },
    })
    const items = watch()
    await sql('INSERT INTO items VALUES (1, 10)')
    await sql('UPDATE items SET price = 20')
    const [, updated] = await items.take(2)
    expect(updated).toMatchObject({ old: null, new: { id: 1, price: 20 }, unavailable: ['total'] })
  })
})

describe('relations without changes', () => {
  it.each([
    ['a view', 'CREATE VIEW items AS SELECT 1 AS id, NULL::text AS note'],
    ['a materialised view', 'CREATE MATERIALIZED VIEW items AS SELECT 1 AS id, NULL::text AS note'],
    ['an unlogged table', 'CREATE UNLOGGED TABLE items (id int PRIMARY KEY, note text)'],
    [
      'a foreign table',
      `CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw;
       CREATE FOREIGN TABLE items (id int, note text) SERVER far`,
    ],
  ])('%s is refused', async (words, statement) => {
    await using database = await openDatabase()
    await database.query(`${statement}; CREATE TABLE others (id int PRIMARY KEY)`)
    await expect(buildRowcast(database).enable()).rejects.toMatchObject({
      code: 'SOURCE_TABLE_NOT_REPLICABLE',
      message: expect.stringContaining(words),
    })
  })

  it('beside a model do not show, nor disturb it', async () => {
    const { sql, watch } = await openScenario()
    const items = watch()
    await sql(`CREATE TEMP TABLE items_temp (id int); CREATE UNLOGGED TABLE items_unlogged (id int);
      CREATE MATERIALIZED VIEW seen AS SELECT * FROM items`)
    await sql(`INSERT INTO items_temp VALUES (1); INSERT INTO items_unlogged VALUES (1)`)
    await sql(`INSERT INTO items VALUES (1, 'a')`)
    await sql('REFRESH MATERIALIZED VIEW seen')
    await sql('CREATE TABLE copied AS SELECT * FROM items')
    await sql(`INSERT INTO items VALUES (2, 'b')`)
    expect((await items.take(2)).map((change) => change.key)).toEqual([{ id: 1 }, { id: 2 }])
  })

  it('a temporary table of the same name is not the model’s', async () => {
    const { sql, watch } = await openScenario()
    const items = watch()
    await sql('CREATE TEMP TABLE items (id int PRIMARY KEY, note text)')
    await sql(`INSERT INTO items VALUES (1, 'temporary')`)
    await sql(`INSERT INTO public.items VALUES (2, 'real')`)
    expect((await items.next()).new).toEqual({ id: 2, note: 'real' })
  })
})

describe('triggers and constraints of the publisher', () => {
  it('are seen by what they do: cascades, rows changed and suppressed by triggers, deferred checks', async () => {
    const line = buildModel([buildField('id', 'Int'), buildField('item', 'Int', { isRequired: false })], {
      name: 'Line',
      table: 'lines',
    })
    const { sql, watch } = await openScenario({
      sql: `${TABLES}; CREATE TABLE lines (id int PRIMARY KEY, item int REFERENCES items ON DELETE CASCADE DEFERRABLE);
        CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS
          'BEGIN IF NEW.id < 0 THEN RETURN NULL; END IF; NEW.note := upper(NEW.note); RETURN NEW; END';
        CREATE TRIGGER shout BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION shout()`,
      models: [ITEM, OTHER, line],
    })
    const [items, lines] = [watch(), watch('Line')]
    await sql(`INSERT INTO items VALUES (-1, 'suppressed'), (1, 'loud')`)
    await sql(
      `BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO lines VALUES (1, 2); INSERT INTO items VALUES (2, 'b'); COMMIT`,
    )
    await expect(sql('INSERT INTO lines VALUES (2, 99)')).rejects.toMatchObject({ code: '23503' })
    await sql('DELETE FROM items WHERE id = 2')
    expect(outline(await items.take(3))).toEqual([
      ['INSERT', null, { id: 1, note: 'LOUD' }],
      ['INSERT', null, { id: 2, note: 'B' }],
      ['DELETE', { id: 2, note: 'B' }, null],
    ])
    expect((await lines.take(2)).map((change) => [change.action, change.key])).toEqual([
      ['INSERT', { id: 1 }],
      ['DELETE', { id: 1 }],
    ])
  })
})
