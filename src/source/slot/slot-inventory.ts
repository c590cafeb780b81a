/**
 * Stage 5, source. All slots of the server that are rowcast's, those of other deployments and databases too: a slot that a
 * renamed deployment left behind holds WAL for nobody. And what drops one. Source: PostgreSQL manual, "pg_replication_slots".
 */
import { RowcastError } from '../../errors.ts'
import { type DriverTarget, serverOfSlot } from '../../wire/driver-target.ts'
import { withDatabaseSession } from '../db/sql.ts'
import { sqlstateOf } from '../db/sqlstate.ts'
import { defaultSlot } from '../facts/default-slot.ts'
import { SERVER_LSN_SQL, type ServerFacts, serverFactsSql } from '../facts/server-facts.ts'
import { skipMarkPrefix } from '../setup/skip-marks.ts'
import { slotInUse } from './slot-control.ts'

/** How a slot is known to be rowcast's, or that it is not. */
export type SlotOrigin =
  /** The one that the config at hand names. */
  | 'project'
  /** That name at the primary, where a standby has the slot by now. */
  | 'moved'
  /** The name that a deployment's slot has by default, of its database. */
  | 'default'
  /** A process of rowcast reads it. */
  | 'reader'
  /** A name that begins as rowcast's do, of no database that there is: the database or the deployment was renamed. */
  | 'name'
  /** `rowcast skip` made it, beside a slot. */
  | 'mark'
  /** A temporary one of `rowcast tail` or `record`. */
  | 'look'
  /** Nothing says that it is rowcast's: a subscription of PostgreSQL has such a slot, and so has a deployment with a name of its own. */
  | 'unknown'

/** One slot. */
export interface InventorySlot {
  readonly name: string
  /** Null for a physical slot. */
  readonly database: string | null
  readonly origin: SlotOrigin
  /** The slot whose transaction a mark passes over, where it is there. */
  readonly markOf: string | null
  readonly isTemporary: boolean
  readonly activePid: number | null
  /** application_name of who reads it, where our role may see it. */
  readonly reader: string | null
  /** WAL that PostgreSQL keeps because of it; 0 for one that it has given up, and for one that has never asked for any. */
  readonly heldBytes: number
  /** 'reserved', 'extended', 'unreserved' or 'lost'. */
  readonly walStatus: string | null
  /** PostgreSQL 17+. */
  readonly invalidationReason: string | null
  /** Since when nobody reads it, ISO 8601; PostgreSQL 17+. */
  readonly inactiveSince: string | null
  /** PostgreSQL 17+: a standby's copy of its primary's slot. */
  readonly isSynced: boolean
  /** Whether the server of `replicationUrl` has it, and not that of the database address. */
  readonly isOnStandby: boolean
}

/** As the catalog has it; columns that a version lacks are absent from `more`. */
export interface InventoryRow {
  readonly name: string
  readonly plugin: string | null
  readonly slotType: string
  readonly database: string | null
  readonly isTemporary: boolean
  readonly activePid: number | null
  readonly reader: string | null
  /** WAL since its restart position; null where it has none. */
  readonly restartBytes: number | null
  readonly walStatus: string | null
  readonly more: Readonly<Record<string, string | boolean | null>>
}

const INVENTORY_SQL = `
  WITH server AS (SELECT ${SERVER_LSN_SQL} AS lsn)
  SELECT s.slot_name::text AS "name", s.plugin::text AS "plugin", s.slot_type AS "slotType", s.database::text AS "database",
         s.temporary AS "isTemporary", s.active_pid AS "activePid", a.application_name AS "reader",
         pg_wal_lsn_diff(server.lsn, s.restart_lsn)::float8 AS "restartBytes", s.wal_status AS "walStatus", to_jsonb(s) AS "more"
    FROM server, pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid
   ORDER BY s.database NULLS LAST, s.slot_name`

const LOOK = /^rowcast_look_[0-9a-f]{12}$/
const MARK = /^rowcast_skip_[0-9a-f]{8}_[0-9a-f]{16}$/
/** As default-slot.ts and people name them. */
const NAMED = /^rowcast(_|$)/

/**
 * All that are rowcast's, and those of unknown origin that `project`'s database has; of the standby that has the slot as well. `project` is
 * the slot of the config at hand.
 */
export async function readSlotInventory(
  target: DriverTarget,
  project: string,
): Promise<readonly InventorySlot[]> {
  const hasStandby = target.standby !== undefined
  const ofDatabase = await readAt(target, { project, isMoved: hasStandby, isOnStandby: false })
  if (!hasStandby) return ofDatabase
  const ofStandby = await readAt(serverOfSlot(target), { project, isMoved: false, isOnStandby: true })
  return [...ofStandby, ...ofDatabase]
}

function readAt(
  target: DriverTarget,
  about: Omit<InventoryOwner, 'database'>,
): Promise<readonly InventorySlot[]> {
  return withDatabaseSession(target, async (sql) => {
    const [own] = await sql.query<Pick<ServerFacts, 'database'>>(`SELECT ${serverFactsSql(['database'])}`)
    const rows = await sql.query<InventoryRow>(INVENTORY_SQL)
    return rows
      .map((row) => toInventorySlot(row, rows, { ...about, database: own?.database ?? '' }))
      .filter(({ origin, database }) => origin !== 'unknown' || database === own?.database)
  })
}

/** Whose the slots are held against. */
export interface InventoryOwner {
  /** The slot of the config at hand. */
  readonly project: string
  readonly database: string
  /** Another server has that slot. @default false */
  readonly isMoved?: boolean | undefined
  /** @default false */
  readonly isOnStandby?: boolean | undefined
}

