/**
 * Stage 8, server. The operations of one WebSocket. A client may use an id again as soon as it has completed it, so an
 * operation is known by its own object and never by its id; what is still being made for one that has ended ends with it.
 */
import type { TurnShare } from '../../bus/turn-share.ts'
import type { Guard } from '../../guard.ts'

/** What has to be ended with its operation. */
export interface OwnedResults {
  /** A cursor that everything stands before that has been sent; null while something waits. Of streams only. */
  bookmark?(): string | null
  return(): Promise<unknown>
}

/** One operation. */
export class Operation {
  /** As the client chose it; another operation may have it later. */
  readonly id: string
  /** Under which its client wants bookmarks; null: it wants none. */
  readonly bookmarkKey: string | null
  #lastBookmark: string | null = null
  #results: OwnedResults | null = null
  #isOver = false

  constructor(id: string, bookmarkKey: string | null) {
    this.id = id
    this.bookmarkKey = bookmarkKey
  }

  /** Whether results come for it as they are made. */
  get isStreaming(): boolean {
    return this.#results?.bookmark !== undefined
  }

  /** A new cursor to go on after, though no change came; null where there is none. */
  takeBookmark(): string | null {
    const cursor = this.#results?.bookmark?.() ?? null
    if (cursor === this.#lastBookmark) return null
    this.#lastBookmark = cursor
    return cursor
  }

  /** Whether nothing more may be sent for it. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Makes the results its own; ends them at once, and returns false, when it is over. */
  own(results: OwnedResults): boolean {
    if (this.#isOver) endResults(results)
    else this.#results = results
    return !this.#isOver
  }

  /** Ends it, with the results that it owns or will own. */
  end(): void {
    this.abandon()?.()
  }

  /** Nothing more is sent for it. @returns what ends the results that it owns; null where there are none, or it was over already */
  abandon(): (() => void) | null {
    if (this.#isOver) return null
    this.#isOver = true
    const results = this.#results
    this.#results = null
    return results === null ? null : () => endResults(results)
  }
}

/** Nobody reads the results any more: that their source could not be closed concerns nobody. */
function endResults(results: OwnedResults): void {
  results.return().catch(() => undefined)
}

/** Does an operation, from its document to its last message; must not reject. */
export type RunOperation = (operation: Operation) => Promise<void>

const AT_ONCE: Pick<TurnShare, 'wait'> = { wait: () => null }

/** What became of a request for an operation. */
export type StartVerdict = 'started' | 'idInUse' | 'tooMany'

/** The operations of one socket. */
export class SocketOperations {
  /** Called whenever one is at work no more. */
  onDone: (() => void) | null = null
  readonly #operationsMax: number
  readonly #guard: Guard
  readonly #turns: Pick<TurnShare, 'wait'>
  /** Those that the client knows to be running. */
  readonly #open = new Map<string, Operation>()
  /** Those that wait for room, in order: each is open. */
  readonly #waiting = new Map<Operation, RunOperation>()
  /** Those at work: the client may have completed some of them since. */
  #workingCount = 0

  /**
   * @param operationsMax that are open at once, and that are at work at once
   * @param turns when the results of a socket that has closed are ended
   */
  constructor(operationsMax: number, guard: Guard, turns: Pick<TurnShare, 'wait'> = AT_ONCE) {
    this.#operationsMax = operationsMax
    this.#guard = guard
    this.#turns = turns
  }

  /** Operations that are open, and those that have ended and are still at work. */
  get count(): number {
    return this.#workingCount + this.#waiting.size
  }

  /** Whether a client waits for one that does not stream: a mutation whose socket closes would be asked for, and done, once more. */
  get isAnswering(): boolean {
    return [...this.#open.values()].some((operation) => !operation.isStreaming)
  }

  /** Whether one of those that are open streams. */
  get isStreaming(): boolean {
    return [...this.#open.values()].some((operation) => operation.isStreaming)
  }

  /**
   * Opens an operation. It runs at once, unless too many that the client has completed are still at work: their number
   * is the client's choice, so that the next one waits for them.
   */
  start(id: string, run: RunOperation, bookmarkKey: string | null = null): StartVerdict {
    if (this.#open.has(id)) return 'idInUse'
    if (this.#open.size >= this.#operationsMax) return 'tooMany'
    const operation = new Operation(id, bookmarkKey)
    this.#open.set(id, operation)
    if (this.#workingCount < this.#operationsMax) this.#begin(operation, run)
    else this.#waiting.set(operation, run)
    return 'started'
  }

  /** New bookmarks of those that want them, by their keys; null where there are none. */
  takeBookmarks(): Readonly<Record<string, string>> | null {
    const bookmarks: [string, string][] = []
    for (const operation of this.#open.values()) {
      const { bookmarkKey } = operation
      const cursor = bookmarkKey === null ? null : operation.takeBookmark()
      if (bookmarkKey !== null && cursor !== null) bookmarks.push([bookmarkKey, cursor])
    }
    return bookmarks.length === 0 ? null : Object.fromEntries(bookmarks)
  }

  /** Ends the operation that has this id now, as its client asks. */
  complete(id: string): void {
    const operation = this.#open.get(id)
    if (operation !== undefined) this.close(operation)
  }

  /** Ends an operation; its id is free from now on. False when it was over already. */
  close(operation: Operation): boolean {
    if (operation.isOver) return false
    this.#open.delete(operation.id)
    this.#waiting.delete(operation)
    operation.end()
    return true
  }

  /** Ends all of them. What they have open goes as long as the turn has time for it, then in the next: a thousand lists may go with their sockets. */
  closeAll(): void {
    const ends = [...this.#open.values()].flatMap((operation) => operation.abandon() ?? [])
    this.#open.clear()
    this.#waiting.clear()
    if (ends.length > 0) this.#guard.run('end operations', () => this.#endInTurns(ends))
  }

  async #endInTurns(ends: readonly (() => void)[]): Promise<void> {
    for (const end of ends) {
      const turn = this.#turns.wait()
      if (turn !== null) await turn
      this.#guard.run('end an operation', end)
    }
  }

  /** Runs must not reject: one that does is logged, and ended like all others. */
  #begin(operation: Operation, run: RunOperation): void {
    this.#guard.run('run an operation', () => this.#work(operation, run))
  }

  async #work(operation: Operation, run: RunOperation): Promise<void> {
    this.#workingCount += 1
    try {
      await run(operation)
    } finally {
      this.close(operation)
      this.#workingCount -= 1
      this.#startNext()
      this.onDone?.()
    }
  }

  #startNext(): void {
    const [next] = this.#waiting
    if (next === undefined || this.#workingCount >= this.#operationsMax) return
    this.#waiting.delete(next[0])
    this.#begin(...next)
  }
}
