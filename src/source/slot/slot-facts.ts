/**
 * Stage 5, source. What the worker has to know of slot, publication and server, in one catalog query: before each
 * stream on the replication connection itself, later on the watch's short-lived one. Changes nothing.
 * Source: PostgreSQL manual, "pg_replication_slots".
 */
import { RowcastError } from '../../errors.ts'
import { type Lsn, parseLsn } from '../../wire/lsn.ts'
import { quoteLiteral } from '../../wire/quote.ts'
import type { RunQuery } from '../db/run-query.ts'
import { HELD_XIDS_SQL } from '../db/snapshot.ts'
import { parseSnapshot, parseXidBound, type Sight } from '../db/visibility.ts'
import { type PublicationState, publicationStateSql } from '../facts/publication-facts.ts'
import { SERVER_LSN_SQL, type ServerFacts, serverFactsSql } from '../facts/server-facts.ts'
import { parseSlot, type RawSlot, type SlotState, slotSql } from '../facts/slot-state.ts'
import type { StandbyState } from '../facts/standby-state.ts'
import { isSameTable } from '../facts/table-name.ts'
import { type FoundTable, readModelTables } from '../setup/model-tables.ts'
import type { SetupGoal } from '../setup/setup-plan.ts'
import { parseSkipMarks, skipMarksSql } from '../setup/skip-marks.ts'
import { type IdentityFault, readIdentityFaults } from '../setup/table-identities.ts'

const SERVER_FACTS = [
  ...(['serverVersion', 'database', 'isInRecovery', 'isSlotWalLimited'] as const),
  ...(['maySnapshot', 'mayEmit', 'moneyScale'] as const),
] as const

export interface SourceFacts extends Pick<ServerFacts, (typeof SERVER_FACTS)[number]> {
  /** The slot's server is a standby, and the address of its primary is not known. @default isInRecovery */
  readonly isAlone?: boolean | undefined
  /** The slot's server and its primary, where they are two. @default they are one */
  readonly standby?: StandbyState | undefined
  readonly serverLsn: Lsn
  /** What a query sees at the same moment. */
  readonly sight: Sight
  readonly slot: SlotState | null
  readonly publication: PublicationState | null
  /** Behind transactions that are to be passed over. */
  readonly skips: readonly Lsn[]
  /** The models' tables, and those that inherit from them. */
  readonly modelTables: readonly FoundTable[]
  /** Tables whose replica identity is not what their model, or the application, needs. */
  readonly identityFaults: readonly IdentityFault[]
  /** Wanted tables that the publication lacks. */
  readonly unpublished: readonly { readonly model: string; readonly table: string }[]
}

type FactsRow = Omit<
  SourceFacts,
  'serverLsn' | 'sight' | 'slot' | 'standby' | 'unpublished' | 'modelTables' | 'identityFaults' | 'skips'
> & {
  readonly skips: readonly string[]
  readonly serverLsn: string
  readonly snapshot: string
  readonly heldXids: string | null
  readonly slot: RawSlot | null
}

export async function readSourceFacts(query: RunQuery, goal: SetupGoal): Promise<SourceFacts> {
  const [row] = await query<FactsRow>(factsSql(goal))
  if (row === undefined) throw new RowcastError('BUG', 'The query for slot and publication returned no row.')
  const { slot, skips, snapshot, heldXids, ...facts } = row
  const modelTables = await readModelTables(query, goal, row.serverVersion)
  return {
    ...facts,
    skips: parseSkipMarks(goal.slot, skips),
    serverLsn: parseLsn(row.serverLsn),
    sight: {
      isVisible: parseSnapshot(row.isInRecovery ? `${snapshot}@${row.serverLsn}` : snapshot),
      xidBound: parseXidBound(snapshot, heldXids),
    },
    slot: slot === null ? null : parseSlot(slot, row.isInRecovery),
    modelTables,
    identityFaults: await readIdentityFaults(query, goal, row.serverVersion),
    unpublished: goal.tables
      .filter((wanted) => !modelTables.some((found) => found.isPublished && isSameTable(found, wanted)))
      .map(({ model, schema, table }) => ({ model, table: `${schema}.${table}` })),
  }
}

/** Without parameters: a walsender takes only the simple query protocol. */
function factsSql(goal: SetupGoal): string {
  return `
  WITH server AS (SELECT ${SERVER_LSN_SQL} AS lsn)
  SELECT ${serverFactsSql(SERVER_FACTS)},
         server.lsn::text AS "serverLsn",
         pg_current_snapshot()::text AS "snapshot",
         ${HELD_XIDS_SQL} AS "heldXids",
         ${slotSql(quoteLiteral(goal.slot), 'server.lsn')} AS "slot",
         ${publicationStateSql(quoteLiteral(goal.publication))} AS "publication",
         ${skipMarksSql(goal.slot)} AS "skips"
    FROM server`
}
