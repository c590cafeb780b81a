/**
 * A condition on related rows, judged by the keys that they have, matches the rows that Prisma Client finds with it: random
 * filters of up to three relations over random rows, some of which point at rows that are not there.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keySetsOf } from '../../../src/bus/filter/condition.ts'
import { parseWhere } from '../../../src/bus/filter/parse-where.ts'
import type { ModelSpec } from '../../../src/catalog/model-catalog.ts'
import { quoteIdentifier } from '../../../src/wire/quote.ts'
import { openDatabase, type TestDatabase } from '../../support/database.ts'
import { naiveFind, type Tables } from '../../support/naive-keys.ts'
import {
  anyRow,
  provideRelationProject,
  RELATION_TABLES,
  relationWhere,
  tablesOf,
} from '../../support/relation-schema.ts'
import type { AnyObject } from '../../support/where-arbitrary.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 20_261_127)
const WORLDS = Number(process.env['ROWCAST_TEST_WORLDS'] ?? 25)
const FILTERS_PER_WORLD = 24
const HOPS = 3

interface ModelDelegate {
  findMany(query: { where: AnyObject }): Promise<readonly AnyObject[]>
}

const keyText = (model: ModelSpec, row: AnyObject) =>
  model.primaryKey.map((name) => String(row[name])).join(' ')

/** A handful of rows for each table, with keys of their own. */
function anyTables(tables: readonly ModelSpec[]): fc.Arbitrary<Tables> {
  const rowsOf = (model: ModelSpec) =>
    fc.uniqueArray(anyRow(model), { maxLength: 4, selector: (row) => keyText(model, row) }).map((rows) => {
      const badges = new Set<unknown>()
      // Badge.teamId is unique.
      return rows.filter((row) => {
        if (model.name !== 'Badge' || row['teamId'] === null) return true
        const isNew = !badges.has(row['teamId'])
        badges.add(row['teamId'])
        return isNew
      })
    })
  return fc.record(Object.fromEntries(tables.map((model) => [model.name, rowsOf(model)])))
}

async function fillTables(database: TestDatabase, tables: Tables): Promise<void> {
  const names = Object.keys(tables).map(quoteIdentifier)
  await database.query(`TRUNCATE ${names.join(', ')}`)
  for (const [name, rows] of Object.entries(tables)) {
    const table = quoteIdentifier(name)
    await database.query(
      `INSERT INTO ${table} SELECT * FROM json_populate_recordset(NULL::${table}, $1::json)`,
      [JSON.stringify(rows)],
    )
  }
}

describe('conditions on related rows', () => {
  it('match what findMany finds', { timeout: 240_000 }, async () => {
    const { catalog, createPrisma } = await provideRelationProject('relations')
    await using database = await openDatabase()
    await database.query(RELATION_TABLES)
    const client = createPrisma(database.url)
    const tables = tablesOf(catalog)
    const models = Object.values(catalog.models)
    const anyFilter = fc
      .constantFrom(...models)
      .chain((model) => relationWhere(catalog, model, HOPS).map((where) => ({ name: model.name, where })))
    const filters = fc.array(anyFilter, { minLength: FILTERS_PER_WORLD, maxLength: FILTERS_PER_WORLD })
    const report = { filters: 0, matches: 0, sets: 0 }
    await fc.assert(
      fc.asyncProperty(anyTables(tables), filters, async (world, asked) => {
        await fillTables(database, world)
        const answers = asked.map(({ name, where }) => {
          const delegate = Reflect.get(client, name.charAt(0).toLowerCase() + name.slice(1)) as ModelDelegate
          return delegate.findMany({ where })
        })
        const found = await Promise.all(answers)
        for (const [index, { name, where }] of asked.entries()) {
          const model = catalog.models[name] as ModelSpec
          const condition = parseWhere(model, catalog, where, { relations: {} })
          const matched = naiveFind(world, name, condition).map((row) => keyText(model, row))
          const expected = (found[index] ?? []).map((row) => keyText(model, row))
          expect(new Set(matched), `${name} ${JSON.stringify(where)}`).toEqual(new Set(expected))
          report.filters += 1
          report.matches += expected.length
          report.sets += keySetsOf(condition).length
        }
      }),
      { seed: SEED, numRuns: WORLDS },
    )
    await client.$disconnect()
    process.stdout.write(
      `Relation oracle, seed ${SEED}: ${report.filters} filters, ${report.matches} matches, ${report.sets} key sets.\n`,
    )
    expect(report.sets).toBeGreaterThan(report.filters / 2)
  })
})
