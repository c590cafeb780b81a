/**
 * Stage 5, source. `enable()`: makes the registered models live, on a short-lived connection of its own.
 */
import type { ConnectionTarget } from '../wire/connection-target.ts'
import { readDatabaseFacts } from './database-facts.ts'
import { planSetup, type SetupGoal, type SetupStep } from './setup-plan.ts'
import { withSqlClient } from './sql.ts'

/** Set-up waits this long for a lock, so that it never queues in front of the application's own statements. */
const LOCK_TIMEOUT_MS = 5_000

/** Key of the advisory lock under which set-up runs; any number nobody else is likely to use. */
const SETUP_LOCK_KEY = 7_269_872

/**
 * Brings replica identities, publication and slot to where the goal wants them; idempotent.
 * @returns the steps it ran; none when everything was in place.
 * @throws SOURCE_WAL_LEVEL, SOURCE_NO_REPLICATION_RIGHT, SOURCE_TABLE_MISSING, SOURCE_TABLE_NOT_REPLICABLE,
 * SOURCE_SLOT_MISMATCH, SOURCE_NOT_OWNER, or a connection error; nothing was changed then.
 */
export async function runSetup(target: ConnectionTarget, goal: SetupGoal): Promise<readonly SetupStep[]> {
  return withSqlClient(target, async (sql) => {
    await sql.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`)
    // Two processes may start at once; the second then finds everything done. Freed with the session.
    await sql.query('SELECT pg_advisory_lock($1)', [SETUP_LOCK_KEY])
    const facts = await readDatabaseFacts(sql, goal.tables, goal.publication, goal.slot)
    const plan = planSetup(facts, goal)
    const [problem] = plan.problems
    if (problem !== undefined) throw problem
    for (const step of plan.steps) await sql.query(step.sql)
    return plan.steps
  })
}
