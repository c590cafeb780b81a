/** Beside the spine, observe. What the bus did, in plain numbers: it is notified of each change, so an increment is all it costs. */
import type { BusObserver, DropReason } from '../bus/bus-observer.ts'
import { CHANGE_ACTIONS, type ChangeAction, type TransactionPart } from '../changes/change.ts'
import { errorEntry, isRowcastError } from '../errors.ts'

/** Counts of one model. */
interface ModelCounts {
  readonly changes: Record<ChangeAction, number>
  readonly dropped: Record<DropReason, number>
  candidates: number
  resyncs: number
}

/** Transactions are grouped by their age into windows of so many milliseconds. */
const WINDOW_MS = 10_000

/** Counts what a bus does. */
export class ChangeCounters implements BusObserver {
  transactions = 0
  gaps = 0
  readonly models = new Map<string, ModelCounts>()
  /** Subscriptions that ended, by code; `left` without one. */
  readonly ends = new Map<string, number>([['left', 0]])
  readonly #now: () => number
  /** The longest way from a commit to here, in this window and the one before. */
  #delayMs = 0
  #delayBeforeMs = 0
  #windowMs = 0

  /** @param now wall clock, as commits are dated by one */
  constructor(models: readonly string[], now: () => number = Date.now) {
    this.#now = now
    for (const model of models) this.of(model)
  }

  of(model: string): ModelCounts {
    const known = this.models.get(model)
    if (known !== undefined) return known
    const changes = Object.fromEntries(CHANGE_ACTIONS.map((action) => [action, 0]))
    const created: ModelCounts = {
      changes: changes as Record<ChangeAction, number>,
      dropped: { conflated: 0, too_slow: 0 },
      candidates: 0,
      resyncs: 0,
    }
    this.models.set(model, created)
    return created
  }

  /** The longest way of a transaction from its commit to the bus, in the last 10 to 20 seconds; in milliseconds. */
  get delayMs(): number {
    this.#turnWindow()
    return Math.max(this.#delayMs, this.#delayBeforeMs)
  }

  onPublished({ changes, isFinal, transaction }: TransactionPart): void {
    for (let place = 0; place < changes.length; place += 1) {
      const change = changes.actionAt === undefined ? changes.at(place) : undefined
      const model = change?.model ?? changes.modelAt?.(place)
      const action = change?.action ?? changes.actionAt?.(place)
      if (model !== undefined && action !== undefined) this.of(model).changes[action] += 1
    }
    if (!isFinal) return
    this.transactions += 1
    this.#turnWindow()
    this.#delayMs = Math.max(this.#delayMs, this.#now() - transaction.committedAt.getTime())
  }

  onCandidates(model: string, count: number): void {
    this.of(model).candidates += count
  }

  onGap(): void {
    this.gaps += 1
  }

  onSubscriptionEnded(model: string, error: Error | null): void {
    const code = isRowcastError(error) ? error.code : null
    const reason = code ?? (error === null ? 'left' : 'BUG')
    this.ends.set(reason, (this.ends.get(reason) ?? 0) + 1)
    if (code !== null && errorEntry(code).endsAsResync) this.of(model).resyncs += 1
  }

  onDropped(model: string, count: number, why: DropReason): void {
    this.of(model).dropped[why] += count
  }

  #turnWindow(): void {
    const now = this.#now()
    const age = now - this.#windowMs
    // A clock that was set back begins a new window, too.
    if (age >= 0 && age < WINDOW_MS) return
    this.#delayBeforeMs = age >= 0 && age < 2 * WINDOW_MS ? this.#delayMs : 0
    this.#delayMs = 0
    this.#windowMs = now
  }
}
