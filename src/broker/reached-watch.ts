/**
 * Beside the bus, broker. Who waits for the stream to come as far as a cursor: another gateway, further ahead, may have
 * handed it out. All who wait are answered by one look at a time, and a cursor that no gateway can have is refused without any.
 */
import { ANSWER_TIMEOUT_MS } from '../wire/driver-target.ts'
import type { BrokerRuntime } from './broker-runtime.ts'

/** What is looked at. */
export interface ReachedWatchOptions {
  /** Everything before it is in the stream, as far as is known without asking. */
  readonly safeNow: () => bigint
  /** Asks for the LSN of the newest entry; null where there is none. */
  readonly askNewest: () => Promise<bigint | null>
  readonly runtime: BrokerRuntime
  /** How long a tap that has not come as far as a cursor is waited for. @default 10_000 // 10 s */
  readonly patienceMs?: number | undefined
}

const LOOK_INTERVAL_MS = 100
/** WAL that a gateway may be behind another one. A cursor further ahead was never handed out. */
const AHEAD_MAX_BYTES = 1n << 30n

interface Waiter {
  readonly lsn: bigint
  readonly untilMs: number
  resolve(isReached: boolean): void
  reject(error: unknown): void
}

/** The watch of one gateway. */
export class ReachedWatch {
  readonly #options: ReachedWatchOptions
  readonly #waiters = new Set<Waiter>()
  #isLooking = false

  constructor(options: ReachedWatchOptions) {
    this.#options = options
  }

  /** Whether the stream has come as far as `lsn`; waits a moment before it says no. */
  hasReached(lsn: bigint): Promise<boolean> {
    const safe = this.#options.safeNow()
    if (safe > lsn) return Promise.resolve(true)
    if (safe > 0n && lsn > safe + AHEAD_MAX_BYTES) return Promise.resolve(false)
    const { runtime, patienceMs = ANSWER_TIMEOUT_MS } = this.#options
    return new Promise((resolve, reject) => {
      this.#waiters.add({ lsn, untilMs: runtime.monotonicMs() + patienceMs, resolve, reject })
      if (!this.#isLooking) this.#look().catch((error: unknown) => this.#fail([...this.#waiters], error))
    })
  }

  async #look(): Promise<void> {
    this.#isLooking = true
    try {
      while (this.#waiters.size > 0) {
        const asked = [...this.#waiters]
        try {
          const newest = (await this.#options.askNewest()) ?? 0n
          this.#answer(asked, newest)
        } catch (error) {
          this.#fail(asked, error)
        }
        if (this.#waiters.size > 0) await this.#options.runtime.delay(LOOK_INTERVAL_MS)
      }
    } finally {
      this.#isLooking = false
    }
  }

  #fail(asked: readonly Waiter[], error: unknown): void {
    for (const waiter of asked) {
      this.#waiters.delete(waiter)
      waiter.reject(error)
    }
  }

  #answer(asked: readonly Waiter[], newest: bigint): void {
    const nowMs = this.#options.runtime.monotonicMs()
    const safe = this.#options.safeNow()
    for (const waiter of asked) {
      const isReached = safe > waiter.lsn || newest >= waiter.lsn
      if (!isReached && nowMs <= waiter.untilMs) continue
      this.#waiters.delete(waiter)
      waiter.resolve(isReached)
    }
  }
}
