/**
 * Stage 8, server. Results of one subscription that were begun before the one in front of them is there: what they read from
 * the database is read together. Bounded in changes, and in characters of those that are there.
 */
import type { DeliveryPull } from '../../bus/bus.ts'
import { type DeliveryResult, FailedResult } from './result-text.ts'
import type { ResultsOnTheirWay } from './results-on-their-way.ts'
import { changesOf } from './shared-event.ts'

/** A result on its way, and what it is of. */
export interface AheadResult {
  readonly delivery: unknown
  /** Null until it is there. */
  result: DeliveryResult | null
  /** Resolves with it; rejects only with what `onFailure` was given. */
  pending: DeliveryResult | Promise<DeliveryResult>
  readonly changes: number
}

/** Changes in results that one subscription waits for at a time: each reads what it is shown with. One result may have more. */
const CHANGES_MAX = 100
/** Characters of results that are there and have to wait for an earlier one. */
const CHARACTERS_MAX = 1024 * 1024

/** The longest that others wait for the results that one of many subscriptions begins at once, beside the one that is begun when it is over. */
const BEGINNING_MS = 1

/** What results ahead need. */
export interface ResultsAheadOptions {
  readonly all: ResultsOnTheirWay
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
  readonly #all: ResultsOnTheirWay
  readonly #resultOf: (delivery: unknown) => DeliveryResult | Promise<DeliveryResult>
  readonly #onFirst: () => void
  readonly #onFailure: (error: unknown) => void
  #characters = 0
  #changes = 0
  /** Whether the last that were begun were fewer than there is room for. */
  #isCut = false

  constructor({ all, resultOf, onFirst, onFailure }: ResultsAheadOptions) {
    this.#all = all
    this.#resultOf = resultOf
    this.#onFirst = onFirst
    this.#onFailure = onFailure
  }

  get first(): AheadResult | undefined {
    return this.#entries[0]
  }

  /** Adds a result that was begun. */
  add(delivery: unknown, pending: AheadResult['pending'] = this.#resultOf(delivery)): void {
    const entry: AheadResult = { delivery, pending, result: null, changes: changesOf(delivery) }
    this.#entries.push(entry)
    this.#changes += entry.changes
    if (pending instanceof Promise) {
      const settled = this.#settleLater(entry, pending)
      // Nobody may come for it.
      settled.catch(() => undefined)
      entry.pending = settled
    } else this.#settle(entry, pending)
  }

  /**
   * Begins those of what the subscription has, as long as there is room and the first has to be waited for.
   * @returns false where there is more to begin, and others are to have their turn before
   */
  fill(pull: DeliveryPull<unknown>): boolean {
    this.#isCut = !this.#begin(pull)
    return !this.#isCut
  }

  /** The same where the last time was over before. Else nothing: what is begun one by one is read one by one. */
  fillOn(pull: DeliveryPull<unknown>): boolean {
    return !this.#isCut || this.fill(pull)
  }

  #begin(pull: DeliveryPull<unknown>): boolean {
    const untilMs = this.#all.nowMs + BEGINNING_MS
    while (this.#isWaiting && this.#hasRoom) {
      const delivery = pull.take()
      if (delivery === undefined) return true
      this.add(delivery)
      if (this.#all.isCrowded && this.#all.nowMs >= untilMs) return false
    }
    return true
  }

  shift(): AheadResult | undefined {
    const entry = this.#entries.shift()
    if (entry === undefined) return undefined
    this.#characters -= charactersOf(entry.result)
    this.#changes -= entry.changes
    return entry
  }

  clear(): void {
    this.#entries.length = 0
    this.#characters = 0
    this.#changes = 0
  }

  get #hasRoom(): boolean {
    return this.#all.hasRoom && this.#changes < CHANGES_MAX && this.#characters < CHARACTERS_MAX
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
