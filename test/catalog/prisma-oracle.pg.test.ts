/** Rows read from the stream are the rows that Prisma Client returns: the same keys, prototypes and values. */
import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog as sampleCatalog } from '../../prisma/generated/rowcast.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import { UnrepresentableValue } from '../../src/catalog/values/unrepresentable-value.ts'
import { quoteIdentifier } from '../../src/wire/quote.ts'
import { columnText } from '../support/column-text.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { expectSameRow } from '../support/expect-same-row.ts'
import { postgresMajor } from '../support/postgres.ts'
import { openPrismaRows, type PrismaConstructor, type PrismaRows } from '../support/prisma-rows.ts'
import { openChangeSlot, type ReadableChange } from '../support/row-changes.ts'
import { provideTypesClient, TYPES_TABLES } from '../support/types-schema/provide-types-client.ts'

const ROWS_PER_MODEL = 120
/** Before 17 a malformed literal. */
const EMPTY_NESTED_ARRAY = postgresMajor() >= 17 ? ["'{{}}'"] : []
const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 20_261_122)

/** A value of a unique field that cannot collide; null for types that none of the schemas has unique. */
function uniqueText(field: FieldSpec, index: number): string | null {
  if (field.nativeType === 'Uuid') return `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`
  if (field.type === 'Bytes') return `\\x${index.toString(16).padStart(8, '0')}`
  return field.type === 'String' || field.type === 'Int' || field.type === 'BigInt' ? String(index) : null
}

/** Random rows, their unique fields filled in from `firstIndex` on. */
function sampleRows(
  model: ModelSpec,
  catalog: ModelCatalog,
  firstIndex: number,
): readonly (readonly (string | null)[])[] {
  const uniques = new Set([...model.primaryKey, ...model.uniques.flat()])
  const row = fc.tuple(...model.fields.map((field) => columnText(field, catalog)))
  return fc.sample(row, { seed: SEED + firstIndex, numRuns: ROWS_PER_MODEL }).map((values, index) =>
    values.map((value, at) => {
      const field = model.fields[at]
      return field !== undefined && uniques.has(field.name) ? uniqueText(field, firstIndex + index) : value
    }),
  )
}

async function insertRows(
  database: TestDatabase,
  model: ModelSpec,
  rows: readonly (readonly (string | null)[])[],
): Promise<void> {
  const table = [model.schema ?? 'public', model.table].map(quoteIdentifier).join('.')
  const columns = model.fields.map((field) => quoteIdentifier(field.column)).join(', ')
  const parameters = model.fields.map((_, index) => `$${index + 1}`).join(', ')
  for (const row of rows) {
    await database.query(`INSERT INTO ${table} (${columns}) VALUES (${parameters})`, row)
  }
}

/** Compares one row whole, or, where Prisma Client refuses it, field by field. Returns the refused fields. */
async function compareRow(prisma: PrismaRows, change: ReadableChange): Promise<readonly string[]> {
  const { message, reader } = change
  if (message.new === null) return []
  const row = reader.readRow(message.new)
  const key = reader.readKey(message.new) ?? {}
  const expected = await prisma.find(reader.model, key).catch(() => null)
  if (expected !== null) {
    expectSameRow(row, expected)
    return []
  }
  const refused: string[] = []
  for (const { name } of reader.model.fields) {
    const field = await prisma.find(reader.model, key, [name]).catch(() => null)
    if (field === null) {
      expect(row[name], name).toBeInstanceOf(UnrepresentableValue)
      refused.push(name)
    } else {
      expectSameRow({ [name]: row[name] }, field)
    }
  }
  return refused
}

/** Writes random rows of every model, and compares them in both forms. */
async function checkRandomRows(
  database: TestDatabase,
  catalog: ModelCatalog,
  models: readonly ModelSpec[],
  Client: PrismaConstructor,
): Promise<void> {
  const slot = await openChangeSlot(database, { catalog, models })
  // No foreign keys: rows are random.
  await database.query('SET session_replication_role = replica')
  for (const model of models) {
    await insertRows(database, model, sampleRows(model, catalog, 1))
  }
  await using prisma = openPrismaRows(Client, database.url)
  for (const form of ['binary', 'text'] as const) {
    const changes = await slot.peek(form)
    expect(changes).toHaveLength(models.length * ROWS_PER_MODEL)
    for (const change of changes) await compareRow(prisma, change)
  }
  const types = new Set(
    models.flatMap((model) =>
      model.fields.map(
        (f) => `${f.type}${f.nativeType === null ? '' : ` ${f.nativeType}`}${f.isList ? '[]' : ''}`,
      ),
    ),
  )
  process.stdout.write(
    `Prisma oracle, seed ${SEED}: ${models.length * ROWS_PER_MODEL} rows of ${models.length} models, ` +
      `in binary and in text form, of ${types.size} types: ${[...types].sort().join(', ')}.\n`,
  )
}

