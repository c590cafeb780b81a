/**
 * Stage 5, source. What the facts about slot and publication forbid, each with its hint. Pure; asked before each
 * stream and by the watch while it lasts.
 */
import { RowcastError } from '../../errors.ts'
import { quoteIdentifier, quoteLiteral } from '../../wire/quote.ts'
import type { SlotState } from '../facts/slot-state.ts'
import { judgeStandby, judgeStandbyDrift } from '../facts/standby-verdict.ts'
import type { SetupGoal } from '../setup/setup-plan.ts'
import type { SourceFacts } from './slot-facts.ts'

/** The first thing in the way of streaming; null: nothing. A slot that another process reads is not judged here. */
export function judgeFacts(facts: SourceFacts, goal: SetupGoal): RowcastError | null {
  return judgeSlot(facts, goal) ?? judgePublication(facts, goal)
}

/** How much WAL the slot may keep. */
export interface SlotBudget {
  readonly bytes: number
}

/** `half`: worth a warning. `full`: the slot is to be released. */
export function judgeBudget(slot: SlotState | null, budget: SlotBudget | null): 'within' | 'half' | 'full' {
  if (slot?.retainedBytes == null || budget === null) return 'within'
  if (slot.retainedBytes > budget.bytes) return 'full'
  return slot.retainedBytes > budget.bytes / 2 ? 'half' : 'within'
}

/** Whether the slot is one to drop: PostgreSQL has given it up, or it holds more than the budget. */
export function isSpent(facts: SourceFacts, goal: SetupGoal, budget: SlotBudget | null): boolean {
  return (
    judgeFacts(facts, goal)?.code === 'SOURCE_SLOT_INVALIDATED' || judgeBudget(facts.slot, budget) === 'full'
  )
}

/** The error that says so. */
export function overBudget(slot: SlotState, budget: SlotBudget, goal: SetupGoal): RowcastError {
  return new RowcastError(
    'SOURCE_SLOT_OVER_BUDGET',
    `Slot "${goal.slot}" holds ${slot.retainedBytes} bytes of WAL, more than the budget of ${budget.bytes}; it is dropped.`,
    { details: { retainedBytes: slot.retainedBytes, budgetBytes: budget.bytes } },
  )
}

/** Changes wait in PostgreSQL and do not come, although the connection is alive. */
export function stalled(goal: SetupGoal, stalledMs: number): RowcastError {
  const seconds = Math.round(stalledMs / 1_000)
  return new RowcastError(
    'SOURCE_STALLED',
    `WAL has been waiting for ${seconds} seconds, and slot "${goal.slot}" does not move.`,
    { details: { stalledSeconds: seconds } },
  )
}

function judgeSlot(facts: SourceFacts, goal: SetupGoal): RowcastError | null {
  const { slot } = facts
  const name = `Slot "${goal.slot}"`
  const ofStandby = facts.standby === undefined ? null : judgeStandby(facts.standby)
  if (ofStandby !== null) return ofStandby
  const isAlone = facts.isAlone ?? facts.isInRecovery
  if (facts.isInRecovery && (slot === null ? isAlone : slot.isSynced)) {
    const copy = slot === null ? `there is no slot "${goal.slot}"` : `slot "${goal.slot}" is a copy`
    return new RowcastError('SOURCE_STANDBY_SERVER', `The server is a standby, and ${copy}.`)
  }
  if (slot === null) {
    return new RowcastError('SOURCE_SLOT_MISSING', `There is no replication slot "${goal.slot}".`)
  }
  const mismatch = slotMismatch(slot, facts.database)
  if (mismatch !== null) return new RowcastError('SOURCE_SLOT_MISMATCH', `${name} ${mismatch}.`)
  if (slot.walStatus === 'lost' || slot.invalidationReason !== null) return slotLost(slot, goal, isAlone)
  return null
}

