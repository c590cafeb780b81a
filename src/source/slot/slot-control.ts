/**
 * Stage 5, source. Makes a fresh slot and lets one go, each on a short-lived connection of its own.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { RowcastError } from '../../errors.ts'
import { type DriverTarget, serverOfSlot } from '../../wire/driver-target.ts'
import { formatLsn } from '../../wire/lsn.ts'
import { quoteLiteral } from '../../wire/quote.ts'
import type { RunQuery } from '../db/run-query.ts'
import { type SqlQueries, withDatabaseSession } from '../db/sql.ts'
import type { SlotState } from '../facts/slot-state.ts'
import { SLOT_WAIT_MS } from '../setup/run-steps.ts'
import type { SetupGoal } from '../setup/setup-plan.ts'
import { checkStandby, runOnSlotServer } from '../setup/standby-slot.ts'
import { readBaseline, writeBaseline } from '../setup/write-baseline.ts'
import { readSourceFactsAt } from './standby-facts.ts'

/** How long a walsender of ours may take to notice that its client is gone, before it is ended. */
const WALSENDER_PATIENCE_MS = 2_000
const POLL_MS = 50

/** Which slot is to go. */
export interface DropRequest {
  readonly slot: string
  /** Our own walsender, which may still hold it. */
  readonly readerPid: number
  /**
   * Asked right before: the slot as it is to be dropped, or null where none is any more. Another process that saw the same may have made a
   * fresh one by the same name. @default whatever is there is to be dropped
   */
  readonly readSpent?: (() => Promise<SlotPosition | null>) | undefined
}

/** What distinguishes a slot from a later one of the same name, which begins behind all that this one has confirmed. */
type SlotPosition = Pick<SlotState, 'confirmedLsn'>

/** Judged and dropped in one statement: between two of them another process can have made a fresh one. */
const DROP_SQL = `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
  WHERE slot_name = $1 AND active_pid IS NULL AND confirmed_flush_lsn IS NOT DISTINCT FROM $2::pg_lsn`

/**
 * Drops the slot; nothing to do when there is none, or another one than was judged.
 * @throws SOURCE_SLOT_IN_USE when somebody else reads it
 */
export async function dropSlot(target: DriverTarget, request: DropRequest): Promise<void> {
  const { slot, readerPid, readSpent } = request
  await withDatabaseSession(serverOfSlot(target), async (sql) => {
    const startedMs = performance.now()
    for (;;) {
      const [found] = await sql.query<{ pid: number | null; confirmed: string | null }>(
        'SELECT active_pid AS pid, confirmed_flush_lsn::text AS confirmed FROM pg_replication_slots WHERE slot_name = $1',
        [slot],
      )
      if (found === undefined) return
      if (found.pid === null) {
        const spent = readSpent === undefined ? found : rawPosition(await readSpent())
        if (spent !== null) await sql.query(DROP_SQL, [slot, spent.confirmed])
        return
      }
      if (performance.now() - startedMs > WALSENDER_PATIENCE_MS) {
        if (found.pid !== readerPid) throw slotInUse(slot, found.pid, null)
        await sql.query('SELECT pg_terminate_backend($1)', [found.pid])
      }
      await delay(POLL_MS)
    }
  })
}

function rawPosition(slot: SlotPosition | null): { readonly confirmed: string | null } | null {
  if (slot === null) return null
  return { confirmed: slot.confirmedLsn === null ? null : formatLsn(slot.confirmedLsn) }
}

/**
 * Creates the slot where it is missing. It must not be older than the publication, or it cannot be decoded.
 * @returns whether it was
 * @throws SOURCE_PUBLICATION_MISSING, SOURCE_STANDBY_SERVER, SOURCE_STANDBY_BEHIND, SOURCE_LOCK_TIMEOUT
 */
export async function createSlot(target: DriverTarget, goal: SetupGoal): Promise<boolean> {
  const create = async (sql: SqlQueries): Promise<boolean> => {
    const query: RunQuery = (text) => sql.query(text)
    const facts = await readSourceFactsAt(target, query, goal)
    if (facts.slot !== null) return false
    if (facts.isAlone ?? facts.isInRecovery) {
      throw new RowcastError('SOURCE_STANDBY_SERVER', 'The server is a standby; no slot is made there.')
    }
    if (facts.publication === null) {
      throw new RowcastError('SOURCE_PUBLICATION_MISSING', `There is no publication "${goal.publication}".`)
    }
    const before = await readBaseline(query, goal)
    const statement = `SELECT pg_create_logical_replication_slot(${quoteLiteral(goal.slot)}, 'pgoutput')`
    if (target.standby === undefined) await sql.query(statement)
    else {
      await checkStandby(target)
      await runOnSlotServer(target, statement)
    }
    await writeBaseline(query, goal, before)
    return true
  }
  return withDatabaseSession(target, create, { lockTimeoutMs: SLOT_WAIT_MS })
}

/** The error of a slot that another process reads. */
export function slotInUse(slot: string, pid: number, name: string | null): RowcastError {
  const who = name === null || name === '' ? '' : ` ("${name}")`
  return new RowcastError('SOURCE_SLOT_IN_USE', `Process ${pid}${who} reads slot "${slot}".`, {
    hint: `Nothing where that is meant: this process stands by and takes over. Else run SELECT pg_terminate_backend(${pid}); or give this one a \`slot\` of its own.`,
    details: { pid },
  })
}
