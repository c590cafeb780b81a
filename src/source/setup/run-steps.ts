/**
 * Stage 5, source. Runs the statements of set-up and teardown so that the application's own do not wait for them. While a
 * statement waits for a table's lock, whoever wants the table waits behind it: so it waits for tens of milliseconds, a few
 * times, with long and growing pauses. Each statement commits in the same message, and holds its lock for no round trip.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isRowcastError, RowcastError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import type { DriverTarget } from '../../wire/driver-target.ts'
import { type DatabaseSession, withDatabaseSession } from '../db/sql.ts'
import { readLockHolders, readWriters, type SessionAhead } from './lock-holders.ts'
import type { SetupStep } from './setup-goal.ts'
import { runOnSlotServer } from './standby-slot.ts'

/** How long a statement may wait for a lock that the application's statements want as well. */
export const LOCK_WAIT_MS = 25
/** Between two tries. */
const PAUSES_MS: readonly number[] = [200, 800, 2_500, 6_000]
/** Making a slot waits for transactions, and nobody waits for it. */
export const SLOT_WAIT_MS = 5_000
/** A try of it is long: fewer pauses. */
const SLOT_PAUSES_MS: readonly number[] = [200, 2_500]

/** A statement got no lock and is tried again. */
export interface LockWait {
  readonly step: SetupStep
  /** Who holds its tables; for a slot, who has written and not ended. */
  readonly holders: readonly SessionAhead[]
  readonly pauseMs: number
}

/** How steps are run. */
export interface StepRunOptions {
  /** Called before each pause. */
  readonly onWait?: ((wait: LockWait) => void) | undefined
  /** Called for each optional table that is left out. */
  readonly onSkip?: ((why: RowcastError) => void) | undefined
  /** Between two tries. @default 0.2 to 6 s, growing; 0.2 and 2.5 s for a slot */
  readonly pausesMs?: readonly number[] | undefined
  /** Ends a pause. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs them in order. The session does not outlive a pause: a role's time-out for idle ones would end it.
 * @throws SOURCE_LOCK_TIMEOUT naming who holds the lock; the steps before it stay done
 */
export async function runSteps(
  target: DriverTarget,
  steps: readonly SetupStep[],
  options: StepRunOptions = {},
): Promise<void> {
  const { onWait, signal } = options
  let done = 0
  let tries = 0
  for (;;) {
    const refused = await withDatabaseSession(
      target,
      async (sql) => {
        while (done < steps.length) {
          const { step, count } = nextOf(steps, done)
          if (!(await tryStep(target, sql, step))) return { step, holders: await readHolders(sql, step) }
          done += count
          tries = 0
        }
        return null
      },
      { signal },
    )
    if (refused === null) return
    const pausesMs = refused.step.kind === 'slot' ? SLOT_PAUSES_MS : PAUSES_MS
    const pauseMs = (options.pausesMs ?? pausesMs)[tries++]
    if (pauseMs === undefined) throw lockTimeout(refused.step, refused.holders, tries)
    onWait?.({ ...refused, pauseMs })
    await delay(pauseMs, undefined, { signal })
  }
}

const readHolders = (sql: DatabaseSession, step: SetupStep): Promise<readonly SessionAhead[]> =>
  step.kind === 'slot' ? readWriters(sql) : readLockHolders(sql, step.locks ?? [])

/** What is run next: steps that are one transaction are one. Pure. */
function nextOf(
  steps: readonly SetupStep[],
  from: number,
): { readonly step: SetupStep; readonly count: number } {
  const [first, second] = steps.slice(from, from + 2)
  if (first === undefined) throw new RowcastError('BUG', 'There is no step left to run.')
  if (first.isWithNext !== true || second === undefined) return { step: first, count: 1 }
  const locks = [...(first.locks ?? []), ...(second.locks ?? [])]
  return { step: { ...first, sql: `${first.sql}; ${second.sql}`, locks }, count: 2 }
}

/**
 * PostgreSQL cancels an autovacuum that is waited for, when it looks for deadlocks. That is after a second, unless a superuser
 * says otherwise.
 */
const IMPATIENT_SQL = `SELECT set_config('deadlock_timeout', '5ms', true) FROM pg_roles WHERE rolname = current_user AND rolsuper`

/** False: it got no lock. */
async function tryStep(target: DriverTarget, sql: DatabaseSession, step: SetupStep): Promise<boolean> {
  if (step.kind === 'slot' && target.standby !== undefined) {
    await runOnSlotServer(target, step.sql)
    return true
  }
  // A lock is not held until a standby has confirmed, or the disk. Whatever is lost in a crash is found missing afterwards.
  const settings = { synchronous_commit: step.kind === 'replica-identity' ? 'off' : 'local' }
  try {
    if (step.kind === 'slot')
      await sql.transaction((each) => each.query(step.sql), { isWriting: true, lockTimeoutMs: SLOT_WAIT_MS })
    else
      await sql.commit(`${IMPATIENT_SQL}; ${step.sql}`, {
        isWriting: true,
        lockTimeoutMs: LOCK_WAIT_MS,
        settings,
      })
    return true
  } catch (error) {
    if (isRowcastError(error, 'SOURCE_LOCK_TIMEOUT')) return false
    throw error
  }
}

function lockTimeout(step: SetupStep, holders: readonly SessionAhead[], tries: number): RowcastError {
  const held = holders.length === 0 ? '' : ` Held by ${holders.map(describeHolder).join(', ')}.`
  const [first] = holders
  return new RowcastError(
    'SOURCE_LOCK_TIMEOUT',
    `${step.sql}: no lock in ${tries} tries of ${step.kind === 'slot' ? SLOT_WAIT_MS : LOCK_WAIT_MS} ms.${held}`,
    { details: { pid: first?.pid ?? null, tries } },
  )
}

/** `process 4711 ("api"), for 35 s`. */
export function describeHolder({ pid, applicationName, seconds }: SessionAhead): string {
  const name = applicationName === null || applicationName === '' ? '' : ` ("${applicationName}")`
  return `process ${pid}${name}${seconds === null ? '' : `, for ${Math.round(seconds)} s`}`
}

/** Says in the log what is waited for. */
export function logLockWait(logger: Logger): (wait: LockWait) => void {
  return ({ step, holders, pauseMs }) => {
    logger.info(`Waiting for a lock: ${step.sql}`, {
      holders: holders.map(describeHolder).join('; '),
      retryInMs: pauseMs,
    })
  }
}
