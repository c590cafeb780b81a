/**
 * Live lists and totals of rows that related rows decide about, some of which are marked as deleted: with random filters on random rows they are
 * what a naive search finds among the rows that are not marked, and stay that.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { AnyRow } from '../../src/changes/change.ts'
import { createRowcast, type Rowcast } from '../../src/rowcast.ts'
import { rowIdOf } from '../../src/sets/written-rows.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { ListClient, type ListEvent } from '../support/list-oracle.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { Dice } from '../support/live-world.ts'
import { naiveFind, type Tables } from '../support/naive-keys.ts'
import {
  anyRow,
  MARK,
  MARKABLE,
  MARKED_TABLES,
  provideRelationProject,
  relationWhere,
  tablesOf,
} from '../support/relation-schema.ts'
import type { AnyObject } from '../support/where-arbitrary.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 7)
const WHERES = process.env['ROWCAST_LONG'] === undefined ? 16 : 400
const ROUNDS = 3

/** Rows of a table, each key once. */
function rowsOf(model: ModelSpec, seed: number): readonly AnyRow[] {
  const rows = fc.sample(anyRow(model), { seed, numRuns: 8 }) as AnyRow[]
  return [...new Map(rows.map((row) => [rowIdOf(model, row), row])).values()]
}

/** Has these rows, and no others; all tables in one transaction. */
async function fill(
  database: TestDatabase,
  tables: readonly (readonly [ModelSpec, readonly AnyRow[]])[],
): Promise<void> {
  const statements = tables.flatMap(([model, rows]) => {
    const columns = model.fields.map(({ name }) => `"${name}"`).join()
    const values = rows.map((row) => `(${model.fields.map(({ name }) => literal(row[name])).join()})`)
    const insert = `INSERT INTO "${model.table}" (${columns}) VALUES ${values.join()} ON CONFLICT DO NOTHING`
    return [`DELETE FROM "${model.table}"`, ...(values.length === 0 ? [] : [insert])]
  })
  await database.query(['BEGIN', ...statements, 'COMMIT'].join(';'))
}

function literal(value: unknown): string {
  return value === null || value === undefined
    ? 'NULL'
    : typeof value === 'string'
      ? `'${value}'`
      : String(value)
}

/** What is there, and not marked. */
async function unmarked(database: TestDatabase, models: readonly ModelSpec[]): Promise<Tables> {
  const found = await Promise.all(
    models.map(async ({ name, table }) => {
      const rows: readonly AnyRow[] = await database.query(`SELECT * FROM "${table}"`)
      return [name, rows.filter((row) => row[MARK] !== true)] as const
    }),
  )
  return Object.fromEntries(found)
}

interface Loose {
  list(model: string, options: object): AsyncIterableIterator<ListEvent>
  totals(model: string, options: object): AsyncIterableIterator<{ readonly count: number }>
}

it('are what is found among the rows that are not marked', { timeout: 120_000 }, async () => {
  const project = await provideRelationProject('relations-listed', { hasMarks: true })
  const { catalog } = project
  await using database = await openDatabase()
  await database.query(MARKED_TABLES)
  const prisma = project.createPrisma(database.url)
  const rowcast: Rowcast = createRowcast({
    ...{ prisma, catalog, url: database.url, slot: slotOf(database) },
  } as never)
  const models = tablesOf(catalog)
  for (const { name } of models) {
    if (name.startsWith('_')) rowcast.follow(name)
    else rowcast.register(name, (MARKABLE.includes(name) ? { softDelete: MARK } : {}) as never)
  }
  await rowcast.enable()
  rowcast.start()
  await rowcast.ready()
  const dice = new Dice(SEED)
  const refill = () =>
    fill(
      database,
      models.map((model) => [model, rowsOf(model, dice.below(1e9))] as const),
    )
  const ending = new AbortController()
  try {
    await refill()
    const open = Object.values(catalog.models).flatMap((model) => {
      const wheres = fc.sample(relationWhere(catalog, model, 3), { seed: SEED, numRuns: WHERES })
      return wheres.map((where: AnyObject) =>
        openList(rowcast as unknown as Loose, model, where, ending.signal),
      )
    })
    let found = 0
    for (let round = 0; round < ROUNDS; round += 1) {
      const tables = await unmarked(database, models)
      for (const { model, where, shown } of open) {
        const condition = parseWhere(model, catalog, where, { relations: {} })
        const ids = naiveFind(tables, model.name, condition).map((row) => rowIdOf(model, row))
        const wanted = { ids: ids.sort(), totalCount: ids.length, count: ids.length }
        const what = `${model.name} ${JSON.stringify(where)} in round ${round}`
        await expect.poll(shown, { message: what, timeout: 30_000, interval: 10 }).toEqual(wanted)
        found += ids.length
      }
      await refill()
    }
    expect(found).toBeGreaterThan(open.length)
  } finally {
    ending.abort()
    await rowcast.stop()
    await prisma.$disconnect()
  }
})

/** A list and totals, and what they show by now. */
function openList(rowcast: Loose, model: ModelSpec, where: AnyObject, signal: AbortSignal) {
  const client = new ListClient()
  let count: number | null = null
  let failure: unknown = null
  const follow = async () => {
    for await (const event of rowcast.list(model.name, { where, totalCount: true, take: 100, signal }))
      applyTo(client, model, event)
  }
  const sum = async () => {
    for await (const totals of rowcast.totals(model.name, { where, signal })) count = totals.count
  }
  for (const run of [follow, sum])
    run().catch((error: unknown) => {
      failure = error
    })
  const shown = () => {
    if (failure !== null) throw failure
    const ids = client.rows.map((row) => (row as unknown as { readonly id: string }).id).sort()
    return { ids, totalCount: client.totalCount, count }
  }
  return { model, where, shown }
}

/** A client of lists knows rows by one key: here they have several columns. */
function applyTo(client: ListClient, model: ModelSpec, event: ListEvent): void {
  const idOf = (row: object) => rowIdOf(model, row as AnyRow)
  const named = (row: object) => ({ id: idOf(row) }) as never
  client.apply({
    ...event,
    ...(event.rows === undefined ? {} : { rows: event.rows.map(named) }),
    operations: (event.operations ?? []).map((each) => ({
      ...each,
      key: named(each.key),
      row: each.row === null ? null : named(each.row),
    })),
  })
}
