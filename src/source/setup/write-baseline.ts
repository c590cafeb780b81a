/**
 * Stage 5, source. The first barrier of a fresh slot: nobody has a cursor of it yet, so nothing is cut. It names what is published as it was
 * before the slot was made. PostgreSQL waits for whoever writes while it makes one, and the slot sends what began in the meantime: of a
 * table that came back then, or came, those who wrote before that are in no stream. The first process to come waits for them, and cuts.
 */
import { LSN_ZERO } from '../../wire/lsn.ts'
import type { RunQuery } from '../db/run-query.ts'
import { sqlstateOf } from '../db/sqlstate.ts'
import { type ServerFacts, serverFactsSql } from '../facts/server-facts.ts'
import { barrierSql } from '../published/barrier-message.ts'
import { groupByModel, isSamePublished, type PublishedModel } from '../published/published-tables.ts'
import { readModelTables } from './model-tables.ts'
import type { SetupGoal } from './setup-goal.ts'

/** What is published, by model. */
export type Baseline = ReadonlyMap<string, PublishedModel>

/** Reads what is published; right before the slot is made. */
export async function readBaseline(query: RunQuery, goal: SetupGoal): Promise<Baseline> {
  const [server] = await query<Pick<ServerFacts, 'serverVersion'>>(
    `SELECT ${serverFactsSql(['serverVersion'])}`,
  )
  const serverVersion = server?.serverVersion ?? 0
  const models = groupByModel(await readModelTables(query, goal, serverVersion))
  return new Map(
    [...models].flatMap(([model, tables]) => (tables === null ? [] : [[model, tables] as const])),
  )
}

/**
 * Writes what is published now and was so `before` the slot was made. A server that takes no message has none: then the first process to
 * come cuts.
 */
export async function writeBaseline(query: RunQuery, goal: SetupGoal, before: Baseline): Promise<void> {
  const published = [...(await readBaseline(query, goal))].filter(([model, tables]) => {
    const known = before.get(model)
    return known !== undefined && isSamePublished(known, tables)
  })
  const barrier = { published: new Map(published), cut: [], cleanFrom: LSN_ZERO }
  await query(barrierSql(barrier, goal.slot)).catch((error: unknown) => {
    if (sqlstateOf(error) === null) throw error
  })
}
