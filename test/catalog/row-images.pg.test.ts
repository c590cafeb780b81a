/** Old and new images, keys and changed fields, as PostgreSQL really sends them under each replica identity. */
import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FieldSpec, ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { quoteIdentifier } from '../../src/wire/quote.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { columnText } from '../support/column-text.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openChangeSlot, type ReadableChange } from '../support/row-changes.ts'
import { provideTypesClient, TYPES_TABLES } from '../support/types-schema/provide-types-client.ts'

const FORMS = ['binary', 'text'] as const

const model = buildModel([
  buildField('id', 'Int'),
  buildField('code', 'String'),
  buildField('note', 'String', { isRequired: false }),
  buildField('big', 'String', { isRequired: false }),
])
const BIG = 'x'.repeat(20_000)

/** A table with a value that is stored out of line, one row in it, and a slot that starts after that row. */
async function openThings(database: TestDatabase, identity: string) {
  await database.query('CREATE TABLE things (id int PRIMARY KEY, code text NOT NULL, note text, big text)')
  await database.query('CREATE UNIQUE INDEX things_code ON things (code)')
  await database.query('ALTER TABLE things ALTER big SET STORAGE EXTERNAL')
  await database.query(`ALTER TABLE things REPLICA IDENTITY ${identity}`)
  await database.query('INSERT INTO things VALUES (1, $1, $2, $3)', ['a', 'n', BIG])
  return openChangeSlot(database, { catalog: { enums: {} }, models: [model] })
}

/** What a reader makes of an update. */
function readUpdate({ message, reader }: ReadableChange) {
  const old = message.oldKind === 'full' ? message.old : null
  const now = message.new
  return {
    oldKind: message.oldKind,
    image: now === null ? null : reader.readNew(now, old),
    key: reader.readKey(now ?? message.old),
    changed: now === null || old === null ? null : reader.changedFields(old, now),
  }
}

describe.each(FORMS)('in %s form', (form) => {
  test('FULL: unchanged TOAST is filled from the old image', async () => {
    await using database = await openDatabase()
    const slot = await openThings(database, 'FULL')
    await database.query("UPDATE things SET note = 'm'")
    await database.query('UPDATE things SET id = 2')
    await database.query('DELETE FROM things')
    const [note, key, gone] = (await slot.peek(form)).map(readUpdate)
    expect(note).toEqual({
      oldKind: 'full',
      image: { row: { id: 1, code: 'a', note: 'm', big: BIG }, unavailable: [] },
      key: { id: 1 },
      changed: ['note'],
    })
    expect(key).toMatchObject({ key: { id: 2 }, changed: ['id'] })
    expect(gone).toMatchObject({ oldKind: 'full', key: { id: 2 } })
  })

  test('DEFAULT: unchanged TOAST is unavailable, never null; the key is known', async () => {
    await using database = await openDatabase()
    const slot = await openThings(database, 'DEFAULT')
    await database.query("UPDATE things SET note = 'm'")
    await database.query('UPDATE things SET id = 2, big = NULL')
    await database.query('DELETE FROM things')
    const [note, key, gone] = (await slot.peek(form)).map(readUpdate)
    expect(note).toEqual({
      oldKind: 'none',
      image: { row: { id: 1, code: 'a', note: 'm' }, unavailable: ['big'] },
      key: { id: 1 },
      changed: null,
    })
    expect(key).toMatchObject({
      oldKind: 'key',
      image: { row: { id: 2, code: 'a', note: 'm', big: null }, unavailable: [] },
      key: { id: 2 },
    })
    expect(gone).toMatchObject({ oldKind: 'key', image: null, key: { id: 2 } })
  })

  test('USING INDEX: a deleted row’s primary key is unknown', async () => {
    await using database = await openDatabase()
    const slot = await openThings(database, 'USING INDEX things_code')
    await database.query('DELETE FROM things')
    const [gone] = (await slot.peek(form)).map(readUpdate)
    expect(gone).toEqual({ oldKind: 'key', image: null, key: null, changed: null })
  })
})

