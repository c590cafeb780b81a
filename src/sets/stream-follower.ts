/** Sets, between stages 6 and 7. How far the stream has come, for those who read the database beside it. */
import type { InProcessBus } from '../bus/bus.ts'
import { cannotGoOn } from '../bus/resync-required.ts'
import { parseCursor } from '../changes/cursor.ts'
import type { IsVisible } from '../source/db/visibility.ts'
import { LSN_ZERO, type Lsn } from '../wire/lsn.ts'
import type { ReadableLog } from './log-transactions.ts'
import { RELATED_READ_BOUNDS, type StreamProgress } from './related-row-reader.ts'

/** What it works with. */
export interface StreamFollowerOptions {
  readonly bus: Pick<InProcessBus, 'history' | 'cursorBefore'>
  /** What a session sees that begins after the call. */
  readonly look: () => Promise<IsVisible>
  readonly monotonicMs: () => number
  readonly wait: (ms: number) => Promise<void>
  /** Longest wait for the stream. @default 10_000 // 10 s */
  readonly timeoutMs?: number | undefined
}

/** How often whoever waits looks at the time, and whether there is a stream at all. */
const LOOK_INTERVAL_MS = 100

/** Somebody who waits for a position. */
interface Waiter {
  readonly lsn: Lsn
  hasCome: boolean
  wake: () => void
}

/** One per bus. */
export class StreamFollower implements StreamProgress {
  readonly #options: StreamFollowerOptions
  restarts = 0
  #passedLsn: Lsn = LSN_ZERO
  /** What a look saw of this history; null before the first. */
  #seen: IsVisible | null = null
  readonly #waiters = new Set<Waiter>()
  /** Nobody waits for less. */
  #leastAwaited: Lsn | null = null

  constructor(options: StreamFollowerOptions) {
    this.#options = options
  }

  get log(): ReadableLog | null {
    return this.#options.bus.history?.log ?? null
  }

  /** Another history begins, whose positions need not lie behind those of this one. */
  restart(): void {
    this.restarts += 1
    this.#passedLsn = LSN_ZERO
    this.#seen = null
  }

  /** Everything that committed before the position has come. */
  notePassed(lsn: Lsn): void {
    if (lsn <= this.#passedLsn) return
    this.#passedLsn = lsn
    // Most of what comes is what nobody waits for.
    if (this.#leastAwaited === null || lsn < this.#leastAwaited) return
    this.#leastAwaited = null
    for (const waiter of this.#waiters) {
      if (waiter.lsn > lsn) this.#await(waiter)
      else {
        waiter.hasCome = true
        waiter.wake()
      }
    }
  }

  async isVisible(ordinal: number): Promise<boolean> {
    // What was visible once stays so: most reads need not ask.
    if (this.#seen !== null && this.#isBehind(ordinal, this.#seen)) return true
    const { restarts } = this
    const seen = await this.#options.look()
    if (this.restarts === restarts) this.#seen = seen
    return this.#isBehind(ordinal, seen)
  }

  #isBehind(ordinal: number, isVisible: IsVisible): boolean {
    const cursor = this.#options.bus.cursorBefore(isVisible)
    return cursor !== null && parseCursor(cursor).position.commitLsn >= BigInt(ordinal)
  }

  async whenPassed(lsn: Lsn): Promise<void> {
    if (this.#passedLsn >= lsn) return
    const waiter: Waiter = { lsn, hasCome: false, wake: () => {} }
    const woken = new Promise<void>((resolve) => {
      waiter.wake = resolve
    })
    this.#waiters.add(waiter)
    this.#await(waiter)
    try {
      await this.#untilPassed(waiter, woken)
    } finally {
      this.#waiters.delete(waiter)
    }
  }

  async #untilPassed(waiter: Waiter, woken: Promise<void>): Promise<void> {
    const { monotonicMs, wait, timeoutMs = RELATED_READ_BOUNDS.timeoutMs } = this.#options
    const { log } = this
    const deadline = monotonicMs() + timeoutMs
    while (!waiter.hasCome) {
      if (log === null || this.log !== log) throw cannotGoOn('the stream has ended')
      if (monotonicMs() >= deadline) throw cannotGoOn('the stream is behind the related rows that were read')
      await Promise.race([woken, wait(LOOK_INTERVAL_MS)])
    }
  }

  #await({ lsn }: Waiter): void {
    if (this.#leastAwaited === null || lsn < this.#leastAwaited) this.#leastAwaited = lsn
  }
}
