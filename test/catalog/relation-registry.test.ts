import { describe, expect, test } from 'vitest'
import type { EnumSpec } from '../../src/catalog/model-catalog.ts'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import { isRowcastError } from '../../src/errors.ts'
import { buildField, buildModel, buildRelation, buildTuple } from '../support/catalog-builder.ts'
import { binary, text } from '../support/message-builder.ts'

const INT4 = 23
const TEXT = 25
const DYNAMIC = 20_000
const enums: Record<string, EnumSpec> = {
  Mood: {
    name: 'Mood',
    schema: null,
    dbName: 'mood',
    documentation: null,
    values: [{ name: 'HAPPY', label: 'happy', documentation: null }],
  },
}
const model = buildModel([buildField('id', 'Int'), buildField('title', 'String')])
const other = buildModel([buildField('id', 'Int')], { name: 'Other', schema: 'audit' })
const relation = buildRelation({ id: INT4, title: TEXT })

function createRegistry(defaultSchema?: string) {
  return createRelationRegistry({ catalog: { enums }, models: [model, other], defaultSchema })
}

function typeMessage(schema: string, name: string) {
  return { kind: 'type', streamXid: null, oid: DYNAMIC, schema, name } as const
}

describe('which model a table is', () => {
  test('goes by schema and table; a model without a schema is in the default one', () => {
    const registry = createRegistry()
    expect(registry.update(relation).model).toBe(model)
    expect(registry.update({ ...relation, oid: 2, schema: 'audit' }).model).toBe(other)
    expect(createRegistry('app').update({ ...relation, schema: 'app' }).model).toBe(model)
  })

  test('is none for tables nobody registered', () => {
    const registry = createRegistry()
    const entry = registry.update({ ...relation, table: 'things_2026' })
    expect(entry).toMatchObject({ model: null, reader: null, drift: null })
    expect(registry.readerOf(relation.oid)).toBeNull()
    expect(registry.readerOf(404)).toBeNull()
    expect(registry.entryOf(404)).toBeUndefined()
  })
})

describe('a relation that comes again', () => {
  test('keeps its reader while the shape is the same', () => {
    const registry = createRegistry()
    const { reader } = registry.update(relation)
    expect(reader).not.toBeNull()
    expect(registry.update({ ...relation, replicaIdentity: 'default' }).reader).toBe(reader)
    expect(registry.entryOf(relation.oid)?.relation.replicaIdentity).toBe('default')
  })

  test('gets a new reader when a column is added', () => {
    const registry = createRegistry()
    const { reader } = registry.update(relation)
    const wider = registry.update(buildRelation({ id: INT4, added: TEXT, title: TEXT }))
    expect(wider.reader).not.toBe(reader)
    expect(wider.reader?.readRow(buildTuple(text('1'), text('new'), text('t')))).toEqual({
      id: 1,
      title: 't',
    })
  })

  test('is forgotten on a new connection', () => {
    const registry = createRegistry()
    registry.update(relation)
    registry.clear()
    expect(registry.entryOf(relation.oid)).toBeUndefined()
  })
})

describe('drift', () => {
  test('is a finding at the model, names what differs, and goes away by itself', () => {
    const registry = createRegistry()
    const healthy = registry.update({ ...relation, oid: 2, schema: 'audit' })
    const { drift, reader } = registry.update(buildRelation({ id: 1114, renamed: TEXT }))
    expect(reader).toBeNull()
    expect(isRowcastError(drift, 'CATALOG_DRIFT')).toBe(true)
    expect(drift?.message).toContain('field Thing.id, column "id": type 1114 cannot be read as Int')
    expect(drift?.message).toContain('field Thing.title, column "title": the stream has no such column')
    expect(drift?.message).toContain('`prisma migrate deploy`')
    expect(drift?.details).toMatchObject({ model: 'Thing', field: 'id', column: 'id', findings: 2 })
    expect([...registry.faults]).toEqual([['Thing', drift]])
    expect(registry.readerOf(2)).toBe(healthy.reader)
    expect(registry.update(relation).drift).toBeNull()
    expect(registry.faults.size).toBe(0)
  })

  test('a list is not a single value, nor the other way round', () => {
    const lists = buildModel([buildField('id', 'Int', { isList: true }), buildField('title', 'String')])
    const registry = createRelationRegistry({ catalog: { enums }, models: [lists] })
    expect(registry.update(relation).drift?.message).toContain('type 23 cannot be read as Int[]')
    expect(registry.update(buildRelation({ id: 1007, title: 1009 })).drift?.message).toContain(
      'type 1009 cannot be read as String',
    )
  })
})

