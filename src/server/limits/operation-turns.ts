/**
 * Stage 8, server. When operations begin: to parse and to check a document takes milliseconds, and any number of clients may send
 * one within the same turn of the event loop. Each turn spends a few milliseconds on it; who comes later waits in line.
 */
import type { Guard } from '../../guard.ts'
import { Line } from './line.ts'

/** What one turn of the event loop spends on operations that begin. */
const TURN_MS = 4

/** All operations of a server. */
export class OperationTurns {
  readonly #nowMs: () => number
  readonly #line = new Line<() => void>()
  readonly #onNextTurn: () => void
  readonly #waitForIt: () => void
  /** When this turn began with the first of them; null where none has begun in it. */
  #beganMs: number | null = null

  constructor(guard: Guard, nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs
    const goOn = () => this.#goOn()
    const nextTurn = () => {
      this.#beganMs = null
      this.#begin()
    }
    this.#onNextTurn = guard.wrap('begin operations', nextTurn, goOn)
    const letNextBegin = guard.wrap('begin an operation', () => this.#begin(), goOn)
    // A tick of a microtask comes after all microtasks: only then it is known how long the one took that has just begun.
    this.#waitForIt = guard.wrap('wait for an operation', () => process.nextTick(letNextBegin), goOn)
  }

  /** Null where an operation may begin at once; else resolves when it may. */
  wait(): Promise<void> | null {
    if (this.#line.length === 0 && this.#hasTime()) return null
    return new Promise((resolve) => this.#line.push(resolve))
  }

  #hasTime(): boolean {
    const nowMs = this.#nowMs()
    if (this.#beganMs !== null) return nowMs - this.#beganMs < TURN_MS
    this.#beganMs = nowMs
    setImmediate(this.#onNextTurn)
    return true
  }

  /** A fault of one operation, or of ours, leaves nobody waiting. */
  #goOn(): void {
    this.#beganMs = this.#nowMs()
    setImmediate(this.#onNextTurn)
  }

  #begin(): void {
    if (this.#line.length === 0 || !this.#hasTime()) return
    this.#line.shift()?.()
    queueMicrotask(this.#waitForIt)
  }
}
