/**
 * Stage 5, source. Where a standby has the slot: what is asked of the standby, and what of its primary. Decoding there follows the primary's
 * WAL, at its positions: whatever is published, who is writing and what is visible is asked of the primary, and of the standby the slot alone.
 * Source: PostgreSQL manual, "Logical Decoding on Standby".
 */
import { RowcastError } from '../../errors.ts'
import { type DriverTarget, serverOfSlot } from '../../wire/driver-target.ts'
import { quoteLiteral } from '../../wire/quote.ts'
import type { SystemIdentity } from '../../wire/replication-connection.ts'
import type { RunQuery } from '../db/run-query.ts'
import { withDatabaseSession } from '../db/sql.ts'
import { SERVER_LSN_SQL, type ServerFacts, serverFactsSql } from '../facts/server-facts.ts'
import { parseSlot, type RawSlot, slotSql } from '../facts/slot-state.ts'
import type { StandbyState } from '../facts/standby-state.ts'
import type { SetupGoal } from '../setup/setup-goal.ts'
import { readSourceFacts, type SourceFacts } from './slot-facts.ts'

/** From here on a standby has slots of its own. */
const STANDBY_VERSION_MIN = 160_000

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

const PRIMARY_SQL = `
  SELECT (SELECT system_identifier::text FROM pg_control_system()) AS "systemId",
         ${serverFactsSql(['timeline'])}`

const standbySql = (slot: string): string => `
  SELECT ${serverFactsSql(['isInRecovery', 'serverVersion'])}, current_setting('hot_standby_feedback')::bool AS "hasFeedback",
         ${slotSql(quoteLiteral(slot), SERVER_LSN_SQL)} AS "slot"`

/** What keeps a standby from having the slot, whatever it is a standby of; null: nothing. */
export function judgeStandby({ serverVersion, primary }: StandbyState): RowcastError | null {
  if (primary.timeline === null)
    return new RowcastError(
      'SOURCE_STANDBY_SERVER',
      'The database address is that of a standby, beside `replicationUrl`.',
      {
        hint: 'Let DATABASE_URL name the primary, and `replicationUrl` the standby.',
      },
    )
  if (serverVersion >= STANDBY_VERSION_MIN) return null
  return new RowcastError(
    'SOURCE_STANDBY_UNSUPPORTED',
    `The server of \`replicationUrl\` has version ${serverVersion}.`,
  )
}

/** Why what the standby sends is not what this primary writes; null: it is. */
export function judgeStandbyIdentity(
  { primary }: StandbyState,
  { systemId, timeline }: Pick<SystemIdentity, 'systemId' | 'timeline'>,
): RowcastError | null {
  if (primary.systemId !== systemId)
    return mismatch('The server of `replicationUrl` belongs to another cluster.')
  if (primary.timeline === timeline) return null
  return mismatch(
    `The server of \`replicationUrl\` is on timeline ${timeline}, the primary on ${primary.timeline}.`,
  )
}

/** What has become of them since the stream began; null: nothing. */
export function judgeStandbyDrift(was: StandbyState, is: StandbyState): RowcastError | null {
  if (was.isInRecovery !== is.isInRecovery)
    return mismatch('The standby that sends the changes was promoted.')
  const isSame = was.primary.timeline === is.primary.timeline && was.primary.systemId === is.primary.systemId
  return isSame ? null : mismatch('Another server is the primary now.')
}

function mismatch(happened: string): RowcastError {
  return new RowcastError('SOURCE_STANDBY_MISMATCH', happened)
}