describe('types with an OID of their own', () => {
  function readSingle(field: ReturnType<typeof buildField>, type: readonly [string, string] | null) {
    const single = buildModel([field])
    const registry = createRelationRegistry({ catalog: { enums }, models: [single] })
    if (type !== null) registry.updateType(typeMessage(...type))
    return registry.update(buildRelation({ [field.column]: DYNAMIC }))
  }

  test('an enum: the label becomes the Prisma name; a new label does not stop the stream', () => {
    const field = buildField('mood', 'Mood', { kind: 'enum' })
    const { reader } = readSingle(field, ['public', 'mood'])
    expect(reader?.readRow(buildTuple(text('happy')))).toEqual({ mood: 'HAPPY' })
    expect(reader?.readRow(buildTuple(text('new')))['mood']).toMatchObject({
      reason: 'unknown-label',
      value: 'new',
    })
  })

  test('a domain is read as its base, and checked as its base', () => {
    expect(
      readSingle(buildField('n', 'BigInt'), ['pg_catalog', 'int4']).reader?.readRow(
        buildTuple(binary(0, 0, 0, 7)),
      ),
    ).toEqual({ n: 7n })
    expect(readSingle(buildField('n', 'Int'), ['pg_catalog', 'text']).drift).not.toBeNull()
    expect(readSingle(buildField('n', 'Int'), ['public', 'mood']).drift?.message).toContain('public.mood')
  })

  test('an array of a domain is read as the schema says', () => {
    const { reader } = readSingle(buildField('ns', 'Int', { isList: true }), ['public', '_positive'])
    expect(reader?.readRow(buildTuple(text('{1,2}')))).toEqual({ ns: [1, 2] })
    const bytes = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x4e, 0x21, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 7]
    expect(reader?.readRow(buildTuple(binary(...bytes)))).toEqual({ ns: [7] })
    expect(reader?.readRow(buildTuple(binary(1, 2, 3)))['ns']).toMatchObject({ reason: 'unreadable' })
    expect(reader?.readRow(buildTuple(text('plain')))['ns']).toMatchObject({ reason: 'unreadable' })
  })

  test('behind a String: text is text, and bytes that cannot be text are unreadable', () => {
    const { reader } = readSingle(buildField('s', 'String'), ['public', 'citext'])
    expect(reader?.readRow(buildTuple(binary(0x41, 0x62)))).toEqual({ s: 'Ab' })
    expect(reader?.readRow(buildTuple(binary(0, 0, 0, 2)))['s']).toMatchObject({ reason: 'unreadable' })
  })
})

