/**
 * Stage 5, source. Where a standby has the slot: what is asked of the standby, and what of its primary. Decoding there follows the primary's
 * WAL, at its positions: whatever is published, who is writing and what is visible is asked of the primary, and of the standby the slot alone.
 * Source: PostgreSQL manual, "Logical Decoding on Standby".
 */
import { RowcastError } from '../../errors.ts'
import { openReplicationConnection } from '../../wire/connection.ts'
import { type DriverTarget, serverOfSlot } from '../../wire/driver-target.ts'
import { quoteLiteral } from '../../wire/quote.ts'
import type { RunQuery } from '../db/run-query.ts'
import { withDatabaseSession } from '../db/sql.ts'
import { SERVER_LSN_SQL, type ServerFacts, serverFactsSql } from '../facts/server-facts.ts'
import { parseSlot, type RawSlot, slotSql } from '../facts/slot-state.ts'
import { PRIMARY_SQL, type StandbyState } from '../facts/standby-state.ts'
import type { SetupGoal } from '../setup/setup-goal.ts'
import { readSourceFacts, type SourceFacts } from './slot-facts.ts'

type StandbyRow = Pick<ServerFacts, 'isInRecovery' | 'serverVersion'> & {
  readonly hasFeedback: boolean
  readonly slot: RawSlot | null
}

/** The same as `readSourceFacts` on the database's own address; `askSlotServer`, where a connection to the slot's server is open already. */
export async function readSourceFactsAt(
  target: DriverTarget,
  query: RunQuery,
  goal: SetupGoal,
  askSlotServer?: RunQuery,
): Promise<SourceFacts> {
  const facts = await readSourceFacts(query, goal)
  if (target.standby === undefined) return facts
  const [primary] = await query<StandbyState['primary']>(PRIMARY_SQL)
  const ask = (run: RunQuery) => run<StandbyRow>(standbySql(goal.slot))
  const [standby] = askSlotServer === undefined ? await atSlotServer(target, ask) : await ask(askSlotServer)
  if (primary === undefined || standby === undefined)
    throw new RowcastError('BUG', 'A query for a standby returned no row.')
  const { slot, ...state } = standby
  return {
    ...facts,
    ...{ isInRecovery: state.isInRecovery, isAlone: false, standby: { ...state, primary } },
    slot: slot === null ? null : parseSlot(slot, state.isInRecovery),
  }
}

/** The same for whoever looks while changes flow: what timeline a standby is on, it says on a replication connection alone. */
export async function readFlowingFactsAt(
  target: DriverTarget,
  query: RunQuery,
  goal: SetupGoal,
): Promise<SourceFacts> {
  if (target.standby === undefined) return readSourceFacts(query, goal)
  const connection = await openReplicationConnection(serverOfSlot(target), {
    applicationName: `rowcast watch: ${goal.slot}`,
  })
  try {
    const { standby, ...facts } = await readSourceFactsAt(target, query, goal, connection.query)
    return standby === undefined
      ? facts
      : { ...facts, standby: { ...standby, identity: await connection.identify() } }
  } finally {
    await connection.close()
  }
}

/** Asks the primary where the slot's server is a standby, else the connection that is open. */
export function askPrimary<Value>(
  target: DriverTarget | undefined,
  query: RunQuery,
  ask: (query: RunQuery) => Promise<Value>,
): Promise<Value> {
  if (target?.standby === undefined) return ask(query)
  return withDatabaseSession(target, (sql) => ask((text) => sql.query(text)))
}

function atSlotServer<Value>(target: DriverTarget, ask: (query: RunQuery) => Promise<Value>): Promise<Value> {
  return withDatabaseSession(serverOfSlot(target), (sql) => ask((text) => sql.query(text)))
}

const standbySql = (slot: string): string => `
  SELECT ${serverFactsSql(['isInRecovery', 'serverVersion'])}, current_setting('hot_standby_feedback')::bool AS "hasFeedback",
         ${slotSql(quoteLiteral(slot), SERVER_LSN_SQL)} AS "slot"`
