/** Beside the spine, client. Waiting that a signal cuts short, and how long to wait. */

/** Resolves after the delay, or at once when the signal aborts; leaves nothing behind on the signal. */
export function wait(delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve()
      return
    }
    const finish = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, delayMs)
    signal?.addEventListener('abort', finish)
  })
}

const DELAY_MAX_MS = 5_000
/** What a server may ask for at the most; who says more is not believed. */
const ASKED_MAX_MS = 300_000

/** What the server asks for, where it asks for a pause; else twice as long after each failure in a row. */
export function retryDelayMs(error: unknown, failures: number, firstMs = 50): number {
  const asked: unknown = Reflect.get(Object(Reflect.get(Object(error), 'extensions')), 'retryAfterMs')
  const pauseMs = typeof asked === 'number' ? askedPauseMs(asked) : null
  return pauseMs ?? Math.min(firstMs * 2 ** failures, DELAY_MAX_MS)
}

/** The first wait of a client that has lost its connection. */
const FIRST_RETRY_MS = 200

/**
 * `retryWait` for graphql-ws's client, whose own waits twice as long after each failure, without a bound: after a night it comes back hours
 * late. This one waits 5 s at most, and each client another time, so that not all come back at once.
 * @param retries that have failed in a row
 */
export function retryWait(retries: number): Promise<void> {
  return wait(retryDelayMs(null, retries, FIRST_RETRY_MS) * (0.5 + Math.random() / 2))
}

/** What a server asks for, within bounds; null for what is no pause. */
export function askedPauseMs(asked: number): number | null {
  return asked > 0 ? Math.min(asked, ASKED_MAX_MS) : null
}

/** The pause that a header `Retry-After` asks for, in seconds (RFC 9110, 10.2.3); null for a date, and what is no pause. */
export function retryAfterHeaderMs(header: string | null): number | null {
  return askedPauseMs(Number(header) * 1_000)
}

/** Pauses that grow while they follow each other, whatever else comes in between. */
export class GrowingPauses {
  readonly #bounds: { readonly firstMs: number; readonly maxMs: number }
  #count = 0
  #lastAtMs = Number.NEGATIVE_INFINITY

  constructor(bounds: { readonly firstMs: number; readonly maxMs: number }) {
    this.#bounds = bounds
  }

  /** How many have followed each other by now; after twice the longest without another one, none. */
  get count(): number {
    return performance.now() - this.#lastAtMs > 2 * this.#bounds.maxMs ? 0 : this.#count
  }

  /** Milliseconds, twice as many each time. */
  next(): number {
    const { firstMs, maxMs } = this.#bounds
    const { count } = this
    this.#count = count + 1
    this.#lastAtMs = performance.now()
    return Math.min(firstMs * 2 ** count, maxMs)
  }

  /** What came after the pause took its time, and is over: the next follows that. */
  noteOver(): void {
    this.#lastAtMs = performance.now()
  }
}
