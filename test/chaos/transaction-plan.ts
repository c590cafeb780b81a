/** What one transaction of the writers does: its choices, and the SQL of them. */
import type pg from 'pg'
import { CHAOS_MODEL_NAMES, CHAOS_MODELS, type ChaosModel, type Ledger, type LedgerChange } from './ledger.ts'
import type { Random } from './random.ts'

/** The inside of a transaction; says each change it made, and how it is to end. */
export type Write = (client: pg.Client, add: (change: LedgerChange) => void) => Promise<'commit' | 'rollback'>

/** How many transactions have a row of megabytes, and of how many. */
const HEAVY_CHANCE = 0.004
const HEAVY_BYTES = { min: 1_000_000, max: 5_000_000 }

/** What writers know. */
interface PlanContext {
  readonly ledger: Ledger
  readonly authorId: string
}

/** Team ids are UUIDs; the row's first number makes one. */
function formatTeamId(number: number): string {
  return `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`
}

/** Inserts a row that carries the number. */
export async function insert(
  client: pg.Client,
  model: ChaosModel,
  number: number,
  authorId: string,
): Promise<void> {
  const text = String(number)
  if (model === 'Tag') await client.query('INSERT INTO "Tag" (id, name) VALUES ($1, $2)', [number, text])
  else if (model === 'Team')
    await client.query('INSERT INTO "Team" (id, name, slug) VALUES ($1, $2, $2)', [
      formatTeamId(number),
      text,
    ])
  else
    await client.query('INSERT INTO "Post" (id, "authorId", title) VALUES ($1, $2, $3)', [
      number,
      authorId,
      text,
    ])
}

/** Keeps a writer's list of the rows it owns. */
export function applyTo(rows: ReadonlyMap<ChaosModel, number[]>, changes: readonly LedgerChange[]): void {
  for (const { model, before, after } of changes) {
    const list = rows.get(model) ?? []
    const at = before === null ? -1 : list.indexOf(before)
    if (at >= 0) list.splice(at, 1)
    if (after !== null) list.push(after)
  }
}

/** Chooses one transaction of a writer on the rows it owns. */
export function planTransaction(
  random: Random,
  owned: ReadonlyMap<ChaosModel, readonly number[]>,
  { ledger, authorId, hasHeavyRows }: PlanContext & { readonly hasHeavyRows: boolean },
): { readonly write: Write; readonly hasDdl: boolean } {
  const steps = random.chance(0.03) ? random.integer(50, 300) : random.integer(1, 6)
  const isRolledBack = random.chance(0.1)
  const hasDdl = random.chance(0.02)
  const ddlStep = random.integer(0, steps - 1)
  const savepointStep = random.chance(0.1) ? random.integer(0, steps - 1) : -1
  const hasMessage = random.chance(0.2)
  const isHeavy = random.chance(HEAVY_CHANCE) && hasHeavyRows
  const write: Write = async (client, add) => {
    const rows = new Map([...owned].map(([model, numbers]) => [model, [...numbers]]))
    const note = (change: LedgerChange) => {
      applyTo(rows, [change])
      add(change)
    }
    for (let step = 0; step < steps; step += 1) {
      if (hasDdl && step === ddlStep) await alter(client, random)
      if (step === savepointStep) await writeAndForget(client, random, ledger, authorId)
      const change = await writeStep(client, random, rows, ledger, authorId)
      note(change)
    }
    if (isHeavy) await writeHeavy(client, random, note, { ledger, authorId })
    // Outside the transaction, and the last record before that of its commit.
    if (hasMessage) await client.query(`SELECT pg_logical_emit_message(false, 'chaos', 'beside')`)
    return isRolledBack ? 'rollback' : 'commit'
  }
  return { write, hasDdl: hasDdl && !isRolledBack }
}