function slotMismatch(slot: SlotState, database: string): string | null {
  if (slot.slotType !== 'logical') return 'is a physical slot'
  if (slot.plugin !== 'pgoutput') return `uses the output plugin ${slot.plugin}, not pgoutput`
  if (slot.database !== database) return `belongs to database ${slot.database}, not ${database}`
  return null
}

/** What to change so that it does not happen again, by PostgreSQL's `invalidation_reason`. */
const LOST_HINTS: Readonly<Record<string, string>> = {
  wal_removed: 'raise max_slot_wal_keep_size, or look for what keeps rowcast from reading',
  idle_timeout: 'raise idle_replication_slot_timeout above the longest time rowcast is away',
  rows_removed: 'set hot_standby_feedback = on at the standby',
  wal_level_insufficient: "set wal_level = 'logical' at the primary",
  recovery_conflict: "set hot_standby_feedback = on at the standby, and wal_level = 'logical' at the primary",
}

function slotLost(slot: SlotState, goal: SetupGoal, isAlone: boolean): RowcastError {
  const reason = slot.invalidationReason ?? 'wal_removed'
  const prevention = LOST_HINTS[reason] ?? "look the reason up in PostgreSQL's manual, pg_replication_slots"
  const name = quoteLiteral(goal.slot)
  const fresh = isAlone
    ? `SELECT pg_create_logical_replication_slot(${name}, 'pgoutput'); at the standby`
    : 'call rowcast.enable()'
  return new RowcastError(
    'SOURCE_SLOT_INVALIDATED',
    `PostgreSQL has given up slot "${goal.slot}" (${reason}).`,
    {
      hint: `Run SELECT pg_drop_replication_slot(${name}); and ${fresh}. Then ${prevention}.`,
      details: { invalidationReason: reason, isOnStandby: isAlone },
    },
  )
}

function judgePublication(facts: SourceFacts, goal: SetupGoal): RowcastError | null {
  if (facts.publication === null) {
    return new RowcastError('SOURCE_PUBLICATION_MISSING', `There is no publication "${goal.publication}".`)
  }
  // A part of the tables is the affair of their models: see model-tables.ts.
  if (facts.unpublished.length < goal.tables.length) return null
  const models = facts.unpublished.map((one) => one.model).join(', ')
  const tables = facts.unpublished.map((one) => one.table).join(', ')
  return new RowcastError(
    'SOURCE_PUBLICATION_INCOMPLETE',
    `Publication "${goal.publication}" leaves out ${tables} (${models}).`,
    {
      hint: `Call rowcast.enable(), or run ALTER PUBLICATION ${quoteIdentifier(goal.publication)} ADD TABLE … for each.`,
      details: { models },
    },
  )
}

/**
 * What has changed since the stream began in a way that PostgreSQL does not report: from version 18 on it skips
 * the changes of a publication that is gone with a warning only.
 */
export function judgeDrift(before: SourceFacts, now: SourceFacts, goal: SetupGoal): RowcastError | null {
  const ofStandby = before.standby && now.standby && judgeStandbyDrift(before.standby, now.standby)
  if (ofStandby != null) return ofStandby
  const [was, is] = [before.publication, now.publication]
  if (was === null || is === null) return null
  if (was.oid !== is.oid) {
    return new RowcastError(
      'SOURCE_PUBLICATION_MISSING',
      `Publication "${goal.publication}" was dropped and recreated while changes were streamed.`,
      { hint: 'Nothing: the stream begins again. Use ALTER PUBLICATION to change one.' },
    )
  }
  if ([...was.actions].some((action) => !is.actions.includes(action))) {
    return new RowcastError(
      'SOURCE_PUBLICATION_INCOMPLETE',
      `Publication "${goal.publication}" no longer publishes every action.`,
      {
        hint: `Call rowcast.enable(), or run ALTER PUBLICATION ${quoteIdentifier(goal.publication)} SET (publish = 'insert, update, delete, truncate');`,
      },
    )
  }
  return null
}
