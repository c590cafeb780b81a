/**
 * Stage 5, source. The first barrier of a fresh slot: nobody has a cursor of it yet, so nothing is cut.
 */
import { LSN_ZERO } from '../../wire/lsn.ts'
import type { RunQuery } from '../db/run-query.ts'
import { sqlstateOf } from '../db/sqlstate.ts'
import { type ServerFacts, serverFactsSql } from '../facts/server-facts.ts'
import { barrierSql } from '../published/barrier-message.ts'
import { groupByModel, type PublishedModel } from '../published/published-tables.ts'
import { readModelTables } from './model-tables.ts'
import type { SetupGoal } from './setup-goal.ts'

/** Writes what is published now. A server that takes no message has none: then the first process to come cuts. */
export async function writeBaseline(query: RunQuery, goal: SetupGoal): Promise<void> {
  const [server] = await query<Pick<ServerFacts, 'serverVersion'>>(
    `SELECT ${serverFactsSql(['serverVersion'])}`,
  )
  const serverVersion = server?.serverVersion ?? 0
  const models = groupByModel(await readModelTables(query, goal, serverVersion))
  const published = new Map<string, PublishedModel>()
  for (const [model, tables] of models) if (tables !== null) published.set(model, tables)
  await query(barrierSql({ published, cut: [], cleanFrom: LSN_ZERO }, goal.slot)).catch((error: unknown) => {
    if (sqlstateOf(error) === null) throw error
  })
}
