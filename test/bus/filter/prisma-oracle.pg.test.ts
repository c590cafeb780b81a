/** A filter matches the rows that Prisma Client finds with it: random filters over random rows of every type. */
import { readFile } from 'node:fs/promises'
import { PrismaPg } from '@prisma/adapter-pg'
import fc from 'fast-check'
import { describe, expect } from 'vitest'
import { Prisma, PrismaClient } from '../../../prisma/generated/client/client.ts'
import { catalog as sampleCatalog } from '../../../prisma/generated/rowcast.ts'
import { compileCondition } from '../../../src/bus/filter/compile-condition.ts'
import { valueOfOutcome } from '../../../src/bus/filter/outcome.ts'
import { parseWhere } from '../../../src/bus/filter/parse-where.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from '../../../src/catalog/model-catalog.ts'
import { invariant } from '../../../src/errors.ts'
import { quoteIdentifier } from '../../../src/wire/quote.ts'
import { columnText } from '../../support/column-text.ts'
import { openDatabase, type TestDatabase } from '../../support/database.ts'
import { openChangeSlot } from '../../support/row-changes.ts'
import { since } from '../../support/since.ts'
import { provideTypesClient, TYPES_TABLES } from '../../support/types-schema/provide-types-client.ts'
import { type AnyObject, type JsonNulls, whereFilter } from '../../support/where-arbitrary.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 20_261_123)
const RUNS = Number(process.env['ROWCAST_TEST_FILTERS'] ?? 150)
const ROWS_PER_MODEL = 40
/** Few values per column, so that filters hit. */
const VALUES_PER_FIELD = 6

interface ModelDelegate {
  findMany(query: { where: AnyObject; select: Readonly<Record<string, true>> }): Promise<readonly AnyObject[]>
}

type Client = new (options: { adapter: PrismaPg }) => { $disconnect(): Promise<void> }

function uniqueText(field: FieldSpec, index: number): string {
  if (field.nativeType === 'Uuid') return `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`
  return field.type === 'Bytes' ? `\\x${index.toString(16).padStart(8, '0')}` : String(index)
}

/** Whether a row shows the value as PostgreSQL has it; docs/filters.md lists what it cannot show. */
function isShown(field: FieldSpec, text: string | null): boolean {
  if (text === null || field.type !== 'Json') return true
  return !/1e400|12345678901234567890/.test(text) && !(text.trim() === 'null' && !field.isRequired)
}

/** Values of a column: a handful, to the millisecond, some of them NULL. */
function valuesOf(field: FieldSpec, catalog: ModelCatalog, seed: number): readonly (string | null)[] {
  return fc
    .sample(columnText(field, catalog), { seed, numRuns: VALUES_PER_FIELD * 4 })
    .map((text) =>
      field.type === 'DateTime' && text !== null ? text.replaceAll(/(\.\d{3})\d+/g, '$1') : text,
    )
    .filter((text) => isShown(field, text))
    .slice(0, VALUES_PER_FIELD)
}

async function insertRows(database: TestDatabase, model: ModelSpec, catalog: ModelCatalog): Promise<void> {
  const uniques = new Set([...model.primaryKey, ...model.uniques.flat()])
  const pools = model.fields.map((field, index) => valuesOf(field, catalog, SEED + index))
  const picks = fc.sample(fc.array(fc.nat(1000), { minLength: pools.length, maxLength: pools.length }), {
    seed: SEED,
    numRuns: ROWS_PER_MODEL,
  })
  const columns = model.fields.map((field) => quoteIdentifier(field.column)).join(', ')
  const parameters = model.fields.map((_, index) => `$${index + 1}`).join(', ')
  const table = [model.schema ?? 'public', model.table].map(quoteIdentifier).join('.')
  for (const [row, pick] of picks.entries()) {
    const values = model.fields.map((field, index) => {
      if (uniques.has(field.name) || field.isUnique) return uniqueText(field, row + 1)
      const pool = pools[index] ?? []
      return pool[(pick[index] ?? 0) % pool.length] ?? null
    })
    await database.query(`INSERT INTO ${table} (${columns}) VALUES (${parameters})`, values)
  }
}

const OPERATORS =
  /^(AND|OR|NOT|equals|not|in|notIn|[lg]te?|contains|(starts|ends)With|mode|has(Some|Every)?|isEmpty|path|(string|array)_.+)$/

/** Operators of a filter, for the report. */
function operatorsOf(value: unknown, found: Set<string>): Set<string> {
  if (typeof value !== 'object' || value === null) return found
  for (const [key, inner] of Object.entries(value)) {
    if (OPERATORS.test(key)) found.add(key)
    operatorsOf(inner, found)
  }
  return found
}

interface OracleSubject {
  readonly database: TestDatabase
  readonly catalog: ModelCatalog
  readonly client: object
  readonly jsonNulls: JsonNulls
}

