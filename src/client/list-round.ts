/** Beside the spine, client. What a live list follows between two times that it is loaded, and what it is loaded again after. */
import type { CodesWith } from '../errors.ts'
import type { SubscriptionError } from './subscription-error.ts'

/** Beside RESYNC_REQUIRED: what the rows have to be had again after. The column of the error table. */
type AgainCodes = Readonly<Record<CodesWith<{ clientGoesOn: 'rows' }>, true>>

const BEGINS_AGAIN: AgainCodes = { FIRST_ROWS_FAILED: true, LIST_TOO_COSTLY: true }

/** Whether the rows have to be had again. */
export function beginsAgain({ code }: SubscriptionError): boolean {
  return code === 'RESYNC_REQUIRED' || (code !== null && Object.hasOwn(BEGINS_AGAIN, code))
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
