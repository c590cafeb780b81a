/**
 * Stage 8, server. When frames are written: once all that one turn of the event loop brought has been handed to the
 * subscriptions, so that each socket gets it in one piece. Sockets with little to say go first; those that had more than
 * one flush allows share a slice of each turn, so that who catches up with much keeps nobody waiting who is up to date.
 */
import type { Guard } from '../../guard.ts'
import { Line } from '../limits/line.ts'

/** Something that has frames to write. */
export interface Flushable {
  /** Writes what there is, or a bounded part of it. */
  flush(): void
  /** Writing has failed half-way: nothing that was left may reach anybody else. */
  abandon(): void
  /** Whether its last flush left something over, or had much to write. */
  readonly isLagging: boolean
}

/** The turns of a server. */
export interface DeliveryTurn {
  /** Has it flushed at the end of this turn, or a little later. Once is enough until it is flushed. */
  add(flushable: Flushable): void
  /** Whether anything waits to be flushed. */
  readonly isBusy: boolean
}

/** What one turn of the event loop spends on those with little to say, and on those that lag. */
const PROMPT_MS = 8
const LAGGING_MS = 2

/** Creates the turns. A flushable that throws costs the others nothing. */
export function createDeliveryTurn(
  guard: Guard,
  nowMs: () => number = () => performance.now(),
): DeliveryTurn {
  const prompt = new Line<Flushable>()
  const lagging = new Line<Flushable>()
  /** What this turn of the event loop has spent on prompt ones. */
  let spentMs = 0
  let isNextTurnDue = false
  let isMicrotaskDue = false
  /** The one that is being flushed. */
  let current: Flushable | null = null

  function flushGuarded(flushable: Flushable): void {
    try {
      flushable.flush()
    } catch (error) {
      guard.run('write frames', () => {
        flushable.abandon()
        throw error
      })
    }
  }

  /** Flushes those that are there now, as long as there is time; what is added meanwhile comes after them. @returns what it took */
  function flushLine(line: Line<Flushable>, forMs: number): number {
    const startedMs = nowMs()
    let tookMs = 0
    for (let left = line.length; left > 0 && tookMs < forMs; left -= 1) {
      current = line.shift() ?? null
      if (current !== null) flushGuarded(current)
      current = null
      tookMs = nowMs() - startedMs
    }
    return tookMs
  }

  function flushPrompt(): void {
    spentMs += flushLine(prompt, PROMPT_MS - spentMs)
    scheduleNextTurn()
  }

  /** The turn itself has failed: whose turn it was goes, and the others have theirs. */
  function flushRest(): void {
    const failed = current
    current = null
    isMicrotaskDue = false
    isNextTurnDue = false
    scheduleNextTurn()
    failed?.abandon()
  }

  const flushSoon = (): void => {
    isMicrotaskDue = false
    flushPrompt()
  }
  const guardedMicrotask = guard.wrap('flush a turn', flushSoon, flushRest)

  const flushAll = (): void => {
    isNextTurnDue = false
    spentMs = 0
    // Whoever goes on without need never lets the event loop rest.
    if (prompt.length + lagging.length === 0) return
    flushPrompt()
    flushLine(lagging, LAGGING_MS)
    if (lagging.length > 0) scheduleNextTurn()
  }
  const guardedNextTurn = guard.wrap('flush a turn', flushAll, flushRest)

  /** Also where nothing waits: what is spent is counted again in the next turn. */
  function scheduleNextTurn(): void {
    if (isNextTurnDue) return
    isNextTurnDue = true
    setImmediate(guardedNextTurn)
  }

  return {
    add(flushable) {
      if (flushable.isLagging) {
        lagging.push(flushable)
        scheduleNextTurn()
        return
      }
      prompt.push(flushable)
      if (isMicrotaskDue || spentMs >= PROMPT_MS) return
      isMicrotaskDue = true
      // A microtask: after the reader of the replication stream has handled all that it was given.
      queueMicrotask(guardedMicrotask)
    },
    get isBusy() {
      return prompt.length + lagging.length > 0
    },
  }
}
