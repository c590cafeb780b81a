/**
 * Publications that somebody else made: whole schemas, row filters, column lists. And a database in another
 * encoding. Behaviours of PostgreSQL's 005_encoding, 025_rep_changes_for_schema, 028_row_filter, 031_column_list.
 */
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { openDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import {
  type AnyModelChange,
  buildRowcast,
  ITEM,
  OTHER,
  openScenario,
  outline,
  skipBelow,
  TABLES,
} from './scenario.ts'

describe('a publication of schemas', () => {
  it('brings tables as they come into them, and loses them as they go', async (context) => {
    await using probe = await openDatabase()
    await skipBelow(15, probe, context)
    const models = [
      { ...ITEM, schema: 'shop' },
      { ...OTHER, schema: 'shop' },
    ]
    const { sql, watch, rowcast } = await openScenario({
      sql: `CREATE SCHEMA shop; CREATE TABLE shop.items (id int PRIMARY KEY, note text);
        CREATE TABLE shop.others (id int PRIMARY KEY); CREATE PUBLICATION rowcast FOR TABLES IN SCHEMA shop`,
      models,
    })
    const items = watch()
    await sql('INSERT INTO shop.items VALUES (1)')
    await items.next()
    await sql('DROP TABLE shop.items; CREATE TABLE shop.items (id int PRIMARY KEY, note text)')
    await sql('INSERT INTO shop.items VALUES (2)')
    // It is another table: what went with the first was never sent.
    expect(await items.failure()).toMatchObject({
      code: expect.stringMatching(/RESYNC_REQUIRED|CATALOG_DRIFT/),
    })
    await expect.poll(() => rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
    const second = watch()
    await sql('ALTER TABLE shop.items SET SCHEMA public')
    // Nothing more comes of it, and no subscriber may believe that nothing happened.
    expect(await second.failure()).toMatchObject({ code: 'CATALOG_DRIFT' })
    await sql('ALTER TABLE items SET SCHEMA shop')
    await expect.poll(() => rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
    const again = watch()
    await sql('INSERT INTO shop.items VALUES (3)')
    expect((await again.next()).key).toEqual({ id: 3 })
  })
})

describe('two services of one database', () => {
  it('keep apart what each of them has missed', async () => {
    const { sql, watch, database } = await openScenario({ models: [ITEM] })
    const items = watch()
    const slot = `${slotOf(database)}_2`
    const options = { slot, publication: 'second' }
    const second = buildRowcast(database, { models: [ITEM], options })
    onTestFinished(async () => {
      await second.stop()
      await database.query(`SELECT pg_drop_replication_slot('${slot}')`)
    })
    await second.enable()
    second.start()
    await second.ready()
    const others = second.subscribe('Item')
    // A gap of the second, which is none of the first.
    await sql('ALTER PUBLICATION second DROP TABLE items; ALTER PUBLICATION second ADD TABLE items')
    await expect(others.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
    await expect.poll(() => second.status().drifted, { timeout: 20_000 }).toEqual([])
    await sql(`INSERT INTO items VALUES (1, 'seen')`)
    expect((await items.next()).key).toEqual({ id: 1 })
  })

  it('a slot that is made says nothing of what the readers of another one have missed', async () => {
    const { sql, watch, database } = await openScenario({
      models: [ITEM],
      options: { watchIntervalMs: 2_000 },
    })
    const items = watch()
    const slot = `${slotOf(database)}_2`
    const second = buildRowcast(database, { models: [ITEM], options: { slot } })
    onTestFinished(async () => {
      await database.query(`SELECT pg_drop_replication_slot('${slot}')`)
    })
    await sql('ALTER PUBLICATION rowcast DROP TABLE items')
    await sql(`INSERT INTO items VALUES (1, 'missed')`)
    await sql('ALTER PUBLICATION rowcast ADD TABLE items')
    await second.enable()
    expect(await items.failure()).toMatchObject({
      code: expect.stringMatching(/RESYNC_REQUIRED|SOURCE_TABLE_NOT_PUBLISHED/),
    })
  })
})

describe('a row filter', () => {
  it('turns an UPDATE across its border into INSERT or DELETE, and hides the rest', async (context) => {
    await using probe = await openDatabase()
    await skipBelow(15, probe, context)
    const { sql, watch } = await openScenario({
      sql: `CREATE TABLE items (id int PRIMARY KEY, note text);
        CREATE PUBLICATION rowcast FOR TABLE items WHERE (note = 'shown')`,
      models: [ITEM],
    })
    const items = watch()
    await sql(`INSERT INTO items VALUES (1, 'hidden'), (2, 'shown')`)
    await sql(`UPDATE items SET note = 'shown' WHERE id = 1`)
    await sql(`UPDATE items SET id = 3 WHERE id = 2`)
    await sql(`UPDATE items SET note = 'hidden'`)
    await sql('DELETE FROM items')
    await sql('TRUNCATE items')
    expect(outline(await items.take(6))).toEqual([
      ['INSERT', null, { id: 2, note: 'shown' }],
      ['INSERT', null, { id: 1, note: 'shown' }],
      ['UPDATE', { id: 2, note: 'shown' }, { id: 3, note: 'shown' }],
      ['DELETE', { id: 1, note: 'shown' }, null],
      ['DELETE', { id: 3, note: 'shown' }, null],
      ['TRUNCATE', null, null],
    ])
  })
})

describe('a column list', () => {
  const model = buildModel([...ITEM.fields, buildField('secret', 'String')], { name: 'Item', table: 'items' })
  const sql = `CREATE TABLE items (id int PRIMARY KEY, note text, secret text NOT NULL);
    CREATE PUBLICATION rowcast FOR TABLE items (id, note)`

  it('makes the other fields unavailable, required or not, and FULL impossible', async (context) => {
    await using database = await openDatabase()
    await skipBelow(15, database, context)
    await database.query(sql)
    await expect(buildRowcast(database, { models: [model] }).enable()).rejects.toMatchObject({
      code: 'SOURCE_IDENTITY_CONFLICT',
      message: expect.stringContaining('lists columns of "public"."items"'),
    })
    // The refusal changed nothing: the application's UPDATE goes on working.
    await database.query(`INSERT INTO items VALUES (1, 'a', 's')`)
    await database.query(`UPDATE items SET note = 'b'`)
    const scenario = await openScenario({
      sql,
      models: [model],
      register: { Item: { replicaIdentity: 'keep' } },
    })
    const items = scenario.watch()
    await scenario.sql(`INSERT INTO items VALUES (1, 'a', 's')`)
    await scenario.sql(`UPDATE items SET note = 'b', secret = 't'`)
    await scenario.sql('DELETE FROM items')
    const [inserted, updated, gone] = await items.take(3)
    expect(inserted).toMatchObject({
      new: { id: 1, note: 'a' },
      unavailable: ['secret'],
      changed: [],
    })
    expect(inserted?.new).not.toHaveProperty('secret')
    expect(updated).toMatchObject({ new: { id: 1, note: 'b' }, unavailable: ['secret'] })
    expect(gone).toMatchObject({ key: { id: 1 }, old: null })
  })
})

describe('a column list that is put on and taken off while changes flow', () => {
  const model = buildModel([...ITEM.fields, buildField('secret', 'String')], { name: 'Item', table: 'items' })
  const sql = `CREATE TABLE items (id int PRIMARY KEY, note text, secret text NOT NULL);
    CREATE TABLE others (id int PRIMARY KEY); CREATE PUBLICATION rowcast FOR TABLE items, others`

  it('is no drift once it has been looked at', async (context) => {
    await using database = await openDatabase()
    await skipBelow(15, database, context)
    const scenario = await openScenario({
      ...{ sql, models: [model, OTHER], register: { Item: { replicaIdentity: 'keep' } } },
      options: { watchIntervalMs: 1_000 },
    })
    const others = scenario.watch('Other')
    const drifted = () => scenario.rowcast.status().drifted.map((each) => each.model)
    for (const [id, columns, unavailable] of [
      [1, '(id, note)', ['secret']],
      [3, '', []],
    ] as const) {
      await scenario.sql(`ALTER PUBLICATION rowcast SET TABLE items ${columns}, others`)
      // The stream brings it, mostly before anybody has looked, and says no more of it.
      await scenario.sql(`INSERT INTO items VALUES (${id}, 'a', 's')`)
      await scenario.sql(`INSERT INTO others VALUES (${id})`)
      await others.next()
      await expect.poll(drifted, { timeout: 20_000 }).toEqual([])
      const items = scenario.watch()
      await scenario.sql(`INSERT INTO items VALUES (${id + 1}, 'b', 's')`)
      expect(await items.next()).toMatchObject({ new: { id: id + 1, note: 'b' }, unavailable })
    }
    expect(scenario.rowcast.status().streamsStarted).toBe(1)
  })
})

describe('a publication of all tables', () => {
  it('is used as it is; what no model stands on is skipped', async () => {
    const { sql, watch } = await openScenario({
      sql: `${TABLES}; CREATE TABLE strangers (id int PRIMARY KEY); CREATE PUBLICATION rowcast FOR ALL TABLES`,
    })
    const items = watch()
    await sql('BEGIN; INSERT INTO strangers VALUES (1); INSERT INTO items VALUES (1); COMMIT')
    expect(await items.next()).toMatchObject({ index: 1, new: { id: 1 } })
  })
})

describe('a database in LATIN1', () => {
  it('brings its texts as Unicode', async () => {
    await using server = await openDatabase()
    const name = `${server.name}_latin`
    await server.query(`CREATE DATABASE ${name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0`)
    const url = server.url.replace(server.name, name)
    const target = parseConnectionTarget(url)
    const rowcast = buildRowcast({ ...server, name, url, target }, { models: [ITEM] })
    try {
      await withSqlClient(target, (sql) => sql.execute('CREATE TABLE items (id int PRIMARY KEY, note text)'))
      await rowcast.enable()
      rowcast.start()
      await rowcast.ready()
      const items = rowcast.subscribe('Item') as AsyncIterableIterator<AnyModelChange>
      await withSqlClient(target, (sql) => sql.query('INSERT INTO items VALUES (1, $1)', ['Ünï © ÿ']))
      const { value } = await items.next()
      expect(value).toMatchObject({ new: { id: 1, note: 'Ünï © ÿ' } })
    } finally {
      await rowcast.stop()
      await withSqlClient(target, (sql) =>
        sql.query(
          'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = $1',
          [name],
        ),
      )
      await server.query(`DROP DATABASE ${name} WITH (FORCE)`)
    }
  })
})

describe('a mixed transaction', () => {
  it('over all models arrives whole, numbered and in one piece', async () => {
    const { sql, watch } = await openScenario()
    const [items, others] = [watch(), watch('Other')]
    await sql(`BEGIN; INSERT INTO items SELECT i, 'n' FROM generate_series(1, 50) i;
      INSERT INTO others SELECT i FROM generate_series(1, 50) i; UPDATE items SET note = 'm' WHERE id % 2 = 0;
      SAVEPOINT s; DELETE FROM others; ROLLBACK TO s; DELETE FROM others WHERE id > 40; TRUNCATE items; COMMIT`)
    const changes = [...(await items.take(76)), ...(await others.take(60))]
    expect(changes.map((change) => change.index).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 136 }, (_, i) => i),
    )
    expect(new Set(changes.map((change) => change.transaction.xid)).size).toBe(1)
    const actions = (name: string) => changes.filter((change) => change.action === name).length
    expect(['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE'].map(actions)).toEqual([100, 25, 10, 1])
  })
})

describe('rows that another server’s subscription has written here', () => {
  it('are changes, wherever they came from', async () => {
    const { sql, watch, database } = await openScenario({ models: [ITEM] })
    const items = watch()
    await sql(`SELECT pg_replication_origin_create('${database.name}')`)
    onTestFinished(async () => {
      await database.query('SELECT pg_replication_origin_session_reset()')
      await database.query(`SELECT pg_replication_origin_drop('${database.name}')`)
    })
    await sql(`SELECT pg_replication_origin_session_setup('${database.name}')`)
    await sql(
      `BEGIN; SELECT pg_replication_origin_xact_setup('0/ABCDEF12', now()); INSERT INTO items VALUES (1, 'from elsewhere'); COMMIT`,
    )
    expect((await items.next()).new).toEqual({ id: 1, note: 'from elsewhere' })
  })
})
