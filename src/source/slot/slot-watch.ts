/**
 * Stage 5, source. Looks at slot and publication now and then while changes flow: what PostgreSQL does not report to a
 * stream has to be asked for. Each look is one short-lived connection; between two there is none.
 */
import type { RowcastError } from '../../errors.ts'
import type { Guard } from '../../guard.ts'
import type { DriverTarget } from '../../wire/driver-target.ts'
import { isHeartbeatDue, isSnapshotDue, type SlotReading, SNAPSHOT_SQL } from '../db/heartbeat.ts'
import type { RunQuery } from '../db/run-query.ts'
import { withDatabaseSession } from '../db/sql.ts'
import { toRowcastError } from '../db/sqlstate.ts'
import type { SetupGoal } from '../setup/setup-plan.ts'
import type { SourceFacts } from './slot-facts.ts'
import { readFlowingFactsAt } from './standby-facts.ts'

/** What a watch needs. */
export interface SlotWatchOptions {
  readonly target: DriverTarget
  readonly goal: SetupGoal
  readonly intervalMs: number
  readonly guard: Guard
  /** Takes what was seen; returns the slot's reading, or null when the stream it belongs to is another one. */
  readonly onFacts: (facts: SourceFacts) => SlotReading | null
  /** A look failed: that says nothing about the stream, which has its own connection. */
  readonly onFailedLook: (error: RowcastError) => void
  /** Does what a look leads to, on its connection; answers whether the next look is due soon. */
  readonly settle: (query: RunQuery, facts: SourceFacts) => Promise<boolean>
  /** Writes a message of ours, so that the slot moves. */
  readonly beat: (query: RunQuery) => Promise<void>
}

/** The next look while something in the catalog is waited for. */
const SOON_MS = 500

/** A watch; it looks while started. */
export interface SlotWatch {
  start(): void
  /** Looks now, out of turn. */
  look(): void
  stop(): void
}

/** Creates a watch; it does nothing until `start()`. */
export function createSlotWatch(options: SlotWatchOptions): SlotWatch {
  const { target, guard } = options
  let timer: NodeJS.Timeout | null = null
  /** Of the look that is under way. */
  let looking: AbortController | null = null
  let soon: NodeJS.Timeout | null = null
  /** A look was asked for during one that may have come too early. */
  let isAskedAgain = false
  let before: SlotReading | null = null

  async function look(signal: AbortSignal): Promise<void> {
    const isOver = (): boolean => timer === null
    const seen = await lookOnce(options, { before, signal, isOver, lookSoon })
    if (seen !== undefined && !signal.aborted) before = seen
  }

  function lookSoon(): void {
    if (soon !== null) clearTimeout(soon)
    soon = setTimeout(guard.wrap('look at the slot', tryLook), Math.min(SOON_MS, options.intervalMs))
    soon.unref()
  }

  /** One look at a time; each has an end, because each of its statements has. */
  function tryLook(): void {
    if (timer === null) return
    if (looking !== null) {
      isAskedAgain = true
      return
    }
    isAskedAgain = false
    const mine = new AbortController()
    looking = mine
    const onFailure = (error: unknown): void => {
      if (!mine.signal.aborted) options.onFailedLook(toRowcastError(error, target))
    }
    const letGo = (): void => {
      if (looking === mine) looking = null
    }
    const onEnd = (): void => {
      letGo()
      if (isAskedAgain) tryLook()
    }
    look(mine.signal)
      .catch(guard.wrap('report a failed look at the slot', onFailure))
      .finally(guard.wrap('end a look at the slot', onEnd, letGo))
  }

  return {
    start() {
      if (timer !== null) return
      before = null
      const lookUnlessBusy = guard.wrap('look at the slot', () => {
        if (looking === null) tryLook()
      })
      timer = setInterval(lookUnlessBusy, options.intervalMs)
      timer.unref()
    },
    look: tryLook,
    stop() {
      if (timer !== null) clearInterval(timer)
      if (soon !== null) clearTimeout(soon)
      timer = null
      soon = null
      isAskedAgain = false
      looking?.abort()
      looking = null
    },
  }
}

/** What one look goes by. */
interface Look {
  /** What the last one saw. */
  readonly before: SlotReading | null
  readonly signal: AbortSignal
  /** Whether the watch was stopped meanwhile. */
  readonly isOver: () => boolean
  readonly lookSoon: () => void
}

/** Looks, and does what it leads to. Returns the slot's reading; undefined where the watch was stopped meanwhile. */
function lookOnce(
  { target, goal, ...options }: SlotWatchOptions,
  { before, signal, isOver, lookSoon }: Look,
): Promise<SlotReading | null | undefined> {
  return withDatabaseSession(
    target,
    async (sql) => {
      const query: RunQuery = (text) => sql.query(text)
      const facts = await readFlowingFactsAt(target, query, goal)
      if (isOver()) return undefined
      const now = options.onFacts(facts)
      if (now === null) return null
      if (await options.settle(query, facts)) lookSoon()
      if (facts.mayEmit && isHeartbeatDue(before, now)) await options.beat(query)
      if (isSnapshotDue(now)) await sql.query(SNAPSHOT_SQL)
      return now
    },
    { applicationName: `rowcast watch: ${goal.slot}`, signal },
  )
}
