import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { compileFastRow, createFastRow, interpretFastRow } from '../../src/catalog/fast-row.ts'
import { layOutRow } from '../../src/catalog/row-layout.ts'
import { compileRowReader, createRowReader } from '../../src/catalog/row-reader.ts'
import { UnrepresentableValue } from '../../src/catalog/values/unrepresentable-value.ts'
import { type TupleColumn, UNCHANGED } from '../../src/pgoutput/tuple.ts'
import { buildField, buildModel, buildRelation, buildTuple } from '../support/catalog-builder.ts'
import { binary, text } from '../support/message-builder.ts'

const INT4 = 23
const TEXT = 25
const BYTEA = 17
const NUMERIC = 1700
const JSON_OID = 114
const FLOAT8 = 701
const TEXT_ARRAY = 1009
const catalog = { enums: {} }

/** Fields and columns in different orders, and columns that no field stands on. */
const model = buildModel([
  buildField('id', 'Int'),
  buildField('fullName', 'String', { column: 'full_name', isRequired: false }),
  buildField('data', 'Bytes', { isRequired: false }),
  buildField('tags', 'String', { isList: true }),
])
const relation = buildRelation({
  extra: 600,
  tags: TEXT_ARRAY,
  data: BYTEA,
  id: INT4,
  full_name: TEXT,
  tail: 600,
})
const reader = compileRowReader(relation, model, catalog)
const skipped = text('(1,2)')

afterEach(() => {
  vi.unstubAllGlobals()
})

describe('readRow', () => {
  test('gives Prisma names in the order of the schema, whatever the order of columns', () => {
    const row = reader.readRow(
      buildTuple(skipped, text('{a,b}'), binary(1, 2), text('7'), text('Ada'), skipped),
    )
    expect(row).toStrictEqual({ id: 7, fullName: 'Ada', data: Uint8Array.of(1, 2), tags: ['a', 'b'] })
    expect(Object.keys(row)).toEqual(['id', 'fullName', 'data', 'tags'])
    expect(Object.getPrototypeOf(row)).toBe(Object.prototype)
  })

  test('reads NULL as null, and as an empty list where the field is a list', () => {
    const row = reader.readRow(buildTuple(null, null, null, binary(0, 0, 0, 7), null, null))
    expect(row).toStrictEqual({ id: 7, fullName: null, data: null, tags: [] })
  })

  test('keeps no view on the bytes', () => {
    const tuple = buildTuple(skipped, text('{a}'), binary(1, 2), text('7'), text('Ada'), skipped)
    const row = reader.readRow(tuple)
    tuple.bytes.fill(0xff)
    expect(row).toStrictEqual({ id: 7, fullName: 'Ada', data: Uint8Array.of(1, 2), tags: ['a'] })
  })

  test('survives a value that its codec chokes on', () => {
    const jsonReader = compileRowReader(
      buildRelation({ id: INT4, json: JSON_OID }),
      buildModel([buildField('id', 'Int'), buildField('json', 'Json')]),
      catalog,
    )
    const row = jsonReader.readRow(buildTuple(text('1'), text('{')))
    expect(row['id']).toBe(1)
    expect(row['json']).toBeInstanceOf(UnrepresentableValue)
  })

  test('names a tuple that is not of this relation', () => {
    expect(() => reader.readRow(buildTuple(null))).toThrow('A tuple of 1 columns came for model Thing')
  })
})

describe('readNew', () => {
  const unchanged = buildTuple(skipped, UNCHANGED, UNCHANGED, text('7'), text('Ada'), skipped)

  test('leaves unchanged TOAST out and lists it', () => {
    const image = reader.readNew(unchanged, null)
    expect(image.row).toStrictEqual({ id: 7, fullName: 'Ada' })
    expect(image.unavailable).toEqual(['data', 'tags'])
  })

  test('fills unchanged TOAST from the old image, NULL included, in the order of the schema', () => {
    const old = buildTuple(skipped, null, binary(9), text('7'), text('Eve'), skipped)
    const image = reader.readNew(unchanged, old)
    expect(image.row).toStrictEqual({ id: 7, fullName: 'Ada', data: Uint8Array.of(9), tags: [] })
    expect(Object.keys(image.row)).toEqual(['id', 'fullName', 'data', 'tags'])
    expect(image.unavailable).toEqual([])
  })

  test('lists an optional field without a column as unavailable', () => {
    const partial = compileRowReader(
      buildRelation({ id: INT4 }),
      buildModel([buildField('id', 'Int'), buildField('note', 'String', { isRequired: false })]),
      catalog,
    )
    expect(partial.readNew(buildTuple(text('1')), null)).toEqual({ row: { id: 1 }, unavailable: ['note'] })
  })
})