/** A column as PostgreSQL is to compare it: what a String shows, json as jsonb, and all others as they are. */
function comparable(alias: string, { column, type, nativeType, isList }: FieldSpec): string {
  const cast = type === 'String' ? '::text' : nativeType === 'Json' ? '::jsonb' : ''
  return `${alias}.${quoteIdentifier(column)}${cast === '' ? '' : cast + (isList ? '[]' : '')}`
}

/** Pairs that are one value though written otherwise, and pairs that rows show alike though they are two. */
const PAIRS: Readonly<
  Record<string, readonly (readonly [field: string, before: string | null, after: string | null])[]>
> = {
  Single: [
    ['float8', '0', '-0'],
    ['float4', '-0', '0'],
    ['float8', 'NaN', 'NaN'],
    ['float8', 'NaN', 'Infinity'],
    ['float8', '0.1', '0.10000000000000002'],
    ['numeric', '1.0', '1.00'],
    ['numeric', 'NaN', 'NaN'],
    ['numeric', '100000000000000000000.1', '100000000000000000000.2'],
    ['timestamp6', '2026-01-01 00:00:00.000001', '2026-01-01 00:00:00.000002'],
    ['timestamptz6', '2026-01-01 00:00:00+00', '2026-01-01 01:00:00+01'],
    ['timestamp6', 'infinity', '-infinity'],
    ['timestamp6', 'infinity', 'infinity'],
    ['timetz', '12:00:00+00', '13:00:00+01'],
    ['date', '0044-03-15 BC', '0045-03-15 BC'],
    ['jsonb', '9007199254740992', '9007199254740993'],
    ['jsonb', '{"a": [9007199254740992]}', '{"a": [9007199254740993]}'],
    ['jsonb', '{"a": [1.0, -0], "b": "1.0"}', '{"b": "1.0", "a": [1.00, 0]}'],
    ['jsonb', '{"a": "1.0"}', '{"a": "1.00"}'],
    ['jsonb', '[1, 23]', '[12, 3]'],
    ['jsonb', '1', '"1"'],
    ['jsonb', 'null', null],
    ['jsonb', '{"a\\"1": 1.0}', '{"a\\"1": 1.000}'],
    ['jsonb', `${'['.repeat(2000)}1.0${']'.repeat(2000)}`, `${'['.repeat(2000)}1.00${']'.repeat(2000)}`],
    ['jsonb', `${'['.repeat(2000)}1${']'.repeat(2000)}`, `${'['.repeat(2000)}2${']'.repeat(2000)}`],
    ['json', '{"a": 9007199254740992}', '{"a": 9007199254740993}'],
    ['json', '9007199254740992', '9007199254740993'],
    ['json', '{"a": 1, "b": 1e2}', '{"b":100.0,"a":1}'],
    ['json', '{"a": 0.1}', '{"a": 0.100000000000000005}'],
    ['json', '["\\u0041"]', '["A"]'],
    ['citext', 'bob', 'Bob'],
    ['bytes', '\\x00', '\\x0000'],
    ['money', '1.00', '1.0'],
  ],
  Listing: [
    ['text', '{a}', '[2:2]={a}'],
    ['text', '{}', null],
    ['text', '{a,NULL}', '{a,NULL}'],
    ['text', '{NULL}', '{"NULL"}'],
    ['int4', '{{1,2},{3,4}}', '{1,2,3,4}'],
    ['int4', '{{1,2},{3,4}}', '{{1,2},{3,4}}'],
    ['numeric', '{1.0,NULL}', '{1.00,NULL}'],
    ['numeric', '{{1.0}}', '{{1.00}}'],
    ['float8', '{0}', '{-0}'],
    ['timestamp3', '{2026-01-01}', '{2026-01-02}'],
    ['jsonb', '{"{\\"a\\": 1.0}",NULL}', '{"{\\"a\\": 1.00}",NULL}'],
    ['jsonb', '{9007199254740992}', '{9007199254740993}'],
    ['json', '{"[1, 2]"}', '{"[1,2.0]"}'],
    ['mood', '{plain}', '{plain}'],
    ['bytes', '{"\\\\x00"}', '{"\\\\x01"}'],
  ],
}

