/** Backlogs for a slot to hold: the same changes for every contender. */
import type { BenchContext } from './benchmark.ts'
import type { BenchDatabase } from './database.ts'
import { insertManySql, insertSql, updateManySql } from './orders.ts'

/** A database whose slot `base` holds changes. */
export interface Backlog extends AsyncDisposable {
  readonly database: BenchDatabase
  readonly changes: number
  /** Where the last of them ends. */
  readonly endLsn: string
}

/** The slot that holds the backlog; contenders read copies of it. */
export const BASE_SLOT = 'base'

/** Inserts, in transactions of `batch`. */
export async function writeInserts(
  context: BenchContext,
  name: string,
  changes: number,
  batch: number,
): Promise<Backlog> {
  const database = await context.openDatabase(name)
  await database.createSlot(`${BASE_SLOT}_${name}`)
  await database.query(insertManySql(changes, batch))
  return finish(database, changes)
}

/** Updates of one row each, in transactions of their own, under REPLICA IDENTITY FULL. */
export async function writeUpdates(context: BenchContext, name: string, changes: number): Promise<Backlog> {
  const rows = Math.min(1_000, changes)
  const database = await context.openDatabase(name)
  await database.query(insertSql(1, rows))
  await database.createSlot(`${BASE_SLOT}_${name}`)
  await database.query('SET synchronous_commit = off')
  await database.query(updateManySql(changes, rows))
  return finish(database, changes)
}

async function finish(database: BenchDatabase, changes: number): Promise<Backlog> {
  const endLsn = await database.currentLsn()
  await database.query('SET synchronous_commit = on')
  // Writes WAL past the end, and flushes all before it.
  await database.query("SELECT pg_logical_emit_message(true, 'bench', 'end')")
  return { database, changes, endLsn, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() }
}