describe('readKey', () => {
  const pair = buildModel(
    [buildField('b', 'String'), buildField('n', 'Int', { isRequired: false }), buildField('a', 'Int')],
    {
      primaryKey: ['a', 'b'],
    },
  )
  const pairRelation = buildRelation({ n: INT4, b: TEXT, a: INT4 })
  const pairReader = compileRowReader(pairRelation, pair, catalog)

  test('takes the fields of the key, in its order, from a key tuple', () => {
    const key = pairReader.readKey(buildTuple(null, text('x'), text('1')))
    expect(key).toStrictEqual({ a: 1, b: 'x' })
    expect(Object.keys(key ?? {})).toEqual(['a', 'b'])
  })

  test('is null where the tuple lacks a part, or the model has no key', () => {
    expect(pairReader.readKey(buildTuple(text('1'), null, text('1')))).toBeNull()
    expect(pairReader.readKey(buildTuple(null, UNCHANGED, text('1')))).toBeNull()
    const keyless = compileRowReader(pairRelation, { ...pair, primaryKey: [] }, catalog)
    expect(keyless.readKey(buildTuple(null, text('x'), text('1')))).toBeNull()
  })
})

describe('changedFields', () => {
  const wide = buildModel([
    buildField('id', 'Int'),
    buildField('amount', 'Decimal'),
    buildField('json', 'Json'),
    buildField('float', 'Float'),
    buildField('at', 'DateTime'),
    buildField('tags', 'String', { isList: true }),
    buildField('text', 'String', { isRequired: false }),
  ])
  const wideReader = compileRowReader(
    // The columns stand in another order than the fields.
    buildRelation({
      text: TEXT,
      tags: TEXT_ARRAY,
      at: 1114,
      float: FLOAT8,
      json: JSON_OID,
      amount: NUMERIC,
      id: INT4,
    }),
    wide,
    catalog,
  )
  const before = [
    'a long enough text to be compared by a call',
    '{a}',
    'infinity',
    '0',
    '{"a":1,"b":[2]}',
    '1.0',
    '1',
  ]

  function changed(now: readonly (string | null | typeof UNCHANGED)[]): readonly string[] {
    const toColumn = (value: string | null | typeof UNCHANGED): TupleColumn =>
      typeof value === 'string' ? text(value) : value
    return wideReader.changedFields(buildTuple(...before.map(text)), buildTuple(...now.map(toColumn)))
  }

  test('equal values with other bytes have not changed', () => {
    const now = [...before.slice(0, 1), '{"a"}', 'infinity', '-0', ' {"b": [2], "a": 1.0}', '1.00', '1']
    expect(changed(now)).toEqual([])
  })

  test('other values have, in the order of the schema', () => {
    const now = [null, '{b}', '-infinity', '1', '{"a":1}', '1.01', '2']
    expect(changed(now)).toEqual(['id', 'amount', 'json', 'float', 'at', 'tags', 'text'])
  })

  test('unchanged TOAST has not', () => {
    expect(changed([UNCHANGED, UNCHANGED, 'infinity', '0', UNCHANGED, '1.0', '2'])).toEqual(['id'])
  })
})

describe('the two builds of the hot loop', () => {
  const { layout } = layOutRow(relation, model, catalog)
  const columns = fc.tuple(
    fc.constantFrom(skipped, null, binary(1, 2, 3)),
    fc.constantFrom<TupleColumn>(text('{a,"b,c"}'), text('{}'), null, UNCHANGED),
    fc.oneof(
      fc.constantFrom<TupleColumn>(null, UNCHANGED),
      fc.uint8Array().map((bytes) => binary(...bytes)),
    ),
    fc.oneof(
      fc.integer({ min: 0, max: 255 }).map((value) => binary(0, 0, 0, value)),
      fc.integer().map((value) => text(String(value))),
    ),
    fc.oneof(
      fc.constantFrom<TupleColumn>(null, UNCHANGED),
      fc.string().map((value) => text(value)),
    ),
    fc.constantFrom<TupleColumn>(skipped, null, UNCHANGED),
  )

  test('read every tuple alike', () => {
    const compiled = createRowReader(layout, compileFastRow(layout))
    const interpreted = createRowReader(layout, interpretFastRow(layout))
    fc.assert(
      fc.property(columns, (values) => {
        const tuple = buildTuple(...values)
        const image = compiled.readNew(tuple, null)
        expect(interpreted.readNew(tuple, null)).toStrictEqual(image)
        expect(Object.keys(interpreted.readRow(tuple))).toEqual(Object.keys(image.row))
      }),
    )
  })

  test('interprets where code must not be generated from strings', () => {
    vi.stubGlobal(
      'Function',
      class {
        constructor() {
          throw new EvalError('Code generation from strings disallowed for this context')
        }
      },
    )
    const tuple = buildTuple(skipped, text('{a}'), null, text('7'), text('Ada'), skipped)
    const buffer = Buffer.from(tuple.bytes)
    expect(createFastRow(layout)(buffer, tuple.start)).toStrictEqual({
      id: 7,
      fullName: 'Ada',
      data: null,
      tags: ['a'],
    })
  })
})