describe('tables that move', () => {
  const renamed = { ...relation, table: 'articles' }

  test('a table renamed away leaves its model drifted, until the name is back', () => {
    const registry = createRegistry()
    registry.update(relation)
    const entry = registry.update(renamed)
    expect(entry).toMatchObject({ reader: null, drift: { code: 'CATALOG_DRIFT' } })
    expect(entry.drift?.message).toContain('is now called "public"."articles"')
    expect(registry.faults.get('Thing')).toBe(entry.drift)
    expect(registry.update(relation).reader).not.toBeNull()
    expect(registry.faults.size).toBe(0)
  })

  test('a successor of the same name relieves it; the renamed one is nobody’s then', () => {
    const registry = createRegistry()
    registry.update(relation)
    registry.update(renamed)
    expect(registry.update({ ...relation, oid: 2 }).reader).not.toBeNull()
    expect(registry.faults.size).toBe(0)
    expect(registry.update({ ...renamed, columns: [] })).toMatchObject({ model: null, drift: null })
    expect(registry.readerOf(relation.oid)).toBeNull()
  })

  test('a table recreated under a new OID replaces the dropped one', () => {
    const registry = createRegistry()
    registry.update(relation)
    registry.update({ ...relation, oid: 2 })
    expect(registry.readerOf(relation.oid)).toBeNull()
    expect(registry.readerOf(2)).not.toBeNull()
    expect(registry.update(renamed)).toMatchObject({ model: null, drift: null })
  })

  test('a drift outlives the connection', () => {
    const registry = createRegistry()
    registry.update(buildRelation({ id: 1114 }))
    registry.clear()
    expect(registry.faults.has('Thing')).toBe(true)
    registry.update(relation)
    expect(registry.faults.size).toBe(0)
  })
})

describe('what the catalog of the database says', () => {
  const own = { model: 'Thing', schema: 'public', table: 'things', unpublishedColumns: [] }

  test('columns that are not published are unavailable, all other missing ones a drift', () => {
    const optional = buildModel([
      buildField('id', 'Int'),
      buildField('note', 'String', { isRequired: false }),
    ])
    const registry = createRelationRegistry({ catalog: { enums: {} }, models: [optional] })
    const short = buildRelation({ id: INT4 })
    registry.expect([{ ...own, unpublishedColumns: ['note'] }])
    expect(registry.update(short)).toMatchObject({ drift: null, reader: { missingFields: ['note'] } })
    registry.expect([own])
    expect(registry.update({ ...short, oid: 2 }).drift?.message).toContain(
      'column "note": the stream has no such',
    )
    registry.expect([{ ...own, unpublishedColumns: ['id'] }])
    expect(registry.update(buildRelation({ note: TEXT }, { oid: 3 })).drift).toBeNull()
  })

  test('tables that inherit from a model’s are the model’s; the drift of either is its drift', () => {
    const registry = createRegistry()
    registry.expect([own, { ...own, table: 'special' }])
    const child = { ...relation, oid: 2, table: 'special' }
    expect(registry.update(child).model).toBe(model)
    registry.update(relation)
    expect(registry.readerOf(2)).not.toBeNull()
    registry.update({ ...child, columns: [] })
    registry.update(relation)
    expect(registry.faults.has('Thing')).toBe(true)
    expect(registry.readerOf(relation.oid)).toBeNull()
    registry.update(child)
    expect(registry.faults.size).toBe(0)
  })

  test('a table that inherits no longer is nobody’s, and the model’s again when it does', () => {
    const registry = createRegistry()
    const both = [own, { ...own, table: 'special' }]
    registry.expect(both)
    registry.update(relation)
    registry.update({ ...relation, oid: 2, table: 'special' })
    registry.expect([own])
    expect([registry.readerOf(2), registry.faults.size]).toEqual([null, 0])
    expect(registry.update({ ...relation, oid: 2, table: 'special' }).model).toBeNull()
    registry.expect(both)
    expect(registry.readerOf(2)).not.toBeNull()
    expect(registry.readerOf(relation.oid)).not.toBeNull()
  })

  test('a table that wrote before it was known to inherit is the model’s from then on; its predecessor is not', () => {
    const registry = createRegistry()
    registry.expect([own])
    const child = { ...relation, table: 'special' }
    registry.update({ ...child, oid: 2 })
    registry.update({ ...child, oid: 3 })
    expect(registry.readerOf(3)).toBeNull()
    registry.expect([own, { ...own, table: 'special' }])
    expect(registry.entryOf(3)?.model).toBe(model)
    expect(registry.readerOf(3)).not.toBeNull()
    expect(registry.readerOf(2)).toBeNull()
  })
})
