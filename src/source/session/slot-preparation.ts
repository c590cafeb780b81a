/**
 * Stage 5, source. From a new connection to the moment before START_REPLICATION: looks at server, slot and
 * publication, stands by while somebody else reads the slot, and judges whether the stream can go on.
 */
import { Buffer } from 'node:buffer'
import { setTimeout as delay } from 'node:timers/promises'
import { RowcastError } from '../../errors.ts'
import type { DriverTarget } from '../../wire/driver-target.ts'
import { earlierLsn, LSN_ZERO, type Lsn } from '../../wire/lsn.ts'
import { quoteIdentifier } from '../../wire/quote.ts'
import type { ReplicationConnection, SystemIdentity } from '../../wire/replication-connection.ts'
import type { SlotState } from '../facts/slot-state.ts'
import { judgeStandbyIdentity } from '../facts/standby-verdict.ts'
import {
  type Continuity,
  isRewound,
  judgeContinuity,
  parseTimelineHistory,
  type StreamPast,
  type TimelineSwitch,
} from '../published/continuity.ts'
import { groupByModel } from '../published/published-tables.ts'
import { readWriters } from '../published/published-tables-sql.ts'
import type { Writers } from '../published/writers.ts'
import type { SetupGoal } from '../setup/setup-plan.ts'
import { isHeldByServer } from '../slot/budget-grace.ts'
import { slotInUse } from '../slot/slot-control.ts'
import { readSourceFacts, type SourceFacts } from '../slot/slot-facts.ts'
import { judgeBudget, judgeFacts, overBudget, type SlotBudget } from '../slot/slot-verdict.ts'
import { askPrimary, readSourceFactsAt } from '../slot/standby-facts.ts'
import type { PublicationStart } from '../watch/publication-guard-options.ts'
import type { KnownTables, RelayPast } from '../watch/session-relay.ts'

/** What it takes. */
export interface PrepareRequest {
  /** The database; with `standby`, the connection is one to that. @default the connection is one to the database */
  readonly target?: DriverTarget | undefined
  readonly goal: SetupGoal
  readonly past: StreamPast | null
  /** Asked instead, once the slot is free. */
  readonly readPast?: ((server: SystemIdentity) => Promise<RelayPast>) | undefined
  readonly budget: SlotBudget | null
  /** Whether the slot is to be synchronised to standbys. */
  readonly isFailover: boolean
  /** Somebody else reads the slot; called at each poll. */
  readonly onStandby: (error: RowcastError) => void
}

/** A stream that can begin. */
export interface PreparedStream {
  readonly identity: SystemIdentity
  readonly facts: SourceFacts
  readonly continuity: Continuity
  readonly slotConfirmedLsn: Lsn
  /** What whoever wrote up to the beginning knew there. */
  readonly known: PublicationStart['known']
  /** Who was writing to the models' tables right after the facts. */
  readonly writers: Writers
}

/** How often a process that stands by asks whether the slot is free. */
const STANDBY_POLL_MS = 500
const FAILOVER_VERSION_MIN = 170_000

/**
 * Prepares a stream on a connection that has not begun one.
 * @throws SOURCE_SLOT_…, SOURCE_PUBLICATION_…, SOURCE_STANDBY_SERVER, SOURCE_FAILOVER_UNSUPPORTED, or what the driver throws
 */
export async function prepareStream(
  connection: ReplicationConnection,
  request: PrepareRequest,
): Promise<PreparedStream> {
  const { facts, slot } = await awaitSlot(connection, request)
  const { budget } = request
  if (budget !== null && judgeBudget(slot, budget) === 'full' && !isHeldByServer(slot, budget))
    throw overBudget(slot, budget, request.goal)
  if (request.isFailover && !slot.isFailover) await makeFailover(connection, facts, request.goal)
  const { target } = request
  const found = await askPrimary(target, connection.query, (query) => readWriters(query, tablesOf(facts)))
  const identity = await connection.identify()
  const mismatch = facts.standby === undefined ? null : judgeStandbyIdentity(facts.standby, identity)
  if (mismatch !== null) throw mismatch
  // What is not flushed yet comes with this stream. Of a standby, what is flushed may be less than what shows who is over.
  const lsn = facts.isInRecovery ? found.lsn : earlierLsn(found.lsn, identity.flushedLsn)
  const slotConfirmedLsn = slot.confirmedLsn ?? LSN_ZERO
  const relayed = (await request.readPast?.(identity)) ?? null
  const past = relayed === null ? request.past : relayed.past
  const history = await readHistory(connection, past, identity)
  const continuity = judgeContinuity(past, { ...identity, slotConfirmedLsn, history })
  if (isStillReplaying(continuity, facts, past, identity))
    throw new RowcastError('SOURCE_STANDBY_BEHIND', 'The standby has not replayed what it has sent before.')
  const known = relayed === null ? 'own' : knownAt(continuity, relayed)
  return { identity, facts, continuity, slotConfirmedLsn, known, writers: { ...found, lsn } }
}

