/** Beside the spine, client. What a live list follows between two times that it is loaded, and what it is loaded again after. */
import type { CodesWith, ErrorCode } from '../errors.ts'
import { SubscriptionError } from './subscription-error.ts'
import { GrowingPauses } from './wait.ts'

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

/**
 * Pauses after LIST_TOO_COSTLY: the server refuses a list that is opened again at once, and patches that come meanwhile say nothing of the cost.
 */
export class CostlyPauses {
  readonly #pauses = new GrowingPauses({ firstMs: 5_000, maxMs: 300_000 })

  /** Milliseconds; 0 after anything else. */
  next(failure: unknown): number {
    const isCostly =
      failure instanceof SubscriptionError && failure.code === ('LIST_TOO_COSTLY' satisfies ErrorCode)
    return isCostly ? this.#pauses.next() : 0
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
