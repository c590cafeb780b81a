/**
 * Stage 5, source. Makes and drops a slot on a standby. PostgreSQL waits there for the primary to write which transactions are running, which that
 * does by itself every 15 s at most, and not while it is idle: it is asked to, again and again, as transactions that are open meanwhile take a second time.
 * Source: PostgreSQL manual, "Logical Decoding on Standby"; "System Administration Functions", pg_log_standby_snapshot.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isRowcastError, RowcastError } from '../../errors.ts'
import { openReplicationConnection } from '../../wire/connection.ts'
import { type DriverTarget, serverOfSlot } from '../../wire/driver-target.ts'
import { SNAPSHOT_SQL } from '../db/heartbeat.ts'
import { type SqlQueries, withDatabaseSession } from '../db/sql.ts'
import { SERVER_LSN_SQL, type ServerFacts, serverFactsSql } from '../facts/server-facts.ts'
import { PRIMARY_SQL, type StandbyState } from '../facts/standby-state.ts'
import { judgeStandby, judgeStandbyIdentity } from '../facts/standby-verdict.ts'

/** How long the standby may take to have what the primary has, and then for the slot. */
const STANDBY_WAIT_MS = 30_000
const POLL_MS = 100

/**
 * Judges the standby before it gets a slot: that of a wrong server would hold its WAL for ever.
 * @throws SOURCE_STANDBY_SERVER, SOURCE_STANDBY_UNSUPPORTED, SOURCE_STANDBY_MISMATCH
 */
export async function checkStandby(target: DriverTarget): Promise<void> {
  if (target.standby === undefined) return
  const [primary] = await withDatabaseSession(target, (sql) =>
    sql.query<StandbyState['primary']>(PRIMARY_SQL),
  )
  const connection = await openReplicationConnection(serverOfSlot(target), {
    applicationName: 'rowcast setup',
  })
  try {
    const [standby] = await connection.query<Pick<ServerFacts, 'serverVersion'>>(
      `SELECT ${serverFactsSql(['serverVersion'])}`,
    )
    if (primary === undefined || standby === undefined)
      throw new RowcastError('BUG', 'A query for a standby returned no row.')
    const state = { ...standby, primary }
    const problem = judgeStandby(state) ?? judgeStandbyIdentity(state, await connection.identify())
    if (problem !== null) throw problem
  } finally {
    await connection.close()
  }
}

/**
 * Runs a statement about the slot where the slot is, after all that the primary has written up to now is there: the publication first of all.
 * @throws SOURCE_STANDBY_BEHIND
 */
export function runOnSlotServer(
  target: DriverTarget,
  statement: string,
  waitMs = STANDBY_WAIT_MS,
): Promise<void> {
  const options = { lockTimeoutMs: waitMs }
  return withDatabaseSession(target, (primary) =>
    withDatabaseSession(
      serverOfSlot(target),
      async (standby) => {
        await untilReplayed(primary, standby, waitMs)
        const done = new AbortController()
        const helping = helpSnapshots(primary, done.signal)
        try {
          await standby.query(statement)
        } catch (error) {
          const isLate =
            isRowcastError(error, 'WIRE_ANSWER_TIMEOUT') || isRowcastError(error, 'SOURCE_LOCK_TIMEOUT')
          throw isLate ? behind(statement, error) : error
        } finally {
          done.abort()
          await helping
        }
      },
      options,
    ),
  )
}

async function untilReplayed(primary: SqlQueries, standby: SqlQueries, waitMs: number): Promise<void> {
  const [written] = await primary.query<{ lsn: string }>(`SELECT ${SERVER_LSN_SQL}::text AS lsn`)
  const untilMs = performance.now() + waitMs
  for (;;) {
    // One that is no standby any more has it, or is another server: that is judged before it is streamed from.
    const [row] = await standby.query<{ is: boolean }>(
      'SELECT NOT pg_is_in_recovery() OR pg_last_wal_replay_lsn() >= $1::pg_lsn AS is',
      [written?.lsn],
    )
    if (row?.is === true) return
    if (performance.now() > untilMs) throw behind('It has not replayed what the primary has written')
    await delay(POLL_MS)
  }
}

/** Until it is over, or our role may not. */
async function helpSnapshots(primary: SqlQueries, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const isDone = await primary.query(SNAPSHOT_SQL).then(
      () => true,
      () => false,
    )
    if (!isDone) return
    await delay(POLL_MS, undefined, { signal }).catch(() => undefined)
  }
}

function behind(what: string, cause?: unknown): RowcastError {
  return new RowcastError('SOURCE_STANDBY_BEHIND', `The standby was waited for: ${what}.`, {
    cause,
  })
}