describe('the sample schema', () => {
  test('random rows of every model are what Prisma Client returns', async () => {
    await using database = await openDatabase({ migrate: true })
    await checkRandomRows(database, sampleCatalog, Object.values(sampleCatalog.models), PrismaClient)
  })
})

describe('every type', async () => {
  const { catalog, PrismaClient: TypesPrismaClient } = await provideTypesClient()
  const tables = await readFile(TYPES_TABLES, 'utf8')

  function modelOf(name: string): ModelSpec {
    const model = catalog.models[name]
    if (model === undefined) throw new Error(`no model ${name}`)
    return model
  }

  /** Inserts one row per SQL expression for one field, and compares each; returns what was refused. */
  async function checkValues(
    model: ModelSpec,
    cases: Readonly<Record<string, readonly string[]>>,
  ): Promise<readonly string[]> {
    await using database = await openDatabase()
    await database.query(tables)
    const slot = await openChangeSlot(database, { catalog, models: [model] })
    const values = Object.entries(cases).flatMap(([field, list]) =>
      list.map((value) => [field, value] as const),
    )
    for (const [index, [field, value]] of values.entries()) {
      await database.query(
        `INSERT INTO ${model.table} (id, ${quoteIdentifier(field)}) VALUES (${index}, ${value})`,
      )
    }
    await using prisma = openPrismaRows(TypesPrismaClient, database.url)
    const refused = new Set<string>()
    for (const form of ['binary', 'text'] as const) {
      const changes = await slot.peek(form)
      expect(changes).toHaveLength(values.length)
      for (const [index, change] of changes.entries()) {
        const fields = await compareRow(prisma, change)
        if (fields.length > 0) refused.add(values[index]?.join(' ') ?? '')
      }
    }
    return [...refused]
  }

  test('random rows with one column of each type, and with a list of each', async () => {
    await using database = await openDatabase()
    await database.query(tables)
    await checkRandomRows(database, catalog, [modelOf('Single'), modelOf('Listing')], TypesPrismaClient)
  })

  test('extremes', async () => {
    const refused = await checkValues(modelOf('Single'), {
      text: ["repeat('x', 1000000)", "repeat('🦀', 20000)"],
      numeric: [
        "repeat('9', 1000)::numeric",
        "('0.' || repeat('0', 999) || '1')::numeric",
        '10 ^ 1000::numeric',
      ],
      bytes: ["decode(repeat('00ff', 100000), 'hex')"],
      jsonb: ["jsonb_build_object('a', repeat('x', 100000))"],
      timetz: ["'12:34:56+02:30:15'"],
      xml: [
        '\'<?xml version="1.1" standalone="yes"?><a/>\'',
        '\'<?xml version="1.0" encoding="UTF-8"?><a/>\'',
      ],
    })
    expect(refused).toEqual([])
  })

  test('arrays that Prisma Client has no list for are UnrepresentableValues; all others are lists', async () => {
    const refused = await checkValues(modelOf('Listing'), {
      text: ["'{}'", "'{a,NULL}'", "'{{a,b},{c,d}}'", "'[2:3]={a,b}'", ...EMPTY_NESTED_ARRAY],
      int4: ["'{1,NULL}'", "'{{1,2},{3,4}}'", "'{{{1},{2}}}'", "'[0:1]={1,2}'"],
      numeric: ["'{NULL}'", "'{{1.5}}'"],
      timestamp3: ["'{NULL}'", "'{{2020-01-01}}'", "'{infinity,0044-03-15 BC}'"],
      jsonb: ["'{NULL,1}'", "array['[1]', '{}']::jsonb[]", "array[array['1', '2']]::jsonb[]"],
      json: ["'{NULL}'"],
      bytes: ["'{NULL}'"],
      boolean: ["'{t,NULL}'"],
      mood: ["'{plain,NULL}'"],
    })
    expect(refused).toEqual([
      "text '{a,NULL}'",
      "text '{{a,b},{c,d}}'",
      "int4 '{1,NULL}'",
      "int4 '{{1,2},{3,4}}'",
      "int4 '{{{1},{2}}}'",
      "numeric '{NULL}'",
      "numeric '{{1.5}}'",
      "timestamp3 '{NULL}'",
      "timestamp3 '{{2020-01-01}}'",
      "jsonb array[array['1', '2']]::jsonb[]",
      "bytes '{NULL}'",
      "boolean '{t,NULL}'",
      "mood '{plain,NULL}'",
    ])
  })

  test('columns that were altered, domains, and an enum that gained a label', async () => {
    const refused = await checkValues(modelOf('Altered'), {
      stringOfCidr: ["'10.0.0.0/8'", "'10.1.2.3'", "'::/0'"],
      stringOfName: ["'a name'"],
      stringOfMood: ["'red one'"],
      stringDomain: ["'word'"],
      intOfInt8: ['7', '9007199254740991', '-9007199254740992'],
      intDomain: ['7'],
      intListDomain: ["'{1,-2}'", "'{}'"],
      bigIntOfInt4: ['-7'],
      bigIntOfInt2: ['-7'],
      bigIntOfOid: ['4294967295'],
      floatOfInt4: ['-7'],
      floatOfInt2: ['-7'],
      floatOfInt8: ['9223372036854775807'],
      floatOfNumeric: ['0.1', "'NaN'", '1e30'],
      decimalOfInt4: ['-7'],
      decimalOfInt8: ['9223372036854775807'],
      decimalOfReal: ['0.1'],
      decimalOfFloat: ['0.1', '1e300', "'NaN'"],
      numericDomain: ['12.50'],
      dateTimeOfDate: ["'2020-02-29'"],
      moodOfText: ["'red one'", "'no such mood'"],
      moodDomain: ["'red one'"],
      stringOfLtree: ["'a.b.c'", "''", `'${'x'.repeat(200)}'`],
      stringOfLquery: ["'a.*{2}.!b|c@'"],
      stringOfLtxtquery: ["'a & !b@*'"],
      stringOfHstore: [`'a=>1, "b c"=>NULL, "q\\"\\\\"=>"é"'`, "''"],
      stringOfIdentifier: ["'a name'"],
      stringOfCharacters: ["'Zoë'"],
      intOfCardinal: ['7'],
      dateTimeOfStamp: ["'2020-02-29 12:34:56.78+02'"],
    })
    expect(refused).toEqual(['intOfInt8 -9007199254740992', "moodOfText 'no such mood'"])
  })

  test('types that Prisma Client refuses are what PostgreSQL prints, or typed as unreadable, never bytes', async () => {
    const model = modelOf('Refused')
    const infinite = postgresMajor() >= 17 ? ["'infinity'", "'-infinity'"] : []
    const span = [
      "'0'",
      "'1 year 2 mons -3 days 04:05:06.789'",
      "'-1 mon +1 day'",
      "'-00:00:00.000001'",
      ...infinite,
    ]
    const spans = [
      ...span,
      "'-1 year 11 mons'",
      "'1 day -25:00'",
      "'178000000 years'",
      "'-3 days 10:00:00.5'",
    ]
    const cases: Readonly<Record<string, readonly string[]>> = {
      interval: spans,
      span,
      macaddr: ["'08:00:2b:01:02:03'"],
      macaddr8: ["'08:00:2b:ff:fe:01:02:03'"],
      int4range: ["'[1,10)'", "'empty'", "'(,5]'", "'[-3,)'", "'(,)'"],
      int8range: ["'[9007199254740993,9223372036854775807)'"],
      jsonpath: ["'$.a[*] ? (@ > 1)'", "'strict $'"],
      intervals: ["'{1 day,02:00:00}'", "'{}'"],
      labels: ["'{a.b,c}'"],
    }
    const unreadable = {
      point: ["'(1,2)'"],
      numrange: ["'[1.5,2)'"],
      pair: ["(1, 'b')"],
      cube: ["'(1,2),(3,4)'"],
    }
    await using database = await openDatabase()
    await database.query(tables)
    const slot = await openChangeSlot(database, { catalog, models: [model] })
    const values = Object.entries({ ...cases, ...unreadable }).flatMap(([field, list]) =>
      list.map((value) => [field, value] as const),
    )
    for (const [index, [field, value]] of values.entries()) {
      await database.query(`INSERT INTO refused_values (id, ${field}) VALUES (${index}, ${value})`)
    }
    const printed = await database.query<Record<string, string>>(
      `SELECT ${Object.keys({ ...cases, ...unreadable }).map((field) => `${field}::text`)} FROM refused_values ORDER BY id`,
    )
    for (const form of ['binary', 'text'] as const) {
      const changes = await slot.peek(form)
      expect(changes).toHaveLength(values.length)
      for (const [index, { message, reader }] of changes.entries()) {
        const [field = ''] = values[index] ?? []
        const shown = message.new === null ? null : reader.readRow(message.new)[field]
        const text = printed[index]?.[field]
        if (form === 'binary' && field in unreadable) {
          expect(shown, field).toMatchObject({ reason: 'unreadable' })
        } else if (field === 'intervals' || field === 'labels') {
          expect(`{${(shown as string[]).map((each) => (each.includes(' ') ? `"${each}"` : each))}}`).toBe(
            text,
          )
        } else {
          expect(shown, `${field} ${form}`).toBe(text)
        }
      }
    }
  })
})
