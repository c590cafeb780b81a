/**
 * Stage 5, source. What is done to slot and publication before the next attempt: nothing, the setup, or a fresh slot. Remembers what
 * failures asked for until it is done.
 */
import type { RowcastError } from '../../errors.ts'
import type { Logger } from '../../logger.ts'
import type { DriverTarget } from '../../wire/driver-target.ts'
import { toRowcastError } from '../db/sqlstate.ts'
import { logLockWait } from '../setup/run-steps.ts'
import { runSetup } from '../setup/setup.ts'
import { isOfTables, type SetupGoal, type SetupStep } from '../setup/setup-plan.ts'
import { createSlot, dropSlot } from './slot-control.ts'
import { NO_REMEDY, type Remedy, remedyFor, type SlotLostPolicy } from './slot-remedy.ts'

export interface SlotRepairOptions {
  /** Ends with the worker. */
  readonly target: DriverTarget
  readonly goal: SetupGoal
  readonly logger: Logger
  readonly slotLostPolicy: SlotLostPolicy
  /** Set up before each attempt. */
  readonly isEnabledOnConnect: boolean
  /** Whether this process has streamed from the slot. */
  readonly hasStreamed: () => boolean
}

/** One per source. */
export class SlotRepair {
  readonly #options: SlotRepairOptions
  #isSlotToDrop = false
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
  take(failure: RowcastError): Remedy {
    const { slotLostPolicy, hasStreamed } = this.#options
    const isOurs = this.causeOf(failure) !== failure
    const remedy = isOurs ? NO_REMEDY : remedyFor(failure, slotLostPolicy, hasStreamed())
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
    if (isDropping) await dropSlot(target, goal.slot, walsenderPid)
    if (this.#isSetUpDue()) await this.setUp(target).catch((error: RowcastError) => this.#goOnWithout(error))
    if (this.#isSlotToCreate) {
      await createSlot(target, goal)
      logger.info('A fresh replication slot was made.', { slot: goal.slot })
    }
    this.#isSlotToCreate = false
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
