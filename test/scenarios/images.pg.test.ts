/**
 * What a change holds under each replica identity. Behaviours of PostgreSQL's 001_rep_changes, 010_truncate,
 * 012_collation and 100_bugs.
 */
import { describe, expect, it } from 'vitest'
import { quoteIdentifier } from '../../src/wire/quote.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { openDatabase } from '../support/database.ts'
import { buildRowcast, ITEM, OTHER, openScenario, outline, TABLES } from './scenario.ts'

const DOC = buildModel(
  [
    buildField('id', 'Int'),
    buildField('code', 'String'),
    buildField('note', 'String', { isRequired: false }),
    buildField('big', 'String', { isRequired: false }),
  ],
  { name: 'Doc', table: 'docs' },
)
const DOCS = `CREATE TABLE docs (id int PRIMARY KEY, code text NOT NULL UNIQUE, note text, big text);
  ALTER TABLE docs ALTER big SET STORAGE EXTERNAL`
const BIG = 'x'.repeat(20_000)

/** One row, then an ordinary update, a new key, and a delete. */
async function playDocs(identity: string, keep = true) {
  const scenario = await openScenario({
    sql: `${DOCS}; ALTER TABLE docs REPLICA IDENTITY ${identity}`,
    models: [DOC],
    register: keep ? { Doc: { replicaIdentity: 'keep' } } : {},
  })
  const docs = scenario.watch('Doc')
  await scenario.sql('INSERT INTO docs VALUES (1, $1, $2, $3)', ['a', 'n', BIG])
  await scenario.sql(`UPDATE docs SET note = 'm'`)
  await scenario.sql('UPDATE docs SET id = 2')
  await scenario.sql('DELETE FROM docs')
  return docs.take(4)
}

describe('a row’s images', () => {
  it('are whole under FULL, unchanged TOAST included; a new primary key is one UPDATE', async () => {
    const [, note, key, gone] = await playDocs('DEFAULT', false)
    const row = { id: 1, code: 'a', note: 'm', big: BIG }
    expect(note).toMatchObject({ old: { ...row, note: 'n' }, new: row, changed: ['note'], unavailable: [] })
    expect(note).toMatchObject({ key: { id: 1 }, oldKey: null })
    expect(key).toMatchObject({ action: 'UPDATE', old: row, new: { ...row, id: 2 }, changed: ['id'] })
    expect(key).toMatchObject({ key: { id: 2 }, oldKey: { id: 1 } })
    expect(gone).toMatchObject({ old: { ...row, id: 2 }, new: null, key: { id: 2 }, oldKey: null })
  })

  it('are the key alone under DEFAULT; what was not sent is unavailable and never null', async () => {
    const [, note, key, gone] = await playDocs('DEFAULT')
    expect(note).toMatchObject({ old: null, changed: [], unavailable: ['big'], key: { id: 1 }, oldKey: null })
    expect(note?.new).toEqual({ id: 1, code: 'a', note: 'm' })
    expect(key).toMatchObject({ old: null, key: { id: 2 }, oldKey: { id: 1 }, unavailable: ['big'] })
    expect(gone).toMatchObject({ action: 'DELETE', old: null, new: null, key: { id: 2 } })
  })

  it('lack the primary key of a deleted row where the identity is an index without it', async () => {
    const [, note, key, gone] = await playDocs('USING INDEX docs_code_key')
    expect(note).toMatchObject({ old: null, key: { id: 1 }, unavailable: ['big'] })
    // The index did not change, so PostgreSQL sent nothing: whether the key did is not known.
    expect(note).toMatchObject({ action: 'UPDATE', oldKey: undefined })
    expect(key).toMatchObject({ action: 'UPDATE', key: { id: 2 }, oldKey: undefined })
    expect(gone).toMatchObject({ action: 'DELETE', old: null, key: null })
  })
})

describe('NOTHING', () => {
  it('is replaced by FULL, and refused where it is to be kept', async () => {
    await using database = await openDatabase()
    await database.query(`${TABLES}; ALTER TABLE items REPLICA IDENTITY NOTHING`)
    const keeping = buildRowcast(database, { register: { Item: { replicaIdentity: 'keep' } } })
    await expect(keeping.enable()).rejects.toMatchObject({
      code: 'SOURCE_IDENTITY_MISSING',
      hint: expect.stringContaining('ALTER TABLE "public"."items" REPLICA IDENTITY FULL'),
    })
    // Nothing was published: the application is as well as before.
    await database.query('INSERT INTO items VALUES (1)')
    await database.query('DELETE FROM items')
    await buildRowcast(database).enable()
    await database.query('INSERT INTO items VALUES (1)')
    await database.query('DELETE FROM items')
  })
})

describe('a table without a primary key', () => {
  it('has changes without a key, and can still be updated and deleted from', async () => {
    const model = { ...ITEM, primaryKey: [] }
    const { sql, watch } = await openScenario({
      sql: 'CREATE TABLE items (id int NOT NULL, note text)',
      models: [model],
    })
    const items = watch()
    await sql(`INSERT INTO items VALUES (1, 'a'), (1, 'a')`)
    await sql(`UPDATE items SET note = 'b'`)
    await sql('DELETE FROM items')
    const changes = await items.take(6)
    expect(changes.map((change) => change.key)).toEqual(Array(6).fill(null))
    expect(outline(changes.slice(3, 5))).toEqual([
      ['UPDATE', { id: 1, note: 'a' }, { id: 1, note: 'b' }],
      ['DELETE', { id: 1, note: 'b' }, null],
    ])
    expect(changes[2]).toMatchObject({ action: 'UPDATE', oldKey: null, changed: ['note'] })
  })
})

