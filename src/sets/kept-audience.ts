/**
 * Beside the spine, sets. Those who have what is kept: whoever waits for the whole, those who are given the same patches, and those who came between
 * two patches and were given something later than what was shown to all.
 */
import type { KeptSetParts, KeptState } from './kept-parts.ts'
import type { KeptSubscription } from './kept-subscription.ts'
import type { KeptPatch } from './untaken-patches.ts'

type Parts<Shown, Event> = Pick<KeptSetParts<never, Shown, Event>, 'snapshotOf' | 'patchOf' | 'counters'>

/**
 * States beside the one that was shown to all of which it is kept who was given them. Each of them is compared with what comes next, all in one turn,
 * and keeps its rows in memory: whoever was given another one gets the whole next, which is one for all.
 */
const BASES_MAX = 8

/** Those of one kept set. */
export class KeptAudience<Shown, Event> {
  readonly #parts: Parts<Shown, Event>
  readonly #subscriptions = new Set<KeptSubscription<Event>>()
  /** What they were given; null where that is not kept. */
  readonly #ahead = new Map<KeptSubscription<Event>, KeptState<Shown> | null>()
  /** What is kept of that since all were shown the same. */
  readonly #bases = new Set<KeptState<Shown>>()
  readonly #awaiting = new Set<KeptSubscription<Event>>()
  /** The whole as it was given: one object for all who get the same. */
  readonly #wholes = new WeakMap<KeptState<Shown>, Event>()

  constructor(parts: Parts<Shown, Event>) {
    this.#parts = parts
  }

  get size(): number {
    return this.#subscriptions.size
  }

  /** Whether somebody waits for the whole. */
  get isAwaiting(): boolean {
    return this.#awaiting.size > 0
  }

  add(subscription: KeptSubscription<Event>): void {
    this.#subscriptions.add(subscription)
  }

  delete(subscription: KeptSubscription<Event>): void {
    this.#subscriptions.delete(subscription)
    this.#awaiting.delete(subscription)
    this.#ahead.delete(subscription)
  }

  /**
   * The whole; null where it is not known: then `serve` gives it.
   * @param current it as it is; null where that is not known
   * @param shown as it was shown to all
   */
  wholeFor(
    subscription: KeptSubscription<Event>,
    current: KeptState<Shown> | null,
    shown: KeptState<Shown> | null,
  ): Event | null {
    if (current === null) {
      this.#awaiting.add(subscription)
      return null
    }
    if (current === shown) this.#ahead.delete(subscription)
    else this.#ahead.set(subscription, this.#keptBase(current))
    this.#parts.counters.snapshots += 1
    const known = this.#wholes.get(current)
    if (known !== undefined) return known
    const whole = this.#parts.snapshotOf(current)
    this.#wholes.set(current, whole)
    return whole
  }

  #keptBase(base: KeptState<Shown>): KeptState<Shown> | null {
    if (this.#bases.size < BASES_MAX) this.#bases.add(base)
    return this.#bases.has(base) ? base : null
  }

  /** Gives the whole to those who wait for it, where it is known. */
  serve(current: KeptState<Shown> | null, shown: KeptState<Shown> | null): void {
    if (current === null) return
    for (const subscription of this.#awaiting) {
      const whole = this.wholeFor(subscription, current, shown)
      if (whole !== null) subscription.give(whole)
    }
    this.#awaiting.clear()
  }

  /** Gives each what has changed of what he was given last; the whole where that is not kept. @returns whether anything has */
  patch(before: KeptState<Shown>, state: KeptState<Shown>): boolean {
    const patches = new Map<KeptState<Shown>, KeptPatch<Event> | null>()
    let isWholeGiven = false
    for (const subscription of this.#subscriptions) {
      const ahead = this.#ahead.get(subscription)
      if (ahead === null) {
        isWholeGiven = true
        subscription.giveWhole()
        continue
      }
      const base = ahead ?? before
      if (!patches.has(base)) patches.set(base, this.#parts.patchOf(base.shown, state))
      const patch = patches.get(base) ?? null
      if (patch !== null) subscription.offer(patch)
    }
    this.#ahead.clear()
    this.#bases.clear()
    return isWholeGiven || [...patches.values()].some((patch) => patch !== null)
  }

  end(failure: { readonly error: unknown } | null): void {
    for (const subscription of [...this.#subscriptions]) subscription.end(failure)
  }
}