/** Compares verdicts with `findMany` for random filters of one model; returns what was compared. */
async function checkModel(
  { catalog, client, jsonNulls }: OracleSubject,
  model: ModelSpec,
  rows: readonly AnyObject[],
  fields: readonly FieldSpec[],
) {
  const delegate = Reflect.get(
    client,
    model.name.charAt(0).toLowerCase() + model.name.slice(1),
  ) as ModelDelegate
  const select = Object.fromEntries(model.primaryKey.map((name) => [name, true as const]))
  const keyOf = (row: AnyObject) => model.primaryKey.map((name) => String(row[name])).join(' ')
  const operators = new Set<string>()
  const report = { filters: 0, refused: 0, pairs: 0, matches: 0, operators }
  await fc.assert(
    fc.asyncProperty(whereFilter({ model, catalog, rows, jsonNulls }, fields), async (where) => {
      const isMatch = compileCondition(parseWhere(model, catalog, where))
      // What Prisma or PostgreSQL refuses has no answer to compare with: times in a list, for instance.
      const found = await delegate.findMany({ where, select }).catch(() => null)
      if (found === null) {
        report.refused += 1
        return
      }
      const verdicts = rows.map((row) => [keyOf(row), isMatch(row)] as const)
      // Values that no row can show are not judged; all others are, and as PostgreSQL does.
      const judged = verdicts.filter(([, outcome]) => valueOfOutcome(outcome) !== undefined)
      const expected = new Set(found.map(keyOf))
      const wrong = judged.filter(
        ([key, outcome]) => (valueOfOutcome(outcome) === true) !== expected.has(key),
      )
      expect(wrong.map(([key]) => `${key}: ${expected.has(key) ? 'missed' : 'matched'}`)).toEqual([])
      report.filters += 1
      report.pairs += judged.length
      report.matches += expected.size
      operatorsOf(where, operators)
    }),
    { seed: SEED, numRuns: RUNS, verbose: 1 },
  )
  return report
}

async function checkModels(subject: OracleSubject, models: readonly ModelSpec[]): Promise<void> {
  const { database, catalog } = subject
  const slot = await openChangeSlot(database, { catalog, models })
  await database.query('SET session_replication_role = replica')
  for (const model of models) await insertRows(database, model, catalog)
  const changes = await slot.peek('binary')
  const total = { filters: 0, refused: 0, pairs: 0, matches: 0, operators: new Set<string>() }
  for (const model of models) {
    const rows = changes.flatMap(({ message, reader }) =>
      reader.model === model && message.new !== null ? [reader.readRow(message.new)] : [],
    )
    invariant(rows.length === ROWS_PER_MODEL, `${model.name} has ${rows.length} rows`)
    const report = await checkModel(subject, model, rows, model.fields)
    total.filters += report.filters
    total.refused += report.refused
    total.pairs += report.pairs
    total.matches += report.matches
    for (const operator of report.operators) total.operators.add(operator)
  }
  process.stdout.write(
    `Filter oracle, seed ${SEED}: ${total.filters} filters, ${total.pairs} pairs of row and filter ` +
      `(${total.matches} matches), ${total.operators.size} operators, ${models.length} models; ` +
      `${total.refused} filters that Prisma refuses.\n`,
  )
  expect(total.refused).toBeLessThan(total.filters / 5)
}

async function withClient(
  ClientClass: Client,
  database: TestDatabase,
  run: (client: object) => Promise<void>,
): Promise<void> {
  const client = new ClientClass({ adapter: new PrismaPg({ connectionString: database.url }) })
  try {
    await run(client)
  } finally {
    await client.$disconnect()
  }
}

/** What `mode: insensitive` folds depends on the database's locale; docs/filters.md, caveats. */
const testInUnicodeLocale = since(
  17,
  'the builtin locale C.UTF-8: before it the embedded server folds ASCII only',
)

describe('verdicts are what findMany finds', () => {
  testInUnicodeLocale('in the sample schema', { timeout: 240_000 }, async () => {
    await using database = await openDatabase({ migrate: true })
    await withClient(PrismaClient, database, (client) =>
      checkModels(
        { database, catalog: sampleCatalog, client, jsonNulls: Prisma },
        Object.values(sampleCatalog.models),
      ),
    )
  })

  testInUnicodeLocale('with one column of each type, and a list of each', { timeout: 240_000 }, async () => {
    const { catalog, PrismaClient: TypesClient } = await provideTypesClient()
    await using database = await openDatabase()
    await database.query(await readFile(TYPES_TABLES, 'utf8'))
    const models = ['Single', 'Listing']
      .map((name) => catalog.models[name])
      .filter((model) => model !== undefined)
    await withClient(TypesClient as Client, database, (client) =>
      checkModels({ database, catalog, client, jsonNulls: Prisma }, models),
    )
  })
})
