/** Old and new images, keys and changed fields, as PostgreSQL really sends them under each replica identity. */
import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { explainUnrepresentable } from '../../src/catalog/values/unrepresentable-value.ts'
import { quoteIdentifier } from '../../src/wire/quote.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { columnText } from '../support/column-text.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openPrismaRows } from '../support/prisma-rows.ts'
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

/** What Prisma Client shows of a value, as a string that is equal for equal values. */
function describeValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(describeValue).join('|')}]`
  if (value instanceof Date) return `date ${value.getTime()}`
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  if (typeof value !== 'object' || value === null) return `${typeof value} ${String(value)}`
  if (typeof Reflect.get(value, 'toFixed') === 'function') return `decimal ${String(value)}`
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, inner]) => `${JSON.stringify(key)}:${describeValue(inner)}`).join('|')}}`
}

/** Invalid Dates look alike to Prisma Client, whatever PostgreSQL holds. */
function isUnexplained(value: unknown): boolean {
  return Array.isArray(value) ? value.some(isUnexplained) : explainUnrepresentable(value) !== null
}

test('changed fields are those that Prisma Client shows otherwise after an update than before', async () => {
  const { catalog, PrismaClient } = await provideTypesClient()
  for (const name of ['Single', 'Listing']) {
    const types = catalog.models[name]
    if (types === undefined) throw new Error(`no model ${name}`)
    await using database = await openDatabase()
    await database.query(await readFile(TYPES_TABLES, 'utf8'))
    await database.query(`ALTER TABLE ${types.table} REPLICA IDENTITY FULL`)
    await using prisma = openPrismaRows(PrismaClient, database.url)
    const fields = types.fields.filter((field) => field.name !== 'id')
    const states = fc.sample(fc.tuple(...fields.map((field) => columnText(field, catalog))), {
      seed: 20_261_122,
      numRuns: 60,
    })
    await database.query(`INSERT INTO ${types.table} (id) VALUES (1)`)
    const slot = await openChangeSlot(database, { catalog, models: [types] })
    const shown = [await prisma.find(types, { id: 1 })]
    const columns = fields.map((field, index) => `${quoteIdentifier(field.column)} = $${index + 1}`)
    for (const [index, state] of states.entries()) {
      // Every second update leaves half of the columns as they were.
      const values = state.map((value, at) =>
        index % 2 === 1 && at % 2 === 1 ? states[index - 1]?.[at] : value,
      )
      await database.query(`UPDATE ${types.table} SET ${columns.join(', ')}`, values)
      shown.push(await prisma.find(types, { id: 1 }))
    }
    for (const form of FORMS) {
      const changes = await slot.peek(form)
      expect(changes).toHaveLength(states.length)
      for (const [index, { message, reader }] of changes.entries()) {
        if (message.kind !== 'update' || message.old === null) throw new Error('an update with its old row')
        const row = reader.readRow(message.new)
        const before = reader.readRow(message.old)
        const isComparable = (field: string) => !isUnexplained(row[field]) || !isUnexplained(before[field])
        const expected = fields
          .map((field) => field.name)
          .filter(
            (field) => describeValue(shown[index]?.[field]) !== describeValue(shown[index + 1]?.[field]),
          )
        const changed = reader.changedFields(message.old, message.new)
        expect(changed.filter(isComparable)).toEqual(expected.filter(isComparable))
      }
    }
  }
})
