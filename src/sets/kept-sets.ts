/** Beside the spine, sets. The lists and totals of one process: whoever asks for the same one shares it. */
import { RowcastError } from '../errors.ts'
import type { KeptCounters } from './kept-parts.ts'
import type { KeptSet } from './kept-set.ts'
import type { KeptSubscription } from './kept-subscription.ts'

/** Different ones at once. */
const SETS_MAX = 1_000

/** What all of them cost, and how many there are. */
export interface KeptSetsCost extends Readonly<KeptCounters> {
  readonly sets: number
  readonly subscriptions: number
}

type AnyKeptSet = Pick<KeptSet<never, never, never>, 'subscribers' | 'isEnded'>

/** All of one process. */
export class KeptSets {
  readonly #sets = new Map<string | symbol, AnyKeptSet>()
  readonly counters: KeptCounters = { reads: 0, readMs: 0, snapshots: 0, patches: 0 }

  /**
   * Joins the one with this key; makes it where there is none. Null for a key that no other is the same as, as far as is known.
   * @throws LIST_TOO_COSTLY
   */
  join<Loaded, Shown, Event>(
    key: string | null,
    create: (onEnded: () => void) => KeptSet<Loaded, Shown, Event>,
  ): KeptSubscription<Event> {
    const name = key ?? Symbol('a list that nobody shares')
    // What has one key is of one kind.
    const known = this.#sets.get(name) as KeptSet<Loaded, Shown, Event> | undefined
    if (known?.isEnded === false) return known.subscribe()
    if (this.#sets.size >= SETS_MAX)
      throw new RowcastError(
        'LIST_TOO_COSTLY',
        `${SETS_MAX} different lists and totals are open: there is no room for another one.`,
      )
    const created = create(() => {
      if (this.#sets.get(name) === created) this.#sets.delete(name)
    })
    this.#sets.set(name, created)
    return created.subscribe()
  }

  cost(): KeptSetsCost {
    const subscriptions = [...this.#sets.values()].reduce((sum, { subscribers }) => sum + subscribers, 0)
    return { ...this.counters, sets: this.#sets.size, subscriptions }
  }
}
