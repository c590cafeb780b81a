/** Beside the spine, client. What a live list follows between two times that it is loaded, and what it is loaded again after. */
import type { CodesWith, ErrorCode } from '../errors.ts'
import { SubscriptionError } from './subscription-error.ts'

/** Beside RESYNC_REQUIRED: what the rows have to be had again after. The column of the error table. */
type AgainCodes = Readonly<Record<CodesWith<{ clientGoesOn: 'rows' }>, true>>

const BEGINS_AGAIN: AgainCodes = { FIRST_ROWS_FAILED: true, LIST_TOO_COSTLY: true }

/** Whether the rows have to be had again. */
export function beginsAgain({ code }: SubscriptionError): boolean {
  return code === 'RESYNC_REQUIRED' || (code !== null && Object.hasOwn(BEGINS_AGAIN, code))
}

/** Whether a result of a list that the server keeps was longer than it delivers. */
export function isListTooLarge({ code }: SubscriptionError): boolean {
  return code === ('LIST_TOO_LARGE' satisfies ErrorCode)
}

const COSTLY_PAUSE_MS = 5_000
const COSTLY_PAUSE_MAX_MS = 300_000
/** After so long without another one, the next is the first again. */
const COSTLY_FORGOTTEN_MS = 2 * COSTLY_PAUSE_MAX_MS

/**
 * Pauses after LIST_TOO_COSTLY: the server reads a list that is opened again several times before it gives up again, and patches that come
 * meanwhile say nothing of the cost.
 */
export class CostlyPauses {
  #failures = 0
  #lastAtMs = Number.NEGATIVE_INFINITY

  /** Milliseconds; 0 after anything else. */
  next(failure: unknown): number {
    if (!(failure instanceof SubscriptionError)) return 0
    if (failure.code !== ('LIST_TOO_COSTLY' satisfies ErrorCode)) return 0
    const nowMs = performance.now()
    if (nowMs - this.#lastAtMs > COSTLY_FORGOTTEN_MS) this.#failures = 0
    this.#lastAtMs = nowMs
    this.#failures += 1
    return Math.min(COSTLY_PAUSE_MS * 2 ** (this.#failures - 1), COSTLY_PAUSE_MAX_MS)
  }
}

/** From one cursor until the list is loaded again. */
export class Round {
  readonly #ending = new AbortController()
  readonly #outer: AbortSignal
  readonly #onOuter = () => this.end()
  isReloading = false
  /** The cursor of the next round, once the list has been loaded again. */
  next: string | null = null

  constructor(outer: AbortSignal) {
    this.#outer = outer
    outer.addEventListener('abort', this.#onOuter)
    if (outer.aborted) this.end()
  }

  get signal(): AbortSignal {
    return this.#ending.signal
  }

  end(next: string | null = null): void {
    if (this.signal.aborted) return
    this.next = next
    this.#outer.removeEventListener('abort', this.#onOuter)
    this.#ending.abort()
  }
}
