/**
 * Stage 8, server. One socket of a client as the budget of all sockets knows it: what it holds, as of the last look, and when it
 * last took some of that.
 */
import type { BudgetedSocket, SocketBudget } from './socket-budget.ts'

/** A socket that counts. */
export abstract class CountedSocket implements BudgetedSocket {
  heldBytes = 0
  movedAtMs = 0
  protected readonly budget: SocketBudget
  #isGone = false

  constructor(budget: SocketBudget) {
    this.budget = budget
  }

  recount(): void {
    if (!this.#isGone) this.#count(this.unsentBytes())
  }

  cut(): void {
    this.forget()
    this.terminate()
  }

  /** It has closed, or is about to: it holds nothing from now on. */
  forget(): void {
    this.#isGone = true
    this.#count(0)
  }

  /** What Node.js and the socket hold that the system has not taken. */
  protected abstract unsentBytes(): number
  /** Ends the connection at once. */
  protected abstract terminate(): void

  #count(bytes: number): void {
    const more = bytes - this.heldBytes
    if (more === 0) return
    if (more < 0 || this.heldBytes === 0) this.movedAtMs = this.budget.nowMs
    this.heldBytes = bytes
    this.budget.add(this, more)
  }
}
