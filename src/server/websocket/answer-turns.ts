/**
 * Stage 8, server. Queries and mutations of one WebSocket: some at a time, from their first row until the socket has taken the
 * answer. What a client that does not read can have made is then bounded, however much it asks for; the rest is not begun.
 */
import { Line } from '../../bus/line.ts'
import type { SocketBudget } from '../limits/socket-budget.ts'

/** That run at once: a page asks for less. */
const AT_ONCE_MAX = 10

/** The turns of one socket. */
export class AnswerTurns {
  readonly #budget: SocketBudget
  readonly #waiting = new Line<() => void>()
  #running = 0

  constructor(budget: SocketBudget) {
    this.#budget = budget
  }

  /** Does the work once it is its turn; the turn ends with it. */
  async run(work: () => Promise<void>): Promise<void> {
    await this.#begin()
    try {
      await work()
    } finally {
      this.#running -= 1
      this.#beginNext()
    }
  }

  /** Whoever lets it begin counts it. */
  #begin(): Promise<void> | null {
    if (this.#running >= this.#atOnceMax) return new Promise((resolve) => this.#waiting.push(resolve))
    this.#running += 1
    return null
  }

  /** Where all sockets together hold much, each makes one answer after the other. */
  get #atOnceMax(): number {
    return this.#budget.isTight ? 1 : AT_ONCE_MAX
  }

  #beginNext(): void {
    while (this.#waiting.length > 0 && this.#running < this.#atOnceMax) {
      this.#running += 1
      this.#waiting.shift()?.()
    }
  }
}