describe('an identity changed while streaming', () => {
  it('counts from the next change on', async () => {
    const { sql, watch } = await openScenario()
    const items = watch()
    await sql(`INSERT INTO items VALUES (1, 'a')`)
    await sql('ALTER TABLE items REPLICA IDENTITY DEFAULT')
    await sql(`UPDATE items SET note = 'b'`)
    await sql('ALTER TABLE items REPLICA IDENTITY FULL')
    await sql(`UPDATE items SET note = 'c'`)
    expect((await items.take(3)).map((change) => change.old)).toEqual([null, null, { id: 1, note: 'b' }])
  })
})

describe('a key under a collation that calls different texts equal', () => {
  it('changes when its text does', async () => {
    const model = buildModel([buildField('name', 'String')], { name: 'Item', table: 'items' })
    const { sql, watch } = await openScenario({
      sql: `CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE items (name text COLLATE folded PRIMARY KEY)`,
      models: [model],
    })
    const items = watch()
    await sql(`INSERT INTO items VALUES ('ada')`)
    await sql(`UPDATE items SET name = 'ADA' WHERE name = 'Ada'`)
    const [, update] = await items.take(2)
    expect(update).toMatchObject({ key: { name: 'ADA' }, oldKey: { name: 'ada' }, changed: ['name'] })
  })
})

describe('TRUNCATE', () => {
  it('of several tables is one change each, in one transaction, without images', async () => {
    const { sql, watch } = await openScenario({
      sql: `${TABLES}; CREATE TABLE lines (item int REFERENCES items)`,
      models: [
        ITEM,
        OTHER,
        buildModel([buildField('item', 'Int', { isRequired: false })], {
          name: 'Line',
          table: 'lines',
          primaryKey: [],
        }),
      ],
    })
    const watches = ['Item', 'Other', 'Line'].map((model) => watch(model))
    await sql('BEGIN')
    await sql('TRUNCATE items, others RESTART IDENTITY CASCADE')
    await sql('COMMIT')
    const changes = await Promise.all(watches.map((each) => each.next()))
    for (const change of changes) {
      expect(change).toMatchObject({ action: 'TRUNCATE', old: null, new: null, key: null, changed: [] })
    }
    expect(new Set(changes.map((change) => change.transaction.xid)).size).toBe(1)
    expect(changes.map((change) => change.index).sort()).toEqual([0, 1, 2])
  })
})

describe('implicit many-to-many tables in the publication', () => {
  const joinTable = {
    relationName: 'ItemToOther',
    schema: null,
    table: '_ItemToOther',
    modelA: 'Item',
    modelB: 'Other',
  }
  const join = `${TABLES}; CREATE TABLE "_ItemToOther" ("A" int NOT NULL, "B" int NOT NULL);
    CREATE UNIQUE INDEX "_ItemToOther_AB_unique" ON "_ItemToOther" ("A", "B")`

  it('are prepared, so that the application can still disconnect rows', async () => {
    await using database = await openDatabase()
    await database.query(`${join}; CREATE PUBLICATION rowcast FOR ALL TABLES`)
    await database.query('INSERT INTO "_ItemToOther" VALUES (1, 2)')
    await expect(database.query('DELETE FROM "_ItemToOther"')).rejects.toMatchObject({ code: '55000' })
    const rowcast = buildRowcast(database, { joinTables: [joinTable] })
    const steps = await rowcast.enable()
    expect(steps.map((step) => step.sql)).toContain(
      'ALTER TABLE "public"."_ItemToOther" REPLICA IDENTITY USING INDEX "_ItemToOther_AB_unique"',
    )
    await database.query('DELETE FROM "_ItemToOther"')
    expect(await rowcast.enable()).toEqual([])
  })

  it('need nothing with the primary key that Prisma 6 and later give them, and nothing where not published', async () => {
    await using database = await openDatabase()
    await database.query(`${join}; ALTER TABLE "_ItemToOther" ADD PRIMARY KEY ("A", "B");
      CREATE PUBLICATION rowcast FOR ALL TABLES`)
    const steps = await buildRowcast(database, { joinTables: [joinTable] }).enable()
    expect(steps.some((step) => step.sql.includes('_ItemToOther'))).toBe(false)
    await database.query('INSERT INTO "_ItemToOther" VALUES (1, 2)')
    await database.query('DELETE FROM "_ItemToOther"')
  })

  it('any other table that could not be changed any more is a problem with its hint', async () => {
    await using database = await openDatabase()
    await database.query(
      `${TABLES}; CREATE TABLE logs (line text); CREATE PUBLICATION rowcast FOR ALL TABLES`,
    )
    await expect(buildRowcast(database).enable()).rejects.toMatchObject({
      code: 'SOURCE_IDENTITY_MISSING',
      hint: expect.stringContaining('ALTER TABLE "public"."logs" REPLICA IDENTITY FULL'),
    })
  })
})

describe('names', () => {
  it('with quotes, capitals and letters of other scripts are the ones they are', async () => {
    const names = { table: 'Ta"ble Ünï', column: 'select "x" 漢字' }
    const model = buildModel(
      [buildField('id', 'Int'), buildField('value', 'String', { column: names.column })],
      {
        name: 'Item',
        table: names.table,
      },
    )
    const { sql, watch } = await openScenario({
      sql: `CREATE TABLE ${quoteIdentifier(names.table)} (id int PRIMARY KEY, ${quoteIdentifier(names.column)} text)`,
      models: [model],
    })
    const items = watch()
    await sql(`INSERT INTO ${quoteIdentifier(names.table)} VALUES (1, 'v')`)
    expect((await items.next()).new).toEqual({ id: 1, value: 'v' })
  })
})
