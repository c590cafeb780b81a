/**
 * Stage 5, source. Gives up one transaction that cannot be sent. Readers of the slot pass over it by a mark, and a barrier in
 * the WAL ends what was subscribed to the models that it wrote to, wherever and whenever it is read. The slot stays where it
 * is: other models' cursors lose nothing, also over a restart.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { RowcastError } from '../../errors.ts'
import type { DriverTarget } from '../../wire/driver-target.ts'
import { formatLsn, type Lsn, parseLsn, toLsn } from '../../wire/lsn.ts'
import { quoteLiteral } from '../../wire/quote.ts'
import { type SqlQueries, withDatabaseSession } from '../db/sql.ts'
import { isInRecovery } from '../facts/server-facts.ts'
import { barrierSql } from '../published/barrier-message.ts'
import type { SetupGoal } from '../setup/setup-goal.ts'
import { dropSkipMarks, parseSkipMarks, skipMarkName, skipMarksSql } from '../setup/skip-marks.ts'
import { slotInUse } from '../slot/slot-control.ts'
import { readSourceFacts } from '../slot/slot-facts.ts'
import { readTransactionTables, type WrittenTable } from './transaction-tables.ts'

/** What is skipped. */
export interface SkipRequest {
  readonly goal: SetupGoal
  /** Right behind where the transaction's commit begins, as the error that names it says. */
  readonly to: Lsn
  /** Only looks. */
  readonly isDry: boolean
  /** How long the slot may be busy: a stream that fails leaves it free between its attempts. */
  readonly patienceMs: number
}

/** What was, or would be, skipped. */
export interface Skip {
  readonly to: string
  /** Models whose subscriptions and cursors from before end. */
  readonly models: readonly string[]
  /** Tables that the transaction wrote to; null where the WAL does not say: then it may be any model. */
  readonly tables: readonly string[] | null
}

const POLL_MS = 20
/** All WAL is read that the slot keeps before the transaction. */
const READ_TIMEOUT_MS = 600_000

interface SlotRow {
  readonly confirmed: string | null
  readonly restart: string | null
  readonly flushed: string
  readonly pid: number | null
  readonly marks: readonly string[]
}

/**
 * Skips.
 * @throws SOURCE_SLOT_MISSING, SOURCE_SLOT_IN_USE, SOURCE_STANDBY_SERVER, CLI_BAD_OPTION where there is nothing to skip
 */
export async function skipTransaction(target: DriverTarget, request: SkipRequest): Promise<Skip> {
  const { goal, to, isDry } = request
  if (target.standby !== undefined)
    throw new RowcastError('SOURCE_STANDBY_SERVER', 'The slot is on a standby; nothing is skipped there.')
  return withDatabaseSession(target, async (sql) => {
    const slot = await awaitFreeSlot(sql, request)
    const { confirmed, flushed, restart } = slot
    if (confirmed === null || restart === null || to <= parseLsn(confirmed) || to > parseLsn(flushed)) {
      throw badPosition(`${formatLsn(to)} is not ahead of the slot, or not written yet.`, slot)
    }
    const found = await readTransactionTables(target, sql, {
      ...{ commitLsn: toLsn(to - 1n), fromLsn: parseLsn(restart), untilLsn: parseLsn(flushed) },
      ...{ applicationName: `rowcast skip: ${goal.slot}`, timeoutMs: READ_TIMEOUT_MS },
    })
    if (found === 'no-commit')
      throw badPosition(`No transaction commits right before ${formatLsn(to)}.`, slot)
    const tables = found === 'unknown' ? null : found
    const models = await modelsOf(sql, goal, tables)
    if (!isDry) await mark(sql, { slot: goal.slot, to, models, known: parseSkipMarks(goal.slot, slot.marks) })
    return {
      ...{ to: formatLsn(to), models },
      tables: tables?.map(({ schema, table }) => `${schema}.${table}`) ?? null,
    }
  })
}

function badPosition(happened: string, { confirmed, flushed }: SlotRow): RowcastError {
  return new RowcastError('CLI_BAD_OPTION', happened, {
    hint: `Give the position that the error SOURCE_ROW_UNREADABLE names, after ${confirmed ?? '0/0'} and up to ${flushed}, and the database that it is of.`,
  })
}

/** A stream that goes on leaves no moment between two attempts: nothing is skipped under it. */
async function awaitFreeSlot(sql: SqlQueries, { goal, patienceMs }: SkipRequest): Promise<SlotRow> {
  const untilMs = performance.now() + patienceMs
  for (;;) {
    const slot = await readSlot(sql, goal.slot)
    if (slot.pid === null) return slot
    if (performance.now() >= untilMs) throw slotInUse(goal.slot, slot.pid, null)
    await delay(POLL_MS)
  }
}

async function readSlot(sql: SqlQueries, slot: string): Promise<SlotRow> {
  if (await isInRecovery(sql))
    throw new RowcastError('SOURCE_STANDBY_SERVER', 'The server is a standby; nothing is skipped there.')
  const [found] = await sql.query<SlotRow>(
    `SELECT confirmed_flush_lsn::text AS "confirmed", restart_lsn::text AS "restart", active_pid AS "pid",
            pg_current_wal_flush_lsn()::text AS "flushed", ${skipMarksSql(slot)} AS "marks"
       FROM pg_replication_slots
      WHERE slot_name = $1 AND database = current_database() AND plugin = 'pgoutput'`,
    [slot],
  )
  if (found === undefined)
    throw new RowcastError('SOURCE_SLOT_MISSING', `There is no replication slot "${slot}" in this database.`)
  return found
}

/** Models of the tables; of all tables that are live where that is not known. */
async function modelsOf(
  sql: SqlQueries,
  goal: SetupGoal,
  tables: readonly WrittenTable[] | null,
): Promise<readonly string[]> {
  const { modelTables } = await readSourceFacts((text) => sql.query(text), goal)
  const isWritten = (of: WrittenTable) =>
    tables === null || tables.some(({ schema, table }) => schema === of.schema && table === of.table)
  return [...new Set(modelTables.filter(isWritten).map(({ model }) => model))]
}

interface Mark {
  readonly slot: string
  readonly to: Lsn
  readonly models: readonly string[]
  /** Those that are there. */
  readonly known: readonly Lsn[]
}

/** First the barrier: a mark alone would let changes of models go in silence that the stream had not come to. */
async function mark(sql: SqlQueries, { slot, to, models, known }: Mark): Promise<void> {
  const barrier = { published: new Map(), cut: models, cleanFrom: to, isSkip: true }
  // It is on disk before the mark is, also where the role commits without waiting.
  await sql.query('SET synchronous_commit = local')
  await sql.query(barrierSql(barrier, slot))
  if (!known.includes(to))
    await sql.query(`SELECT pg_create_physical_replication_slot(${quoteLiteral(skipMarkName(slot, to))})`)
  const { confirmed } = await readSlot(sql, slot)
  const passed = confirmed === null ? [] : known.filter((each) => each <= parseLsn(confirmed))
  await dropSkipMarks((text) => sql.query(text), slot, passed)
}