/** Random states of all columns, and after them those of the pairs. */
function statesOf(name: string, fields: readonly FieldSpec[], catalog: ModelCatalog) {
  const states: (string | null)[][] = fc.sample(
    fc.tuple(...fields.map((field) => columnText(field, catalog))),
    { seed: 20_261_122, numRuns: 60 },
  )
  // Every second update leaves half of the columns as they were.
  for (const [index, state] of states.entries()) {
    const before = states[index - 1]
    if (index % 2 === 1 && before !== undefined) {
      states[index] = state.map((value, at) => (at % 2 === 1 ? (before[at] ?? null) : value))
    }
  }
  for (const [field, before, after] of PAIRS[name] ?? []) {
    const at = fields.findIndex((candidate) => candidate.name === field)
    if (at === -1) throw new Error(`no field ${field}`)
    for (const value of [before, after]) states.push(fields.map((_, index) => (index === at ? value : null)))
  }
  return states
}

test.each(['Single', 'Listing'])(
  'changed fields of %s are those that PostgreSQL calls distinct',
  async (name) => {
    const { catalog } = await provideTypesClient()
    const types = catalog.models[name]
    if (types === undefined) throw new Error(`no model ${name}`)
    await using database = await openDatabase()
    await database.query(await readFile(TYPES_TABLES, 'utf8'))
    await database.query(`ALTER TABLE ${types.table} REPLICA IDENTITY FULL`)
    const fields = types.fields.filter((field) => field.name !== 'id')
    const states = statesOf(name, fields, catalog)
    await database.query(`INSERT INTO ${types.table} (id) VALUES (1)`)
    const slot = await openChangeSlot(database, { catalog, models: [types] })
    const columns = fields.map((field, index) => `${quoteIdentifier(field.column)} = $${index + 1}`)
    const distinct = fields.map(
      (field) =>
        `${comparable('a', field)} IS DISTINCT FROM ${comparable('b', field)} AS ${quoteIdentifier(field.name)}`,
    )
    await database.query(`CREATE UNLOGGED TABLE before AS TABLE ${types.table}`)
    const expected: string[][] = []
    for (const state of states) {
      await database.query(`DELETE FROM before; INSERT INTO before TABLE ${types.table}`)
      await database.query(`UPDATE ${types.table} SET ${columns.join(', ')}`, state)
      const [answer] = await database.query(`SELECT ${distinct.join(', ')} FROM before a, ${types.table} b`)
      expected.push(fields.map((field) => field.name).filter((field) => answer?.[field] === true))
    }
    for (const form of FORMS) {
      const changes = await slot.peek(form)
      expect(changes).toHaveLength(states.length)
      for (const [index, { message, reader }] of changes.entries()) {
        if (message.kind !== 'update' || message.old === null) throw new Error('an update with its old row')
        const change = `${form}, ${index - 60}: ${states[index]?.filter((value) => value !== null).map((value) => value.slice(0, 40))}`
        expect(reader.changedFields(message.old, message.new), change).toEqual(expected[index])
      }
    }
  },
)

test('an array that could have held NULL is the same as one that could not', async () => {
  await using database = await openDatabase()
  await database.query('CREATE TABLE things (id int PRIMARY KEY, list int[])')
  await database.query('ALTER TABLE things REPLICA IDENTITY FULL')
  await database.query("INSERT INTO things VALUES (1, '{NULL,2}')")
  await database.query('UPDATE things SET list[1] = 5')
  const listed = buildModel([buildField('id', 'Int'), buildField('list', 'Int', { isList: true })])
  const slot = await openChangeSlot(database, { catalog: { enums: {} }, models: [listed] })
  await database.query("UPDATE things SET list = '{5,2}'")
  for (const form of FORMS) {
    const [change] = (await slot.peek(form)).map(readUpdate)
    expect(change?.changed).toEqual([])
  }
})
