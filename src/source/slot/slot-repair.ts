/**
 * Stage 5, source. What is done to slot and publication before the next attempt: nothing, the setup, or a fresh slot. Remembers what
 * failures asked for until it is done.
 */
import type { RowcastError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import type { DriverTarget } from '../../wire/driver-target.ts'
import { withDatabaseSession } from '../db/sql.ts'
import { toRowcastError } from '../db/sqlstate.ts'
import type { SlotState } from '../facts/slot-state.ts'
import { logLockWait } from '../setup/run-steps.ts'
import { runSetup } from '../setup/setup.ts'
import { isOfTables, type SetupGoal, type SetupStep } from '../setup/setup-plan.ts'
import { createSlot, dropSlot } from './slot-control.ts'
import { NO_REMEDY, type Remedy, remedyFor, type SlotLostPolicy } from './slot-remedy.ts'
import { isSpent, type SlotBudget } from './slot-verdict.ts'
import { readSourceFactsAt } from './standby-facts.ts'

export interface SlotRepairOptions {
  /** Ends with the worker. */
  readonly target: DriverTarget
  readonly goal: SetupGoal
  readonly logger: Logger
  readonly slotLostPolicy: SlotLostPolicy
  /** @default none */
  readonly slotBudget?: SlotBudget | null | undefined
  /** Set up before each attempt. */
  readonly isEnabledOnConnect: boolean
  /** Whether this process has streamed from the slot. */
  readonly hasStreamed: () => boolean
}

/** One per source. */
export class SlotRepair {
  readonly #options: SlotRepairOptions
  #isSlotToDrop = false
  /** What is wrong with the slot that is to be dropped can be seen by looking; not where the decoder alone says it. */
  #isVisible = true
  #isSlotToCreate = false
  /** The slot was let go because of the budget; a person decides when there is to be one again. */
  #released: RowcastError | null = null

  constructor(options: SlotRepairOptions) {
    this.#options = options
  }

  /** Whether the next attempt drops a slot or makes one. */
  get isDue(): boolean {
    return this.#isSlotToDrop || this.#isSlotToCreate
  }

  /** Why the slot is missing, where it was let go; any other error as it is. */
  causeOf(error: RowcastError): RowcastError {
    return error.code === 'SOURCE_SLOT_MISSING' ? (this.#released ?? error) : error
  }

  /** An attempt failed with it: what that asks for is done before the next one. */
  accept(failure: RowcastError): Remedy {
    const { slotLostPolicy, hasStreamed } = this.#options
    const isOurs = this.causeOf(failure) !== failure
    const remedy = isOurs ? NO_REMEDY : remedyFor(failure, slotLostPolicy, hasStreamed())
    if (remedy.isSlotToDrop) this.#isVisible = failure.code !== 'SOURCE_PUBLICATION_MISSING'
    this.#isSlotToDrop ||= remedy.isSlotToDrop
    this.#isSlotToCreate ||= remedy.isSlotToCreate
    if (failure.code === 'SOURCE_SLOT_OVER_BUDGET') this.#released = failure
    return remedy
  }

  /** A stream has begun: the slot is there. */
  begin(): void {
    this.#released = null
  }

  /** A person has set everything up: a slot that was to be dropped may be a new one. */
  forget(): void {
    this.#released = null
    this.#isSlotToDrop = false
  }

  /** Does what is due. @param walsenderPid our last one's, which may hold the slot for a moment */
  async run(walsenderPid: number): Promise<void> {
    const { target, goal, logger } = this.#options
    const isDropping = this.#isSlotToDrop
    // Not again when it fails because somebody else reads the slot: it is theirs then.
    this.#isSlotToDrop = false
    if (isDropping) await this.#drop(walsenderPid)
    if (this.#isSetUpDue()) await this.setUp(target).catch((error: RowcastError) => this.#goOnWithout(error))
    if (this.#isSlotToCreate) {
      const isMade = await createSlot(target, goal)
      if (isMade) logger.info('A fresh replication slot was made.', { slot: goal.slot })
    }
    this.#isSlotToCreate = false
  }

  /** Two processes may see the same fault, and the other may have made a fresh slot already: that one stays, and this process stands by. */
  #drop(readerPid: number): Promise<void> {
    const { target, goal, slotBudget = null } = this.#options
    const readSpent = async (): Promise<SlotState | null> => {
      const facts = await withDatabaseSession(target, (sql) =>
        readSourceFactsAt(target, (text) => sql.query(text), goal),
      )
      return isSpent(facts, goal, slotBudget) ? facts.slot : null
    }
    return dropSlot(target, {
      ...{ slot: goal.slot, readerPid },
      readSpent: this.#isVisible ? readSpent : undefined,
    })
  }

  /** Sets up at once. With the worker's own target it ends with the worker; whoever calls `enable()` may have stopped it before. */
  async setUp(at: DriverTarget): Promise<readonly SetupStep[]> {
    const { target, goal, logger } = this.#options
    try {
      const steps = await runSetup(at, goal, { onWait: logLockWait(logger), signal: at.waits?.signal })
      for (const step of steps) logger.info(`Set up: ${step.sql}`, { why: step.why })
      this.#isSlotToCreate = false
      return steps
    } catch (error) {
      throw toRowcastError(error, target)
    }
  }

  /** With `stop`, nothing in the database is changed once the slot has been in use. */
  #isSetUpDue(): boolean {
    const { isEnabledOnConnect, slotLostPolicy, hasStreamed } = this.#options
    const isUntouched = !hasStreamed() && this.#released === null
    return isEnabledOnConnect && (slotLostPolicy === 'recreate' || isUntouched)
  }

  /** Once this process has streamed, what is wrong with a table closes its model: the others go on. */
  #goOnWithout(error: RowcastError): void {
    if (!this.#options.hasStreamed() || !isOfTables(error)) throw error
    this.#options.logger.warn(error.message, { code: error.code })
  }
}
