/**
 * Tables that change while changes flow. Behaviours of PostgreSQL's 006_rewrite, 007_ddl, 008_diff_schema,
 * 017_stream_ddl, 019_stream_subxact_ddl_abort, 024_add_drop_pub and 100_bugs.
 */
import { describe, expect, it } from 'vitest'
import type { EnumSpec } from '../../src/catalog/model-catalog.ts'
import { explainUnrepresentable } from '../../src/catalog/values/unrepresentable-value.ts'
import { isRowcastError } from '../../src/errors.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { ITEM, OTHER, openScenario, type Scenario, type ScenarioOptions, TABLES } from './scenario.ts'

/**
 * Runs what makes table and schema disagree, then what makes them agree again, and sees: the model's subscribers
 * end with the code, new ones at once, the other model goes on, and in the end the model does too.
 */
async function playDrift(
  options: ScenarioOptions,
  broken: readonly string[],
  repaired: readonly string[],
  code = 'CATALOG_DRIFT',
): Promise<{ scenario: Scenario; message: string }> {
  const scenario = await openScenario(options)
  const { sql, rowcast, watch } = scenario
  const [items, others] = [watch(), watch('Other')]
  await sql('INSERT INTO items (id) VALUES (1)')
  await items.next()
  for (const statement of broken) await sql(statement)
  const error = await items.failure()
  if (!isRowcastError(error)) throw error
  expect(error).toMatchObject({ code, details: { model: 'Item' } })
  expect(rowcast.status().drifted).toEqual([{ model: 'Item', error: expect.objectContaining({ code }) }])
  expect(() => watch()).toThrow(expect.objectContaining({ code }))
  await sql('INSERT INTO others VALUES (1)')
  expect((await others.next()).new).toEqual({ id: 1 })
  for (const statement of repaired) await sql(statement)
  await expect.poll(() => rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
  const next = async (id: number) => {
    const again = watch()
    await sql(`INSERT INTO items (id) VALUES (${id})`)
    return (await again.next()).new?.['id']
  }
  expect([98, 99]).toContain(await next(99).catch(onceMore(() => next(98))))
  await sql('INSERT INTO others VALUES (2)')
  expect((await others.next()).new).toEqual({ id: 2 })
  expect(rowcast.status()).toMatchObject({ state: 'streaming', lastError: null })
  return { scenario, message: error.message }
}

/** The look that sees what was done in between may come later than the stream that it is over: it ends who came before it, once. */
function onceMore<T>(again: () => Promise<T>): (thrown: unknown) => Promise<T> {
  return (thrown) => {
    if (!isRowcastError(thrown, 'RESYNC_REQUIRED')) throw thrown
    return again()
  }
}

const touch = (id: number) => `INSERT INTO items (id) VALUES (${id})`

describe('columns', () => {
  it('that are added are no business of a schema that does not have them, with or without a default', async () => {
    const { sql, watch, rowcast } = await openScenario()
    const items = watch()
    await sql(`INSERT INTO items VALUES (1, 'a')`)
    await sql('ALTER TABLE items ADD COLUMN extra int')
    await sql(`ALTER TABLE items ADD COLUMN stamped text NOT NULL DEFAULT 'now'`)
    await sql(`UPDATE items SET note = 'b'`)
    const [, update] = await items.take(2)
    expect(update).toMatchObject({ old: { id: 1, note: 'a' }, new: { id: 1, note: 'b' }, changed: ['note'] })
    expect(update?.new).toEqual({ id: 1, note: 'b' })
    expect(rowcast.status().drifted).toEqual([])
  })

  it('that a newer schema has already are a drift until the migration ran; rows of before have the default', async () => {
    const model = buildModel([...ITEM.fields, buildField('size', 'Int')], { name: 'Item', table: 'items' })
    const scenario = await openScenario({ models: [model, OTHER] })
    const items = scenario.watch()
    await scenario.sql(touch(1))
    expect(await items.failure()).toMatchObject({
      code: 'CATALOG_DRIFT',
      message: expect.stringContaining('field Item.size, column "size": the stream has no such column'),
      hint: expect.stringContaining('`prisma migrate deploy`'),
    })
    await scenario.sql('ALTER TABLE items ADD COLUMN size int NOT NULL DEFAULT 7')
    await scenario.sql(touch(2))
    await expect.poll(() => scenario.rowcast.status().drifted).toEqual([])
    const updated = async () => {
      const again = scenario.watch()
      await scenario.sql(`UPDATE items SET note = 'b' WHERE id = 1`)
      // The drift may be over before the row has come that was written last.
      let change = await again.next()
      while (change.action === 'INSERT') change = await again.next()
      return change.old
    }
    expect(await updated().catch(onceMore(updated))).toMatchObject({ id: 1, size: 7 })
  })

  it('that are dropped are a drift, required or not, until they are back', async () => {
    const { message } = await playDrift(
      {},
      ['ALTER TABLE items DROP COLUMN note', touch(2)],
      ['ALTER TABLE items ADD COLUMN note text', touch(3)],
    )
    expect(message).toContain('field Item.note, column "note"')
  })

  it('that are renamed are a drift until renamed back', async () => {
    await playDrift(
      {},
      ['ALTER TABLE items RENAME note TO remark', touch(2)],
      // Nobody writes: the catalog says that it is over.
      ['ALTER TABLE items RENAME remark TO note'],
    )
  })

  it('of another type are a drift where the field cannot hold it, and none where it can', async () => {
    const { scenario, message } = await playDrift(
      {},
      [
        'ALTER TABLE items ALTER id TYPE uuid USING gen_random_uuid()',
        'INSERT INTO items VALUES (gen_random_uuid())',
      ],
      ['TRUNCATE items', 'ALTER TABLE items ALTER id TYPE bigint USING 1'],
    )
    expect(message).toContain('column "id": type 2950 cannot be read as Int')
    expect(scenario.rowcast.status().drifted).toEqual([])
  })

  it('in another order, and after dropped ones, are found by name', async () => {
    const { sql, watch } = await openScenario({
      sql: `CREATE TABLE items (a int, note text, b text, id int PRIMARY KEY, c text); ALTER TABLE items DROP a, DROP b`,
      models: [ITEM],
    })
    const items = watch()
    await sql(`INSERT INTO items VALUES ('n', 1, 'c')`)
    await sql(`UPDATE items SET note = 'm'`)
    await sql('ALTER TABLE items DROP c')
    await sql('DELETE FROM items')
    expect((await items.take(3)).map((change) => change.new ?? change.old)).toEqual([
      { id: 1, note: 'n' },
      { id: 1, note: 'm' },
      { id: 1, note: 'm' },
    ])
  })
})

describe('an enum', () => {
  const spec: EnumSpec = {
    name: 'Mood',
    schema: null,
    dbName: 'mood',
    values: [{ name: 'HAPPY', label: 'happy', documentation: null }],
    documentation: null,
  }

  it('with a label that the schema does not know yet goes on: the value says which', async () => {
    const model = buildModel([buildField('id', 'Int'), buildField('mood', 'Mood', { kind: 'enum' })], {
      name: 'Item',
      table: 'items',
    })
    const { sql, watch } = await openScenario({
      sql: `CREATE TYPE mood AS ENUM ('happy'); CREATE TABLE items (id int PRIMARY KEY, mood mood)`,
      models: [model],
      enums: { Mood: spec },
    })
    const items = watch()
    await sql(`INSERT INTO items VALUES (1, 'happy')`)
    await sql(`ALTER TYPE mood ADD VALUE 'tired'`)
    await sql(`INSERT INTO items VALUES (2, 'tired')`)
    await sql(`INSERT INTO items VALUES (3, 'happy')`)
    const moods = (await items.take(3)).map((change) => change.new?.['mood'])
    expect(explainUnrepresentable(moods[1])).toMatchObject({ reason: 'unknown-label', value: 'tired' })
    expect([moods[0], moods[2]]).toEqual(['HAPPY', 'HAPPY'])
  })
})

describe('a table', () => {
  it('that is renamed is a drift until its name is back', async () => {
    const { message } = await playDrift(
      {},
      ['ALTER TABLE items RENAME TO articles', 'INSERT INTO articles VALUES (2)'],
      ['ALTER TABLE articles RENAME TO items', touch(3)],
    )
    expect(message).toMatch(
      /is now called "public"\."articles"|Table "public"\."items" of model Item does not exist/,
    )
  })

  it('that is moved to another schema is a drift until it is back', async () => {
    await playDrift(
      { sql: `${TABLES}; CREATE SCHEMA archive` },
      ['ALTER TABLE items SET SCHEMA archive', 'INSERT INTO archive.items VALUES (2)'],
      ['ALTER TABLE archive.items SET SCHEMA public', touch(3)],
    )
  })

  it('whose schema is renamed, and the name reused, is another table: nobody goes on from the first', async () => {
    const models = [{ ...ITEM, schema: 'shop' }, OTHER]
    const { sql, watch, rowcast } = await openScenario({
      sql: 'CREATE SCHEMA shop; CREATE TABLE shop.items (id int PRIMARY KEY, note text); CREATE TABLE others (id int PRIMARY KEY)',
      models,
    })
    const items = watch()
    await sql(`INSERT INTO shop.items VALUES (1, 'of the first')`)
    await items.next()
    await sql(`BEGIN; ALTER SCHEMA shop RENAME TO old_shop; CREATE SCHEMA shop;
      CREATE TABLE shop.items (id int PRIMARY KEY, note text); ALTER TABLE shop.items REPLICA IDENTITY FULL;
      ALTER PUBLICATION rowcast ADD TABLE shop.items; INSERT INTO shop.items VALUES (2, 'of the second');
      INSERT INTO old_shop.items VALUES (3, 'not ours any more'); INSERT INTO shop.items VALUES (4, 'ours'); COMMIT`)
    expect(await items.failure()).toMatchObject({ code: 'RESYNC_REQUIRED' })
    await expect.poll(() => rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
    const again = watch()
    await sql(`INSERT INTO old_shop.items VALUES (5, 'not ours'); INSERT INTO shop.items VALUES (6, 'ours')`)
    expect((await again.next()).key).toEqual({ id: 6 })
  })

  it('that is dropped and made again is reported as not published until enable() adds it', async () => {
    const scenario = await openScenario()
    const { sql, rowcast, watch } = scenario
    const [items, others] = [watch(), watch('Other')]
    await sql('DROP TABLE items')
    await sql('CREATE TABLE items (id int PRIMARY KEY, note text)')
    await sql(touch(1))
    expect(await items.failure()).toMatchObject({
      code: expect.stringMatching(/CATALOG_DRIFT|SOURCE_TABLE_NOT_PUBLISHED/),
    })
    await expect.poll(() => rowcast.status().drifted[0]?.error.code).toBe('SOURCE_TABLE_NOT_PUBLISHED')
    await rowcast.enable()
    await expect.poll(() => rowcast.status().drifted).toEqual([])
    const again = watch()
    await sql(touch(2))
    await sql(`UPDATE items SET note = 'b' WHERE id = 2`)
    expect((await again.take(2)).map((change) => [change.action, change.old])).toEqual([
      ['INSERT', null],
      ['UPDATE', { id: 2, note: null }],
    ])
    await sql('INSERT INTO others VALUES (1)')
    expect((await others.next()).new).toEqual({ id: 1 })
  })

  it('that is dropped and made again within one transaction, and published there, is another one', async () => {
    const { sql, watch, rowcast } = await openScenario()
    const items = watch()
    await sql(touch(1))
    await sql(`BEGIN; DROP TABLE items; CREATE TABLE items (note text, id int PRIMARY KEY);
      ALTER TABLE items REPLICA IDENTITY FULL; ALTER PUBLICATION rowcast ADD TABLE items;
      INSERT INTO items VALUES ('new', 2); COMMIT`)
    expect((await items.next()).new).toEqual({ id: 1, note: null })
    expect(await items.failure()).toMatchObject({ code: 'RESYNC_REQUIRED' })
    await expect.poll(() => rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
    const again = watch()
    await sql(`INSERT INTO items VALUES ('newer', 3)`)
    expect((await again.next()).new).toEqual({ id: 3, note: 'newer' })
  })

  it('that is taken out of the publication is reported, and goes on when it is back', async () => {
    await playDrift(
      {},
      ['ALTER PUBLICATION rowcast DROP TABLE items', touch(2)],
      ['ALTER PUBLICATION rowcast ADD TABLE items'],
      'SOURCE_TABLE_NOT_PUBLISHED',
    )
  })

  it('that was renamed while nobody was connected is reported at the next connection', async () => {
    const { sql, rowcast, watch } = await openScenario()
    const items = watch()
    await sql('ALTER TABLE items RENAME TO articles')
    await sql(
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = current_database()`,
    )
    expect(await items.failure()).toMatchObject({ code: 'CATALOG_DRIFT' })
    await sql('ALTER TABLE articles RENAME TO items')
    await expect.poll(() => rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
  })
})

describe('a gap of one model', () => {
  it('is not bridged by a cursor from before it; other models resume', async () => {
    const { sql, rowcast, watch } = await openScenario()
    const [items, others] = [watch(), watch('Other')]
    await sql(touch(1))
    await sql('INSERT INTO others VALUES (1)')
    const [before, other] = [await items.next(), await others.next()]
    await sql('ALTER TABLE items RENAME note TO remark')
    await sql(touch(2))
    await items.failure()
    await sql('ALTER TABLE items RENAME remark TO note')
    await sql(touch(3))
    await expect.poll(() => rowcast.status().drifted).toEqual([])
    await expect(rowcast.subscribe('Item', { after: before.cursor }).next()).rejects.toMatchObject({
      code: 'RESYNC_REQUIRED',
    })
    await sql('INSERT INTO others VALUES (2)')
    const resumed = await rowcast.subscribe('Other', { after: other.cursor }).next()
    expect(resumed.value).toMatchObject({ new: { id: 2 } })
  })
})

it('a table that fits again within a transaction: no cursor from before that, in the same transaction, is good', async () => {
  const { sql, rowcast, watch } = await openScenario()
  const others = watch('Other')
  await sql('ALTER TABLE items RENAME note TO body')
  await sql(`BEGIN; INSERT INTO others VALUES (1); INSERT INTO items VALUES (1, 'lost'); INSERT INTO others VALUES (2);
    ALTER TABLE items RENAME body TO note; INSERT INTO items VALUES (2, 'read'); INSERT INTO others VALUES (3); COMMIT`)
  const [first, , third] = await others.take(3)
  await expect.poll(() => rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
  expect(await watch('Item', first?.cursor).failure()).toMatchObject({ code: 'RESYNC_REQUIRED' })
  await sql(touch(3))
  expect((await watch('Item', third?.cursor).next()).new).toMatchObject({ id: 3 })
})

describe('DDL and DML in one transaction', () => {
  it('are read in their order, each row by the columns of its moment', async () => {
    const { sql, watch } = await openScenario()
    const items = watch()
    await sql(`BEGIN; INSERT INTO items VALUES (1, 'a'); ALTER TABLE items ADD COLUMN extra int DEFAULT 5;
      INSERT INTO items VALUES (2, 'b', 6); ALTER TABLE items DROP COLUMN extra;
      INSERT INTO items VALUES (3, 'c'); UPDATE items SET note = note || '!'; COMMIT`)
    const changes = await items.take(6)
    expect(changes.slice(0, 3).map((change) => change.new?.['note'])).toEqual(['a', 'b', 'c'])
    expect(changes.slice(3).map((change) => change.new?.['note'])).toEqual(['a!', 'b!', 'c!'])
  })

  it('that were rolled back leave no trace', async () => {
    const { sql, watch, rowcast } = await openScenario()
    const items = watch()
    await sql(`BEGIN; ALTER TABLE items RENAME note TO remark; INSERT INTO items VALUES (1, 'x'); ROLLBACK`)
    await sql(`BEGIN; SAVEPOINT s; ALTER TABLE items DROP COLUMN note; INSERT INTO items VALUES (2); ROLLBACK TO s;
      INSERT INTO items VALUES (3, 'kept'); COMMIT`)
    expect((await items.next()).new).toEqual({ id: 3, note: 'kept' })
    expect(rowcast.status().drifted).toEqual([])
  })
})

describe('a rewrite of the table', () => {
  it('brings no changes and loses none', async () => {
    const { sql, watch } = await openScenario()
    const items = watch()
    await sql(`INSERT INTO items VALUES (1, 'a'), (2, 'b')`)
    await sql('VACUUM FULL items')
    await sql('CLUSTER items USING items_pkey')
    await sql(`ALTER TABLE items ADD COLUMN made timestamptz DEFAULT clock_timestamp()`)
    await sql(`INSERT INTO items VALUES (3, 'c')`)
    expect((await items.take(3)).map((change) => [change.action, change.key])).toEqual([
      ['INSERT', { id: 1 }],
      ['INSERT', { id: 2 }],
      ['INSERT', { id: 3 }],
    ])
  })
})

describe('two tables of one name', () => {
  it('in two schemas are two models', async () => {
    const { sql, watch } = await openScenario({
      sql: `CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.items (id int PRIMARY KEY, note text);
        CREATE TABLE b.items (id int PRIMARY KEY); CREATE TABLE items (id int)`,
      models: [
        { ...ITEM, schema: 'a' },
        { ...OTHER, table: 'items', schema: 'b' },
      ],
    })
    const [items, others] = [watch(), watch('Other')]
    await sql(`BEGIN; INSERT INTO b.items VALUES (1); INSERT INTO items VALUES (2);
      INSERT INTO a.items VALUES (3, 'n'); COMMIT`)
    expect((await items.next()).new).toEqual({ id: 3, note: 'n' })
    expect((await others.next()).new).toEqual({ id: 1 })
  })
})
