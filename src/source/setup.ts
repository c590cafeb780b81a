/**
 * Stage 5, source. `enable()`: makes the registered models live, on a short-lived connection of its own.
 */
import { RowcastError } from '../errors.ts'
import type { ConnectionTarget } from '../wire/connection-target.ts'
import { readDatabaseFacts } from './database-facts.ts'
import { planSetup, type SetupGoal, type SetupStep } from './setup-plan.ts'
import { type DatabaseSession, type SqlQueries, withDatabaseSession } from './sql.ts'

/** Set-up waits this long for a lock, so that it never queues in front of the application's own statements. */
export const LOCK_TIMEOUT_MS = 5_000

/** Key of the advisory lock under which set-up runs; any number nobody else is likely to use. */
const SETUP_LOCK_KEY = 7_269_872

/**
 * Brings replica identities, publication and slot to where the goal wants them; idempotent.
 * @returns the steps it ran; none when everything was in place.
 * @throws SOURCE_WAL_LEVEL, SOURCE_NO_REPLICATION_RIGHT, SOURCE_TABLE_MISSING, SOURCE_TABLE_NOT_REPLICABLE,
 * SOURCE_SLOT_MISMATCH, SOURCE_NOT_OWNER, SOURCE_STANDBY_SERVER, SOURCE_LOCK_TIMEOUT, or a connection error. After a lock
 * time-out the steps before it stay done; otherwise nothing was changed.
 */
export async function runSetup(target: ConnectionTarget, goal: SetupGoal): Promise<readonly SetupStep[]> {
  const run = async (sql: DatabaseSession): Promise<readonly SetupStep[]> => {
    // Two processes may start at once; the second then finds everything done. Freed with the session.
    await sql.query('SELECT pg_advisory_lock($1)', [SETUP_LOCK_KEY])
    const facts = await readDatabaseFacts(sql, goal.tables, goal.publication, goal.slot)
    const plan = planSetup(facts, goal)
    const [problem] = plan.problems
    if (problem !== undefined) throw problem
    // A standby takes no DDL, and a slot made there would not be the primary's.
    if (plan.steps.length > 0) await refuseStandby(sql)
    for (const step of plan.steps) await sql.transaction((each) => each.query(step.sql), { isWriting: true })
    return plan.steps
  }
  return withDatabaseSession(target, run, { lockTimeoutMs: LOCK_TIMEOUT_MS })
}

async function refuseStandby(sql: SqlQueries): Promise<void> {
  const [server] = await sql.query<{ isInRecovery: boolean }>('SELECT pg_is_in_recovery() AS "isInRecovery"')
  if (server?.isInRecovery !== true) return
  throw new RowcastError('SOURCE_STANDBY_SERVER', 'The server is a standby; nothing is set up there.')
}
