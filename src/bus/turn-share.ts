/**
 * Stage 6, bus. What one turn of the event loop spends on one kind of work that any number of clients may cause within the same
 * turn: a few milliseconds, what the work goes on to do in microtasks and ticks included. Who comes later waits in line.
 */
import type { Guard } from '../guard.ts'
import { arrivals } from './arrivals.ts'
import { Line } from './line.ts'
import { type LoopTurn, turnOf } from './loop-turn.ts'

/** What one turn of the event loop spends on it at the most; less where others take their part. */
const TURN_MS = 4

/** How work comes. */
export interface TurnShareOptions {
  readonly guard: Guard
  /**
   * Whether many pieces of work may come in one go, as those do that wait for the same change: then each begins when it is known
   * how long the one before it took. @default false: each comes in a callback of its own
   */
  readonly isOneByOne?: boolean | undefined
  /** @default performance.now */
  readonly nowMs?: (() => number) | undefined
  /** What all kinds of work share. @default the process's own; of a clock of its own one of its own */
  readonly turn?: LoopTurn | undefined
}

/** All work of one kind. */
export class TurnShare {
  readonly #isOneByOne: boolean
  readonly #nowMs: () => number
  readonly #turn: LoopTurn
  readonly #line = new Line<() => void>()
  readonly #onNextTurn: () => void
  readonly #waitForIt: () => void
  /** When this turn began with the first of it; null where none has begun in it. */
  #beganMs: number | null = null
  /** What it may take of this turn. */
  #shareMs = TURN_MS
  /** Whether somebody begins what is in line. */
  #isGoing = false

  constructor({ guard, isOneByOne = false, nowMs, turn }: TurnShareOptions) {
    this.#isOneByOne = isOneByOne
    this.#nowMs = nowMs ?? (() => performance.now())
    this.#turn = turn ?? turnOf(nowMs)
    const goOn = () => this.#goOn()
    const nextTurn = () => {
      this.#beganMs = null
      this.#begin()
    }
    this.#onNextTurn = guard.wrap('begin work', nextTurn, goOn)
    const letNextBegin = guard.wrap('begin work', () => this.#begin(), goOn)
    // A tick of a microtask comes after all microtasks: only then it is known how long the one took that has just begun.
    this.#waitForIt = guard.wrap('wait for work', () => process.nextTick(letNextBegin), goOn)
  }

  /** Whether any of it waits. */
  get isBusy(): boolean {
    return this.#line.length > 0
  }

  /** Whether what has begun had better go on in another turn. */
  get isOver(): boolean {
    return this.isBusy || !this.#hasTime()
  }

  /** Null where it may begin at once; else resolves when it may. */
  wait(): Promise<void> | null {
    if (this.#line.length === 0 && !this.#isGoing && this.#hasTime()) {
      if (this.#isOneByOne) this.#letBegin()
      return null
    }
    return new Promise((resolve) => this.#line.push(resolve))
  }

  #hasTime(): boolean {
    const nowMs = this.#nowMs()
    // A connection may have come since it began.
    if (this.#beganMs !== null)
      return nowMs - this.#beganMs < Math.min(this.#shareMs, arrivals.shareOf(TURN_MS))
    this.#beganMs = nowMs
    this.#shareMs = this.#turn.shareOf(TURN_MS)
    setImmediate(this.#onNextTurn)
    return true
  }

  /** A fault of one piece of work, or of ours, leaves nobody waiting. */
  #goOn(): void {
    this.#isGoing = false
    this.#beganMs = this.#nowMs()
    setImmediate(this.#onNextTurn)
  }

  #begin(): void {
    this.#isGoing = false
    if (this.#line.length === 0 || !this.#hasTime()) return
    this.#line.shift()?.()
    this.#letBegin()
  }

  #letBegin(): void {
    this.#isGoing = true
    queueMicrotask(this.#waitForIt)
  }
}
