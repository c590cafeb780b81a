/**
 * Stage 5, source. `enable()`: makes the registered models live, on a short-lived connection of its own.
 */
import { RowcastError } from '../../errors.ts'
import { type DriverTarget, serverOfSlot } from '../../wire/driver-target.ts'
import { checkReplicates } from '../db/replication-probe.ts'
import type { RunQuery } from '../db/run-query.ts'
import { type SqlQueries, withDatabaseSession } from '../db/sql.ts'
import { readDatabaseFactsAt } from '../facts/database-facts.ts'
import { isInRecovery } from '../facts/server-facts.ts'
import { runSteps, type StepRunOptions } from './run-steps.ts'
import { planSetup, type SetupGoal, type SetupPlan, type SetupStep } from './setup-plan.ts'
import { checkStandby } from './standby-slot.ts'
import { readBaseline, writeBaseline } from './write-baseline.ts'

/** Key of the advisory lock under which set-up runs; any number nobody else is likely to use. */
const SETUP_LOCK_KEY = 7_269_872
/** How long to wait for another process that sets up. */
const SETUP_LOCK_WAIT_MS = 8_000

/**
 * Brings replica identities, publication and slot to where the goal wants them; idempotent. The application's own
 * statements go on meanwhile: see `run-steps.ts`.
 * @returns the steps it ran; none when everything was in place.
 * @throws SOURCE_WAL_LEVEL, SOURCE_NO_REPLICATION_RIGHT, SOURCE_TABLE_MISSING, SOURCE_TABLE_NOT_REPLICABLE,
 * SOURCE_SLOT_MISMATCH, SOURCE_NOT_OWNER, SOURCE_STANDBY_SERVER, SOURCE_POOLER, SOURCE_LOCK_TIMEOUT, or a connection error.
 * After a lock time-out the steps before it stay done; otherwise nothing was changed.
 */
export function runSetup(
  target: DriverTarget,
  goal: SetupGoal,
  options: StepRunOptions = {},
): Promise<readonly SetupStep[]> {
  return underSetupLock(target, async () => {
    const look = (sql: SqlQueries) => makePlan(target, sql, goal)
    const { signal } = options
    const plan = await withDatabaseSession(target, (sql) => sql.transaction(look), { signal })
    const { steps, undo } = plan
    for (const skipped of plan.skipped) options.onSkip?.(skipped)
    const [problem] = plan.problems
    if (problem !== undefined) {
      await runSteps(target, undo, options)
      throw problem
    }
    if (steps.length === 0) return steps
    // A slot that nobody could read would hold WAL for ever.
    await checkReplicates(serverOfSlot(target))
    const slotSteps = steps.filter(({ kind }) => kind === 'slot')
    if (slotSteps.length > 0) await checkStandby(target)
    await runSteps(
      target,
      steps.filter((step) => !slotSteps.includes(step)),
      options,
    )
    if (slotSteps.length > 0) await makeSlot(target, goal, { steps: slotSteps, options })
    return steps
  })
}

interface SlotMaking {
  readonly steps: readonly SetupStep[]
  readonly options: StepRunOptions
}

/** The publication is as it is to be: what is written down is what stays so while the slot is made. */
async function makeSlot(
  target: DriverTarget,
  goal: SetupGoal,
  { steps, options }: SlotMaking,
): Promise<void> {
  const { signal } = options
  const withQuery = <Value>(ask: (query: RunQuery) => Promise<Value>): Promise<Value> =>
    withDatabaseSession(target, (sql) => ask((text) => sql.query(text)), { signal })
  const before = await withQuery((query) => readBaseline(query, goal))
  await runSteps(target, steps, options)
  await withQuery((query) => writeBaseline(query, goal, before))
}

async function makePlan(target: DriverTarget, sql: SqlQueries, goal: SetupGoal): Promise<SetupPlan> {
  const plan = planSetup(await readDatabaseFactsAt(target, sql, goal), goal)
  // A standby takes no DDL, and a slot made there would not be the primary's.
  if (plan.steps.length + plan.undo.length > 0) await refuseStandby(sql)
  return plan
}

/**
 * Two processes may start at once; the second then finds everything done. The lock is a transaction's, on a session of its
 * own: a pooler would keep a session's lock after us.
 */
export async function underSetupLock<Value>(target: DriverTarget, run: () => Promise<Value>): Promise<Value> {
  return withDatabaseSession(
    target,
    (session) =>
      session.transaction(async (held) => {
        await held.query('SELECT pg_advisory_xact_lock($1)', [SETUP_LOCK_KEY])
        return run()
      }),
    { applicationName: 'rowcast setup lock', lockTimeoutMs: SETUP_LOCK_WAIT_MS },
  )
}

async function refuseStandby(sql: SqlQueries): Promise<void> {
  if (await isInRecovery(sql))
    throw new RowcastError('SOURCE_STANDBY_SERVER', 'The server is a standby; nothing is set up there.')
}
