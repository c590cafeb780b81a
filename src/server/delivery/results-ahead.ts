/**
 * Stage 8, server. Results of one subscription that were begun before the one in front of them is there: what they read from
 * the database is read together. Bounded in number, and in characters of those that are there.
 */
import type { DeliveryPull } from '../../bus/bus.ts'
import { type DeliveryResult, FailedResult } from './result-text.ts'

/** A result on its way, and what it is of. */
export interface AheadResult {
  readonly delivery: unknown
  /** Null until it is there. */
  result: DeliveryResult | null
  /** Resolves with it; rejects only with what `onFailure` was given. */
  pending: DeliveryResult | Promise<DeliveryResult>
}

/** Results that one subscription waits for at a time. */
const RESULTS_MAX = 100
/** Characters of results that are there and have to wait for an earlier one. */
const CHARACTERS_MAX = 1024 * 1024

/** What results ahead need. */
export interface ResultsAheadOptions {
  /** Begins one; never throws, never rejects. */
  readonly resultOf: (delivery: unknown) => DeliveryResult | Promise<DeliveryResult>
  /** The first of them is there, after it had to be waited for. */
  readonly onFirst: () => void
  /** What was done with a result that came has failed: nobody else would go on, so this ends the subscription. */
  readonly onFailure: (error: unknown) => void
}

/** The results, in order. */
export class ResultsAhead {
  readonly #entries: AheadResult[] = []
  readonly #resultOf: (delivery: unknown) => DeliveryResult | Promise<DeliveryResult>
  readonly #onFirst: () => void
  readonly #onFailure: (error: unknown) => void
  #characters = 0

  constructor({ resultOf, onFirst, onFailure }: ResultsAheadOptions) {
    this.#resultOf = resultOf
    this.#onFirst = onFirst
    this.#onFailure = onFailure
  }

  get first(): AheadResult | undefined {
    return this.#entries[0]
  }

  /** Adds a result that was begun. */
  add(delivery: unknown, pending: AheadResult['pending'] = this.#resultOf(delivery)): void {
    const entry: AheadResult = { delivery, pending, result: null }
    this.#entries.push(entry)
    if (pending instanceof Promise) {
      const settled = this.#settleLater(entry, pending)
      // Nobody may come for it.
      settled.catch(() => undefined)
      entry.pending = settled
    } else this.#settle(entry, pending)
  }

  /** Begins those of what the subscription has, as long as there is room and the first has to be waited for. */
  fill(pull: DeliveryPull<unknown>): void {
    while (this.#isWaiting && this.#entries.length < RESULTS_MAX && this.#characters < CHARACTERS_MAX) {
      const delivery = pull.take()
      if (delivery === undefined) return
      this.add(delivery)
    }
  }

  shift(): AheadResult | undefined {
    const entry = this.#entries.shift()
    if (entry !== undefined) this.#characters -= charactersOf(entry.result)
    return entry
  }

  clear(): void {
    this.#entries.length = 0
    this.#characters = 0
  }

  get #isWaiting(): boolean {
    return this.first?.result === null
  }

  async #settleLater(entry: AheadResult, pending: Promise<DeliveryResult>): Promise<DeliveryResult> {
    try {
      const result = await pending
      this.#settle(entry, result)
      return result
    } catch (error) {
      this.#onFailure(error)
      throw error
    }
  }

  #settle(entry: AheadResult, result: DeliveryResult): void {
    entry.result = result
    // One that was taken already, or given up.
    if (!this.#entries.includes(entry)) return
    this.#characters += charactersOf(result)
    if (entry.pending instanceof Promise && this.first === entry) this.#onFirst()
  }
}

function charactersOf(result: DeliveryResult | null): number {
  return result === null || result instanceof FailedResult ? 0 : result.text.length
}