/** What is published now says nothing of what was where an earlier stretch begins once more: barriers in between may be of a timeline that was given up. */
function knownAt(continuity: Continuity, { past, known }: RelayPast): KnownTables | null {
  return past === null || isRewound(continuity, past.safeLsn) ? null : known
}

/** Whether a standby that was started again is still to come to where it was: it can be asked before. */
function isStillReplaying(
  continuity: Continuity,
  { isInRecovery, standby, serverLsn }: SourceFacts,
  past: StreamPast | null,
  { timeline }: SystemIdentity,
): boolean {
  if (continuity.kind !== 'gap' || continuity.reason !== 'server-behind' || !isInRecovery) return false
  // A primary that was restored has not come as far either.
  return past?.timeline === timeline && (standby === undefined || serverLsn > past.deliveredLsn)
}

function tablesOf({ modelTables }: SourceFacts): ReadonlyMap<string, readonly number[]> {
  const models = groupByModel(modelTables)
  return new Map([...models].map(([model, tables]) => [model, (tables ?? []).map(({ oid }) => oid)]))
}

async function awaitSlot(
  connection: ReplicationConnection,
  request: PrepareRequest,
): Promise<{ facts: SourceFacts; slot: SlotState }> {
  for (;;) {
    const facts = await readFacts(connection, request)
    const verdict = judgeFacts(facts, request.goal)
    if (verdict !== null) throw verdict
    const { slot } = facts
    if (slot === null) throw new RowcastError('BUG', 'A slot that does not exist was not judged missing.')
    if (slot.activePid === null) return { facts, slot }
    request.onStandby(slotInUse(request.goal.slot, slot.activePid, slot.activeName))
    const end = await Promise.race([delay(STANDBY_POLL_MS, 'due' as const), connection.closed])
    if (end !== 'due')
      throw end ?? new RowcastError('WIRE_CONNECTION_LOST', 'The connection was closed while standing by.')
  }
}

function readFacts({ query }: ReplicationConnection, { target, goal }: PrepareRequest): Promise<SourceFacts> {
  if (target?.standby === undefined) return readSourceFacts(query, goal)
  return askPrimary(target, query, (ask) => readSourceFactsAt(target, ask, goal, query))
}

async function makeFailover(
  connection: ReplicationConnection,
  facts: SourceFacts,
  goal: SetupGoal,
): Promise<void> {
  if (facts.serverVersion < FAILOVER_VERSION_MIN) {
    throw new RowcastError('SOURCE_FAILOVER_UNSUPPORTED', `The server has version ${facts.serverVersion}.`)
  }
  await connection.query(`ALTER_REPLICATION_SLOT ${quoteIdentifier(goal.slot)} (FAILOVER true)`)
}

/** The ancestors of the server's timeline, where it is not the one we know. */
async function readHistory(
  connection: ReplicationConnection,
  past: StreamPast | null,
  identity: SystemIdentity,
): Promise<readonly TimelineSwitch[]> {
  const isKnown = past === null || past.systemId !== identity.systemId || past.timeline === identity.timeline
  if (isKnown || identity.timeline === 1) return []
  const [file] = await connection
    .query<{ content: string | Buffer }>(`TIMELINE_HISTORY ${identity.timeline}`)
    // A restored server need not have it; without it no timeline is known to be ours.
    .catch(() => [])
  if (file === undefined) return []
  return parseTimelineHistory(
    Buffer.isBuffer(file.content) ? file.content.toString('utf8') : String(file.content),
  )
}
