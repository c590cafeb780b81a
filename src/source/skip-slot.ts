/**
 * Stage 5, source. Moves a slot past a transaction that cannot be sent. What lies in between is gone for every model: a
 * process that goes on behind finds the slot beyond its position, and every subscription ends with RESYNC_REQUIRED; so
 * does every cursor from before, in this process and in the next.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { RowcastError } from '../errors.ts'
import type { ConnectionTarget } from '../wire/connection-target.ts'
import { formatLsn, type Lsn, parseLsn } from '../wire/lsn.ts'
import { slotInUse } from './slot-control.ts'
import { type SqlQueries, withDatabaseSession } from './sql.ts'
import { sqlstateOf } from './sqlstate.ts'

/** What is skipped. */
export interface SkipRequest {
  readonly slot: string
  /** The slot sends what commits at or after this. */
  readonly to: Lsn
  /** Only looks. */
  readonly isDry: boolean
  /** How long the slot may be busy: a stream that fails leaves it free between its attempts. */
  readonly patienceMs: number
}

/** What was, or would be, skipped. */
export interface Skip {
  readonly from: string
  readonly to: string
  /** WAL between the two. */
  readonly bytes: number
}

const OBJECT_IN_USE = '55006'
const POLL_MS = 20
/** PostgreSQL reads all WAL in between. */
const ADVANCE_TIMEOUT_MS = 600_000

interface SlotRow {
  readonly confirmed: string
  readonly flushed: string
  readonly pid: number | null
}

/** Skips. @throws SOURCE_SLOT_MISSING, SOURCE_SLOT_IN_USE, CLI_BAD_OPTION where there is nothing to skip */
export async function skipSlot(target: ConnectionTarget, request: SkipRequest): Promise<Skip> {
  const { slot, to, isDry, patienceMs } = request
  const skip = async (sql: SqlQueries): Promise<Skip> => {
    const untilMs = performance.now() + patienceMs
    const { confirmed, flushed } = await readSlot(sql, slot)
    if (to <= parseLsn(confirmed) || to > parseLsn(flushed)) {
      throw new RowcastError(
        'CLI_BAD_OPTION',
        `${formatLsn(to)} is not ahead of the slot, or not written yet.`,
        {
          mend: `Give a position after ${confirmed} and up to ${flushed}: the error SOURCE_ROW_UNREADABLE names it.`,
        },
      )
    }
    if (!isDry) await advance(sql, request, untilMs)
    return { from: confirmed, to: formatLsn(to), bytes: Number(to - parseLsn(confirmed)) }
  }
  return withDatabaseSession(target, skip, { answerTimeoutMs: ADVANCE_TIMEOUT_MS })
}

async function readSlot(sql: SqlQueries, slot: string): Promise<SlotRow> {
  const [found] = await sql.query<SlotRow>(
    `SELECT confirmed_flush_lsn::text AS "confirmed", pg_current_wal_flush_lsn()::text AS "flushed", active_pid AS "pid"
       FROM pg_replication_slots WHERE slot_name = $1 AND database = current_database()`,
    [slot],
  )
  if (found === undefined)
    throw new RowcastError('SOURCE_SLOT_MISSING', `There is no replication slot "${slot}".`)
  return found
}

async function advance(sql: SqlQueries, { slot, to }: SkipRequest, untilMs: number): Promise<void> {
  for (;;) {
    try {
      await sql.query('SELECT pg_replication_slot_advance($1, $2)', [slot, formatLsn(to)])
      return
    } catch (error) {
      if (sqlstateOf(error) !== OBJECT_IN_USE) throw error
      if (performance.now() >= untilMs) throw slotInUse(slot, (await readSlot(sql, slot)).pid ?? 0, null)
      await delay(POLL_MS)
    }
  }
}
