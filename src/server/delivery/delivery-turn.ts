/**
 * Stage 8, server. When frames are written: once all that one turn of the event loop brought has been handed to the
 * subscriptions, so that each socket gets it in one piece. Sockets with little to say go first; those that had more than
 * one flush allows share a slice of each turn, so that who catches up with much keeps nobody waiting who is up to date.
 */

import { Line } from '../../bus/line.ts'
import { type LoopTurn, turnOf } from '../../bus/loop-turn.ts'
import type { Guard } from '../../guard.ts'

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

/** What one turn of the event loop spends at the most on those with little to say, and on those that lag. */
const PROMPT_MS = 5
const LAGGING_MS = 2

/** Creates the turns. A flushable that throws costs the others nothing. */
export function createDeliveryTurn(
  guard: Guard,
  nowMs?: () => number,
  turn: LoopTurn = turnOf(nowMs),
): DeliveryTurn {
  return new Turns(guard, turn, nowMs ?? (() => performance.now()))
}

class Turns implements DeliveryTurn {
  readonly #guard: Guard
  readonly #turn: LoopTurn
  readonly #nowMs: () => number
  readonly #prompt = new Line<Flushable>()
  readonly #lagging = new Line<Flushable>()
  readonly #microtask: () => void
  readonly #nextTurn: () => void
  /** What this turn of the event loop has spent on prompt ones. */
  #spentMs = 0
  #isNextTurnDue = false
  #isMicrotaskDue = false
  /** The one that is being flushed. */
  #current: Flushable | null = null

  constructor(guard: Guard, turn: LoopTurn, nowMs: () => number) {
    this.#guard = guard
    this.#turn = turn
    this.#nowMs = nowMs
    const flushRest = () => this.#flushRest()
    this.#microtask = guard.wrap('flush a turn', () => this.#flushSoon(), flushRest)
    this.#nextTurn = guard.wrap('flush a turn', () => this.#flushAll(), flushRest)
  }

  get isBusy(): boolean {
    return this.#prompt.length + this.#lagging.length > 0
  }

  add(flushable: Flushable): void {
    if (flushable.isLagging) {
      this.#lagging.push(flushable)
      this.#scheduleNextTurn()
      return
    }
    this.#prompt.push(flushable)
    if (this.#isMicrotaskDue || this.#turn.shareOf(PROMPT_MS, this.#spentMs) <= 0) return
    this.#isMicrotaskDue = true
    // A microtask: after the reader of the replication stream has handled all that it was given.
    queueMicrotask(this.#microtask)
  }

  #flushSoon(): void {
    this.#isMicrotaskDue = false
    this.#flushPrompt()
  }

  #flushAll(): void {
    this.#isNextTurnDue = false
    this.#spentMs = 0
    // Whoever goes on without need never lets the event loop rest.
    if (!this.isBusy) return
    this.#flushPrompt()
    this.#flushLine(this.#lagging, this.#turn.shareOf(LAGGING_MS))
    if (this.#lagging.length > 0) this.#scheduleNextTurn()
  }

  #flushPrompt(): void {
    this.#spentMs += this.#flushLine(this.#prompt, this.#turn.shareOf(PROMPT_MS, this.#spentMs))
    this.#scheduleNextTurn()
  }

  /** Flushes those that are there now, as long as there is time; what is added meanwhile comes after them. @returns what it took */
  #flushLine(line: Line<Flushable>, forMs: number): number {
    const startedMs = this.#nowMs()
    let tookMs = 0
    for (let left = line.length; left > 0 && tookMs < forMs; left -= 1) {
      this.#current = line.shift() ?? null
      if (this.#current !== null) this.#flushGuarded(this.#current)
      this.#current = null
      tookMs = this.#nowMs() - startedMs
    }
    return tookMs
  }

  #flushGuarded(flushable: Flushable): void {
    try {
      flushable.flush()
    } catch (error) {
      this.#guard.run('write frames', () => {
        flushable.abandon()
        throw error
      })
    }
  }

  /** The turn itself has failed: whose turn it was goes, and the others have theirs. */
  #flushRest(): void {
    const failed = this.#current
    this.#current = null
    this.#isMicrotaskDue = false
    this.#isNextTurnDue = false
    this.#scheduleNextTurn()
    failed?.abandon()
  }

  /** Also where nothing waits: what is spent is counted again in the next turn. */
  #scheduleNextTurn(): void {
    if (this.#isNextTurnDue) return
    this.#isNextTurnDue = true
    setImmediate(this.#nextTurn)
  }
}
