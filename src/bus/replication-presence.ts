/**
 * Stage 6, bus. Whether a stream has begun. A subscription without a cursor that is accepted before would miss what commits
 * until then, and nobody could distinguish it from one that is complete: whoever accepts it waits for the stream, up to a deadline.
 */
import { errorEntry, isRowcastError, RowcastError } from '../errors.ts'
import { createGuard, type Guard } from '../guard.ts'
import { silentLogger } from '../logger.ts'
import { isProgramFault } from '../program-fault.ts'
import type { BusObserver } from './bus-observer.ts'
import { serverStandingBy, serverStopping } from './server-stopping.ts'

/** Those who wait for something, each up to a deadline. */
export class BoundedWait {
  readonly #waiters = new Set<() => void>()
  readonly #guard: Guard

  constructor(guard: Guard = createGuard(silentLogger)) {
    this.#guard = guard
  }

  /** @returns whether `release` came in time */
  wait(timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (isReleased: boolean): void => {
        clearTimeout(timer)
        this.#waiters.delete(release)
        resolve(isReleased)
      }
      const release = (): void => settle(true)
      const giveUp = this.#guard.wrap('end a wait', () => settle(false))
      const timer = setTimeout(giveUp, timeoutMs)
      this.#waiters.add(release)
    })
  }

  release(): void {
    for (const release of [...this.#waiters]) release()
  }
}

/** When whoever was turned away may come again. */
const RETRY_AFTER_MS = 1_000

/** The typed end of a wait for the stream. */
export function noStreamYet(): RowcastError {
  return new RowcastError('NO_STREAM_YET', 'No stream of changes has begun yet.', {
    details: { retryAfterMs: RETRY_AFTER_MS },
  })
}

/**
 * Ends a question for a position that the database, or the Prisma Client, did not answer: whoever asked comes again, as where there
 * is no stream.
 * @throws NO_STREAM_YET; BUG for a mistake of a program, and what else does not pass by itself, as it is
 */
export function notAnswered(error: unknown): never {
  if (isProgramFault(error))
    throw new RowcastError('BUG', 'What queries see now could not be found out.', { cause: error })
  if (isRowcastError(error) && (error.isPublic || errorEntry(error.code).retry !== 'backoff')) throw error
  throw new RowcastError('NO_STREAM_YET', 'The database does not answer at present.', {
    details: { retryAfterMs: RETRY_AFTER_MS },
    cause: error,
  })
}

/** The typed end of a wait for what committed before the stream began. */
export function commitsNotVisible(): RowcastError {
  return new RowcastError(
    'COMMITS_NOT_VISIBLE',
    'Transactions from before the stream of changes began may not be visible to queries yet.',
    { details: { retryAfterMs: RETRY_AFTER_MS } },
  )
}

/** One per bus, among its observers. */
export class StreamPresence implements BusObserver {
  readonly #timeoutMs: number
  readonly #guard: Guard
  readonly #live: BoundedWait
  readonly #ready: BoundedWait
  #isLive = false
  #isAskingReady = false
  #isEnded = false
  #isAside = false
  readonly #onEnd = new Set<() => void>()
  readonly #onAside = new Set<() => void>()

  /** @param timeoutMs how long each wait lasts at most */
  constructor(timeoutMs: number, guard: Guard = createGuard(silentLogger)) {
    this.#timeoutMs = timeoutMs
    this.#guard = guard
    this.#live = new BoundedWait(guard)
    this.#ready = new BoundedWait(guard)
  }

  onOpened(): void {
    this.#isLive = true
    this.#live.release()
  }

  onGap(): void {
    this.#isLive = false
  }

  onStandAside(isAside: boolean): void {
    this.#isAside = isAside
    if (!isAside) return
    for (const reject of this.#onAside) reject()
    this.#onAside.clear()
    // Whoever comes again and again must leave no wait behind.
    this.#live.release()
    this.#ready.release()
  }

  /** Nothing is waited for any more: what comes next ends at once. */
  end(): void {
    this.#isEnded = true
    // Before what releases them.
    for (const reject of this.#onEnd) reject()
    this.#onEnd.clear()
    this.#live.release()
    this.#ready.release()
  }

  /**
   * Null once a subscription would begin with what commits from now on.
   * @throws NO_STREAM_YET at the deadline, SERVER_STANDING_BY at once where another process has the changes
   */
  whenLive(): Promise<void> | null {
    if (this.#isAside) return Promise.reject(serverStandingBy(null))
    if (this.#isLive) return null
    return this.#untilAside(this.#inTime(this.#live.wait(this.#timeoutMs)))
  }

  /** The same wait, which ends where nothing comes any more. @throws SERVER_STOPPING */
  untilEnd(wait: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const onEnd = (): void => reject(serverStopping(null))
      this.#onEnd.add(onEnd)
      wait.finally(() => this.#onEnd.delete(onEnd)).then(resolve, reject)
      if (this.#isEnded) onEnd()
    })
  }

  /**
   * Waits for `ready`, which is asked for once however many wait.
   * @throws NO_STREAM_YET at the deadline, SERVER_STOPPING after the end, SERVER_STANDING_BY as above; at once what `ready` throws
   */
  whenReady(ready: () => Promise<void>): Promise<void> {
    if (this.#isAside) return Promise.reject(serverStandingBy(null))
    if (!this.#isAskingReady) this.#ask(ready)
    return this.#untilAside(this.untilEnd(this.#inTime(this.#ready.wait(this.#timeoutMs))))
  }

  /** The same wait, which ends where what it is for is to be had from another process. */
  #untilAside(wait: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAside = (): void => reject(serverStandingBy(null))
      this.#onAside.add(onAside)
      wait.finally(() => this.#onAside.delete(onAside)).then(resolve, reject)
    })
  }

  /** Before anybody waits: where it throws, nobody would listen to that wait. */
  #ask(ready: () => Promise<void>): void {
    const answer = ready()
    this.#isAskingReady = true
    const onSettled = this.#guard.wrap('end what waits for the stream', () => {
      this.#isAskingReady = false
      this.#ready.release()
    })
    answer.then(onSettled, onSettled)
  }

  async #inTime(wait: Promise<boolean>): Promise<void> {
    if (!(await wait)) throw noStreamYet()
  }
}
