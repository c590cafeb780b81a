/**
 * Stage 5, source. Looks after replica identities while changes flow. A new partition gets FULL where the role may, and an
 * identity that makes PostgreSQL refuse the application's own statements is set back; the rest is said. Each look of the
 * watch is one try, because its lock is asked for in milliseconds.
 */
import { isRowcastError, type RowcastError } from '../../errors.ts'
import type { Guard } from '../../guard.ts'
import type { Logger } from '../../logger.ts'
import type { DriverTarget } from '../../wire/driver-target.ts'
import { withDatabaseSession } from '../db/sql.ts'
import { toRowcastError } from '../db/sqlstate.ts'
import { type DatabaseFacts, readDatabaseFacts } from '../facts/database-facts.ts'
import { fullStep, identityOf, newPartitions } from '../setup/identity-plan.ts'
import { rescueSteps } from '../setup/identity-rescue.ts'
import { runSteps } from '../setup/run-steps.ts'
import { underSetupLock } from '../setup/setup.ts'
import type { SetupGoal, SetupStep } from '../setup/setup-goal.ts'
import { memorySteps } from '../setup/setup-memory.ts'
import { generatedColumnSteps } from '../setup/setup-plan.ts'
import { type IdentityFault, identityError, readIdentityFaults } from '../setup/table-identities.ts'

/** What a keeper needs. */
export interface IdentityKeeperOptions {
  readonly target: DriverTarget
  readonly goal: SetupGoal
  readonly logger: Logger
  readonly guard: Guard
  /** Between two looks of the watch. */
  readonly watchIntervalMs: number
  /**
   * Any ALTER TABLE, DROP INDEX or CREATE PUBLICATION can make PostgreSQL refuse UPDATE and DELETE of a table: identities are
   * looked at so often, between the looks of the watch. @default 1_000 // 1 s
   */
  readonly glanceIntervalMs?: number | undefined
}

/** What can be repaired while changes flow. Pure. */
export function repairSteps(facts: DatabaseFacts, goal: SetupGoal): readonly SetupStep[] {
  const partitions = newPartitions(facts, goal)
  const isOwned = facts.publication?.isOwned === true
  return [
    ...rescueSteps(facts, goal),
    ...(isOwned ? generatedColumnSteps(facts, goal) : []),
    ...memorySteps(facts, goal, {
      identities: partitions.map(identityOf),
      added: [],
      areOptionsChanged: false,
    }),
    ...partitions.map(fullStep),
  ]
}

/** Of so many looks at what cannot be repaired, one tries. */
const HOPELESS_LOOKS = 30

/** One for each source. */
export class IdentityKeeper {
  readonly #options: IdentityKeeperOptions
  #faults: ReadonlyMap<string, RowcastError> = new Map()
  /** Ends the repair that is under way; null while there is none. */
  #repairing: AbortController | null = null
  /** What could not be repaired the last time, and how many looks ago that was. */
  #hopeless = { faults: '', looks: 0 }
  #timer: NodeJS.Timeout | null = null
  /** Ends the glance that is under way. */
  #glancing: AbortController | null = null

  constructor(options: IdentityKeeperOptions) {
    this.#options = options
  }

  /** What is amiss, as of the last look. */
  get faults(): readonly RowcastError[] {
    return [...this.#faults.values()]
  }

  /** Takes a look at the catalog. */
  look(found: readonly IdentityFault[]): void {
    const { logger } = this.#options
    const faults = new Map(
      found.map((fault) => {
        const error = identityError(fault)
        return [error.message, error] as const
      }),
    )
    for (const [message, error] of faults) {
      if (this.#faults.has(message)) continue
      const { code, hint } = error
      logger[code === 'SOURCE_IDENTITY_NOT_FULL' ? 'warn' : 'error'](message, {
        code,
        hint,
      })
    }
    for (const message of this.#faults.keys()) {
      if (!faults.has(message))
        logger.info('Repaired: a replica identity is as it should be.', { was: message })
    }
    this.#faults = faults
    if (faults.size > 0 && this.#isWorthTrying())
      this.#options.guard.run('repair replica identities', () => this.#repair())
  }

  /** A stream begins. */
  begin(serverVersion: number): void {
    const { guard, watchIntervalMs, glanceIntervalMs = 1_000 } = this.#options
    this.stop()
    if (watchIntervalMs <= glanceIntervalMs) return
    const glance = guard.wrap('look at replica identities', () => this.#glance(serverVersion))
    this.#timer = setInterval(glance, glanceIntervalMs)
    this.#timer.unref()
  }

  /** The stream is over: nothing is altered from now on. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#glancing?.abort()
    this.#glancing = null
    this.#repairing?.abort()
  }

  /** One at a time, on a connection of its own. */
  async #glance(serverVersion: number): Promise<void> {
    if (this.#glancing !== null || this.#repairing !== null) return
    const mine = new AbortController()
    this.#glancing = mine
    const { target, goal } = this.#options
    try {
      const found = await withDatabaseSession(
        target,
        (sql) => readIdentityFaults((text) => sql.query(text), goal, serverVersion),
        { applicationName: `rowcast watch: ${goal.slot}`, signal: mine.signal },
      )
        // The watch reports a database that cannot be asked.
        .catch(() => null)
      if (found !== null && this.#glancing === mine) this.look(found)
    } finally {
      if (this.#glancing === mine) this.#glancing = null
    }
  }

  /** What there is no right to repair is looked at now and then: the right may come. */
  #isWorthTrying(): boolean {
    const isKnown = this.#hopeless.faults === this.#signature
    this.#hopeless.looks += 1
    return !isKnown || this.#hopeless.looks % HOPELESS_LOOKS === 0
  }

  get #signature(): string {
    return [...this.#faults.keys()].join('\n')
  }

  async #repair(): Promise<void> {
    if (this.#repairing !== null) return
    const repairing = new AbortController()
    this.#repairing = repairing
    const { target, goal, logger } = this.#options
    const signature = this.#signature
    try {
      await underSetupLock(target, async () => {
        const facts = await withDatabaseSession(target, (sql) =>
          sql.transaction((each) => readDatabaseFacts(each, goal.tables, goal.publication, goal.slot)),
        )
        // One after the other, so that a busy table does not keep the others waiting.
        const steps = repairSteps(facts, goal)
        this.#hopeless = { faults: steps.length === 0 ? signature : '', looks: 0 }
        for (const step of steps) if (!repairing.signal.aborted) await this.#tryStep(step)
      })
    } catch (error) {
      const { code, message } = toRowcastError(error, target)
      logger.debug(`Replica identities could not be looked after. ${message}`, { code })
    } finally {
      this.#repairing = null
    }
  }

  async #tryStep(step: SetupStep): Promise<void> {
    const { target, logger } = this.#options
    try {
      await runSteps(target, [step], { pausesMs: [] })
      logger.info(`Set up: ${step.sql}`, { why: step.why })
    } catch (error) {
      if (!isRowcastError(error, 'SOURCE_LOCK_TIMEOUT')) throw error
      logger.info(`Not yet: ${error.message}`, { code: error.code })
    }
  }
}
