/**
 * Stage 5, source. When a slot over its budget is let go. What the reader has not confirmed is ours; what lies before that
 * PostgreSQL holds by itself, until a record of running transactions has been decoded (written every 15 s, or when asked
 * for) and while a transaction is open. That part is given the time to go. Pure.
 * Source: LogicalIncreaseRestartDecodingForSlot in logical.c; LOG_SNAPSHOT_INTERVAL_MS in bgwriter.c.
 */
import type { SlotState } from '../facts/slot-state.ts'
import { judgeBudget, type SlotBudget } from './slot-verdict.ts'

/** Looks after which a record that we asked for has been decoded. */
const LOOKS_MAX = 3
/** The same for one that PostgreSQL writes by itself. */
const GRACE_MS = 20_000
/** However soon it would go: the disk comes first. */
const BUDGET_FACTOR_MAX = 2

/** Whether the budget is exceeded only by what PostgreSQL holds before the confirmed position. */
export function isHeldByServer(slot: SlotState, budget: SlotBudget): boolean {
  const { retainedBytes, restartBytes } = slot
  if (retainedBytes === null || restartBytes === null) return false
  return retainedBytes - restartBytes <= budget.bytes && retainedBytes <= budget.bytes * BUDGET_FACTOR_MAX
}

/** One per source. */
export class BudgetGrace {
  #looks = 0
  #sinceMs = 0

  /** A look; true where the slot is to be let go. `maySnapshot`: the record was asked for. */
  isOver(slot: SlotState, budget: SlotBudget | null, maySnapshot: boolean, nowMs: number): boolean {
    if (budget === null || judgeBudget(slot, budget) !== 'full') {
      this.#looks = 0
      return false
    }
    if (this.#looks === 0) this.#sinceMs = nowMs
    this.#looks += 1
    if (!isHeldByServer(slot, budget)) return true
    return maySnapshot ? this.#looks > LOOKS_MAX : nowMs - this.#sinceMs >= GRACE_MS
  }
}