async function writeStep(
  client: pg.Client,
  random: Random,
  rows: ReadonlyMap<ChaosModel, readonly number[]>,
  ledger: Ledger,
  authorId: string,
): Promise<LedgerChange> {
  const model = random.pick(CHAOS_MODEL_NAMES)
  const { table, column } = CHAOS_MODELS[model]
  const known = rows.get(model) ?? []
  const kind = known.length === 0 ? 'insert' : random.pick(['insert', 'insert', 'update', 'update', 'delete'])
  if (kind === 'insert') {
    const after = ledger.nextNumber()
    await insert(client, model, after, authorId)
    return { model, before: null, after }
  }
  const before = random.pick(known)
  if (kind === 'delete') {
    await expectOneRow(client.query(`DELETE FROM ${table} WHERE ${column} = $1`, [String(before)]))
    return { model, before, after: null }
  }
  const after = ledger.nextNumber()
  // A row of several columns that differ shows whose image it is.
  const rest = random.chance(0.5) ? `, ${REST[model](after)}` : ''
  await expectOneRow(
    client.query(`UPDATE ${table} SET ${column} = $2${rest} WHERE ${column} = $1`, [
      String(before),
      String(after),
    ]),
  )
  return { model, before, after }
}

/** Sets a column beside that of the number; colours have the length of their column. */
const REST: Readonly<Record<ChaosModel, (number: number) => string>> = {
  Tag: (number) => `color = '#${String(number).padStart(6, '0')}'`,
  Team: (number) => `slug = 'slug-${number}'`,
  Post: (number) => `body = 'body ${number}'`,
}

/** A post with a body of megabytes, and its title changed beside it: the body goes on unsaid. */
async function writeHeavy(
  client: pg.Client,
  random: Random,
  add: (change: LedgerChange) => void,
  { ledger, authorId }: PlanContext,
): Promise<void> {
  const number = ledger.nextNumber()
  const pieces = random.integer(HEAVY_BYTES.min, HEAVY_BYTES.max) >> 5
  await client.query(
    `INSERT INTO "Post" (id, "authorId", title, body)
     SELECT $1::int, $2, $1::text, string_agg(md5($1::text || n), '') FROM generate_series(1, $3::int) AS n`,
    [number, authorId, pieces],
  )
  add({ model: 'Post', before: null, after: number })
  const after = ledger.nextNumber()
  await expectOneRow(client.query('UPDATE "Post" SET title = $2 WHERE id = $1', [number, String(after)]))
  add({ model: 'Post', before: number, after })
}

async function expectOneRow(result: Promise<pg.QueryResult>): Promise<void> {
  const { rowCount, command } = await result
  if (rowCount !== 1) throw new Error(`The ledger is wrong: a ${command} met ${rowCount} rows, not one.`)
}

/** A row that a savepoint takes back: nobody may see it. */
async function writeAndForget(
  client: pg.Client,
  random: Random,
  ledger: Ledger,
  authorId: string,
): Promise<void> {
  await client.query('SAVEPOINT forgotten')
  await insert(client, random.pick(CHAOS_MODEL_NAMES), ledger.nextNumber(), authorId)
  await client.query('ROLLBACK TO SAVEPOINT forgotten')
}

/** A column that Prisma does not know, added or dropped, in the middle of a transaction. */
async function alter(client: pg.Client, random: Random): Promise<void> {
  const { table } = CHAOS_MODELS[random.pick(CHAOS_MODEL_NAMES)]
  const type = random.pick(['int DEFAULT 7', "text DEFAULT 'x'", 'timestamptz'])
  await client.query("SET LOCAL lock_timeout = '2s'")
  const { rowCount } = await client.query(
    `SELECT FROM pg_attribute WHERE attrelid = $1::regclass AND attname = 'chaos' AND NOT attisdropped`,
    [table],
  )
  await client.query(
    rowCount === 0
      ? `ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS chaos ${type}`
      : `ALTER TABLE ${table} DROP COLUMN IF EXISTS chaos`,
  )
}
