/**
 * Stage 5, source. Looks at slot and publication now and then while changes flow: what PostgreSQL does not tell a
 * stream has to be asked for. Each look is one short-lived connection; between two there is none.
 */
import type { Logger } from '../log.ts'
import type { ConnectionTarget } from '../wire/connection-target.ts'
import { HEARTBEAT_SQL, isHeartbeatDue, type SlotReading } from './heartbeat.ts'
import type { SetupGoal } from './setup-plan.ts'
import { readSourceFacts, type SourceFacts } from './slot-facts.ts'
import { withDatabaseSession } from './sql.ts'
import { toRowcastError } from './sqlstate.ts'

/** What a watch needs. */
export interface SlotWatchOptions {
  readonly target: ConnectionTarget
  readonly goal: SetupGoal
  readonly intervalMs: number
  readonly answerTimeoutMs: number
  readonly logger: Logger
  /** Takes what was seen; returns the slot's reading, or null when the stream it belongs to is another one. */
  readonly onFacts: (facts: SourceFacts) => SlotReading | null
}

/** A watch; it looks while started. */
export interface SlotWatch {
  start(): void
  /** Looks now, out of turn. */
  look(): void
  stop(): void
}

/** Creates a watch; it does nothing until `start()`. */
export function createSlotWatch(options: SlotWatchOptions): SlotWatch {
  const { target, goal, logger } = options
  let timer: NodeJS.Timeout | null = null
  let isLooking = false
  let before: SlotReading | null = null

  async function look(): Promise<void> {
    await withDatabaseSession(
      target,
      async (sql) => {
        const facts = await readSourceFacts((text) => sql.query(text), goal)
        if (timer === null) return
        const now = options.onFacts(facts)
        if (now !== null && isHeartbeatDue(before, now)) await sql.query(HEARTBEAT_SQL)
        before = now
      },
      { applicationName: `rowcast watch: ${goal.slot}`, answerTimeoutMs: options.answerTimeoutMs },
    )
  }

  /** One look at a time; one that fails says nothing about the stream, which has its own connection. */
  function tryLook(): void {
    if (isLooking || timer === null) return
    isLooking = true
    look()
      .catch((error: unknown) => {
        const known = toRowcastError(error, target)
        logger.debug(`The slot could not be looked at. ${known.message}`, { code: known.code })
      })
      .finally(() => {
        isLooking = false
      })
  }

  return {
    start() {
      if (timer !== null) return
      before = null
      timer = setInterval(tryLook, options.intervalMs)
      timer.unref()
    },
    look: tryLook,
    stop() {
      if (timer !== null) clearInterval(timer)
      timer = null
    },
  }
}
