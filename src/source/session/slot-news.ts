/** Stage 5, source. What is logged of the slot as it is looked at again and again: each thing once, until it changes. */
import type { Logger } from '../../logger.ts'
import type { SourceFacts } from '../slot/slot-facts.ts'
import { judgeBudget, type SlotBudget } from '../slot/slot-verdict.ts'
import { type SlotHealth, toSlotHealth } from './source-status.ts'

/** Whose slot it is, and what it may hold. */
export interface SlotNewsOptions {
  readonly slot: string
  readonly budget: SlotBudget | null
  readonly logger: Logger
}

/** Looks at facts as they come. */
export class SlotNews {
  readonly #options: SlotNewsOptions
  #isBudgetWarned = false
  #isLimitHinted = false

  constructor(options: SlotNewsOptions) {
    this.#options = options
  }

  /** Logs what is new of them; how the slot is. */
  note({ slot, isSlotWalLimited }: SourceFacts): SlotHealth | null {
    const { budget, logger } = this.#options
    const usage = judgeBudget(slot, budget)
    if (usage === 'half' && !this.#isBudgetWarned) {
      logger.warn('The slot holds more than half of the WAL that it may.', {
        slot: this.#options.slot,
        retainedBytes: slot?.retainedBytes,
        restartBytes: slot?.restartBytes,
        budgetBytes: budget?.bytes,
      })
    }
    this.#isBudgetWarned = usage !== 'within'
    if (!isSlotWalLimited && !this.#isLimitHinted) {
      this.#isLimitHinted = true
      logger.info(
        "PostgreSQL keeps WAL without a limit for a slot that nobody reads. To bound it: ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf();",
        { slot: this.#options.slot },
      )
    }
    return toSlotHealth(slot, budget?.bytes ?? null)
  }
}