/** One slot, by the rows of `all`. Source: ReplicationSlotsComputeRequiredLSN, which leaves out what was given up. Pure. */
export function toInventorySlot(
  row: InventoryRow,
  all: readonly InventoryRow[],
  own: InventoryOwner,
): InventorySlot {
  const { plugin: _plugin, slotType: _slotType, restartBytes, more, ...plain } = row
  const text = (name: string) => (typeof more[name] === 'string' ? more[name] : null)
  const invalidationReason = text('invalidation_reason')
  const isGivenUp = row.walStatus === 'lost' || invalidationReason !== null
  const isMark = row.slotType === 'physical' && MARK.test(row.name)
  return {
    ...plain,
    heldBytes: isGivenUp ? 0 : (restartBytes ?? 0),
    origin: isMark ? 'mark' : originOf(row, own),
    markOf: isMark
      ? (all.find(({ name }) => row.name.startsWith(skipMarkPrefix(name)) && name !== row.name)?.name ?? null)
      : null,
    invalidationReason,
    inactiveSince: text('inactive_since'),
    isSynced: more['synced'] === true,
    isOnStandby: own.isOnStandby === true,
  }
}

function originOf(
  { name, plugin, database, isTemporary, reader }: InventoryRow,
  own: InventoryOwner,
): SlotOrigin {
  if (plugin !== 'pgoutput' || database === null) return 'unknown'
  if (name === own.project && database === own.database) return own.isMoved === true ? 'moved' : 'project'
  if (isTemporary && LOOK.test(name)) return 'look'
  if (name === defaultSlot(database)) return 'default'
  if (reader === `rowcast: ${name}`) return 'reader'
  return NAMED.test(name) ? 'name' : 'unknown'
}

/** Whether nobody reads it who may come back: neither this project's own nor one that goes by itself. */
export function isLeftBehind({ origin, activePid, markOf, isSynced }: InventorySlot): boolean {
  if (activePid !== null || isSynced) return false
  return origin === 'mark' ? markOf === null : LEFT_ORIGINS.has(origin)
}

const LEFT_ORIGINS: ReadonlySet<SlotOrigin> = new Set(['default', 'name', 'moved'])

/** What is to be dropped. */
export interface SlotDrop {
  readonly name: string
  /** The slot of the config at hand, which only `disable` takes away. */
  readonly project: string
  /** Whether one may go of which nothing says that it is rowcast's. @default false */
  readonly isForeign?: boolean | undefined
}

/**
 * Drops a slot that nobody reads; one that somebody has begun to read since is refused by PostgreSQL, and one that another database has
 * made under the name is not found.
 * @throws CLI_BAD_OPTION where there is none, or it is not ours to drop; SOURCE_SLOT_IN_USE, SOURCE_PERMISSION_DENIED
 */
export async function dropFromInventory(target: DriverTarget, drop: SlotDrop): Promise<InventorySlot> {
  const { name } = drop
  const slots = await readSlotInventory(target, drop.project)
  const named = slots.filter((slot) => slot.name === name)
  // Of two servers, one may have it for this project, and the other from before.
  const found = named.find((slot) => refusalOf(slot, drop) === null) ?? named[0]
  const refusal = found === undefined ? noSuchSlot(name) : refusalOf(found, drop)
  if (refusal !== null || found === undefined) throw refusal ?? noSuchSlot(name)
  const server = found.isOnStandby ? serverOfSlot(target) : target
  const dropped = await withDatabaseSession(server, (sql) =>
    sql
      .query(
        `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
          WHERE slot_name = $1 AND database IS NOT DISTINCT FROM $2::name`,
        [name, found.database],
      )
      .catch((error: unknown) => {
        throw sqlstateOf(error) === OBJECT_IN_USE ? inUse(name, null, null) : error
      }),
  )
  if (dropped.length === 0) throw noSuchSlot(name)
  return found
}

const OBJECT_IN_USE = '55006'

/** Why it stays; null: it may go. Pure. */
export function refusalOf(slot: InventorySlot, { isForeign = false }: SlotDrop): RowcastError | null {
  const { name, origin, database } = slot
  if (slot.activePid !== null) return inUse(name, slot.activePid, slot.reader)
  if (slot.isSynced)
    return refused(`Slot "${name}" is this standby's copy of its primary's.`, 'Drop it at the primary.')
  if (origin === 'project')
    return refused(
      `Slot "${name}" is the one that this project reads.`,
      'To take it away with all that belongs to it: rowcast disable.',
    )
  if (origin !== 'unknown' || isForeign) return null
  return refused(
    `Nothing says that slot "${name}" of database ${database} is rowcast's: it has a name of its own, and nobody reads it. It may be of a subscription of PostgreSQL, or of another program.`,
    'Where it is known to be left behind, add --foreign.',
  )
}

function inUse(slot: string, pid: number | null, reader: string | null): RowcastError {
  if (pid === null) return new RowcastError('SOURCE_SLOT_IN_USE', `Somebody reads slot "${slot}".`)
  const { happened, details } = slotInUse(slot, pid, reader)
  return new RowcastError('SOURCE_SLOT_IN_USE', happened, {
    hint: `Stop who reads it, and ask again; a slot that is read is not dropped.`,
    details,
  })
}

const noSuchSlot = (name: string) =>
  refused(`There is no slot "${name}" here that could be rowcast's.`, 'rowcast slots lists them.')

function refused(happened: string, hint: string): RowcastError {
  return new RowcastError('CLI_BAD_OPTION', happened, { hint })
}
