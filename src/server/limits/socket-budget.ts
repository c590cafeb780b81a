/**
 * Stage 8, server. What all sockets of a server hold back together: WebSockets, event streams and answers over HTTP, whatever
 * the path. The more it is, the less each of them may add; what they do not take waits in the log. At the bound those that have
 * not moved for long are cut, the largest first; at twice the bound, those that have not moved for the longest, at once.
 */

/** A socket that holds something back. */
export interface BudgetedSocket {
  /** Bytes it held when it was looked at last. */
  readonly heldBytes: number
  /** When it last took some of them. */
  readonly movedAtMs: number
  /** Looks again: Node.js says when everything was taken, and not when something was. */
  recount(): void
  /** Ends it, and what it holds counts no longer: others need the room. */
  cut(): void
}

/** How long a socket may hold what it does not take while others need the room. */
const STALLED_MS = 5_000
/** What a socket may add to an exhausted budget, so that whoever reads goes on. */
const LEAST_BYTES = 16 * 1024
/** Of the bound: nothing is held beyond it, however many sockets came within the time that one may stall. */
const HARD_FACTOR = 2
/** Sockets that one of them may be the last of to use what is left. */
const SHARE = 1 / 8

/** The budget. */
export class SocketBudget {
  readonly #bytesMax: number
  readonly #nowMs: () => number
  readonly #holders = new Set<BudgetedSocket>()
  #bytes = 0
  #cutAtMs = Number.NEGATIVE_INFINITY

  constructor(bytesMax: number, nowMs: () => number = () => performance.now()) {
    this.#bytesMax = bytesMax
    this.#nowMs = nowMs
  }

  get bytes(): number {
    return this.#bytes
  }

  get nowMs(): number {
    return this.#nowMs()
  }

  /** So much is held that one socket at a time had better do one thing at a time. */
  get isTight(): boolean {
    return this.#bytes > this.#bytesMax / 2
  }

  /** What one socket may hold now, of the bytes it may hold at most. */
  allowance(bytesMax: number): number {
    const room = (this.#bytesMax - this.#bytes) * SHARE
    return Math.min(bytesMax, Math.max(LEAST_BYTES, room))
  }

  /** A socket holds so many bytes more, or less. */
  add(socket: BudgetedSocket, bytes: number): void {
    this.#bytes += bytes
    if (socket.heldBytes > 0) this.#holders.add(socket)
    else this.#holders.delete(socket)
    if (bytes > 0 && this.#bytes > this.#bytesMax) this.#relieve()
  }

  #relieve(): void {
    const nowMs = this.#nowMs()
    const isFarOver = this.#bytes > this.#bytesMax * HARD_FACTOR
    if (!isFarOver && nowMs - this.#cutAtMs < 1_000) return
    this.#cutAtMs = nowMs
    for (const socket of [...this.#holders]) socket.recount()
    if (this.#bytes <= this.#bytesMax) return
    const stalled = [...this.#holders].filter(({ movedAtMs }) => nowMs - movedAtMs >= STALLED_MS)
    stalled.sort((a, b) => b.heldBytes - a.heldBytes)
    this.#cutUntil(this.#bytesMax / 2, stalled)
    if (this.#bytes <= this.#bytesMax * HARD_FACTOR) return
    const others = [...this.#holders]
    others.sort((a, b) => a.movedAtMs - b.movedAtMs || b.heldBytes - a.heldBytes)
    this.#cutUntil(this.#bytesMax, others)
  }

  /** What is cut holds nothing from then on. */
  #cutUntil(bytes: number, sockets: readonly BudgetedSocket[]): void {
    for (const socket of sockets) {
      if (this.#bytes <= bytes) return
      socket.cut()
    }
  }
}
