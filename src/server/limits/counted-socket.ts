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
  #takenBytes = 0
  #isGone = false

  constructor(budget: SocketBudget) {
    this.budget = budget
  }

  recount(): void {
    if (this.#isGone) return
    const unsentBytes = this.unsentBytes()
    // Of most it is nothing, and then nothing is asked.
    if (unsentBytes > 0) this.#noteTaken()
    this.#count(unsentBytes)
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
  /** Bytes that the system has taken since the connection began, of pieces that it has not all of, too. */
  protected abstract takenBytes(): number
  /** Ends the connection at once. */
  protected abstract terminate(): void

  /** One piece may be long, and the link slow: who takes some of it goes on. */
  #noteTaken(): void {
    const takenBytes = this.takenBytes()
    if (takenBytes <= this.#takenBytes) return
    this.#takenBytes = takenBytes
    this.movedAtMs = this.budget.nowMs
  }

  #count(bytes: number): void {
    const more = bytes - this.heldBytes
    if (more === 0) return
    if (more < 0 || this.heldBytes === 0) this.movedAtMs = this.budget.nowMs
    this.heldBytes = bytes
    this.budget.add(this, more)
  }
}

/**
 * Bytes of a socket that the system has taken; 0 where that is not known. Node.js reports a piece when all of it was taken, and
 * counts as written what still waits in libuv: only the handle says how much that is, and the timeout of Node's own sockets asks it.
 */
export function takenBytesOf(socket: object): number {
  const handle: unknown = Reflect.get(socket, '_handle')
  if (typeof handle !== 'object' || handle === null) return 0
  const written: unknown = Reflect.get(handle, 'bytesWritten')
  const waiting: unknown = Reflect.get(handle, 'writeQueueSize')
  return typeof written === 'number' && typeof waiting === 'number' ? written - waiting : 0
}
