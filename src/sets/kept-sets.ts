/** Beside the spine, sets. The lists and totals of one process: whoever asks for the same one shares it. */
import type { Account } from '../bus/holdings.ts'
import { RowcastError } from '../errors.ts'
import type { KeptCounters } from './kept-parts.ts'
import type { KeptSet } from './kept-set.ts'
import type { KeptSubscription } from './kept-subscription.ts'
import type { ReadBudget } from './read-budget.ts'
import { ReadBudgets } from './read-budgets.ts'
import { type CostBearer, SharedCost } from './shared-cost.ts'
import { UntakenPatches } from './untaken-patches.ts'

/** Beyond this share of what all may hold no other is read: it would be read for nothing. */
const FULL_SHARE = 0.9
/** Different ones at once. */
const SETS_MAX = 1_000
/** What one counts for in the budget of filters of a client that has it, beside its filter: nobody takes them all. */
const OPEN_COST = 40

/** What all of them cost, and how many there are. */
export interface KeptSetsCost extends Readonly<KeptCounters> {
  readonly sets: number
  readonly subscriptions: number
  /** How late the one is that is latest now, in milliseconds: how long a change has been here that it does not show, beyond its `every`. */
  readonly lateMs: number
}

/** One of them, and who pays for it. */
interface PaidSet {
  readonly set: Pick<KeptSet<never, never, never>, 'subscribers' | 'isEnded' | 'lateMs'>
  readonly cost: SharedCost
}

/** Who asks for one, and what its filter costs. */
export interface KeptSetOpener {
  /** Null for the process itself. */
  readonly account: Account | null
  readonly filterCost: number
  /** Milliseconds between two patches at the least. */
  readonly everyMs: number
}

/** How one of them belongs to all. */
export interface KeptSetHome {
  readonly onEnded: () => void
  readonly budget: ReadBudget
  /** How many bytes it holds now. @throws LIST_TOO_COSTLY */
  readonly weigh: (bytes: number) => void
  /** Of who pays for it now; null for the process itself. */
  readonly payer: () => Account | null
  /** It is about to be read. @throws LIST_TOO_COSTLY where it is a new one, and there is hardly any room */
  readonly checkRoom: () => void
}

/** Who reads one of them. */
export interface KeptSetReader extends Pick<KeptSetHome, 'checkRoom' | 'payer'> {
  readonly signal: AbortSignal
}

/** All of one process. */
export class KeptSets {
  readonly #bytesMax: number
  #bytes = 0
  readonly #sets = new Map<string | symbol, PaidSet>()
  /** What has not been taken: beside the rows of lists, a quarter of what these may hold. */
  readonly untaken: UntakenPatches
  readonly counters: KeptCounters = { reads: 0, readMs: 0, snapshots: 0, patches: 0, shownLateMs: 0 }
  readonly #budgets: ReadBudgets

  /** @param bytesMax of all of them together */
  constructor(bytesMax: number, monotonicMs = () => performance.now()) {
    this.#bytesMax = bytesMax
    this.#budgets = new ReadBudgets(monotonicMs)
    this.untaken = new UntakenPatches(bytesMax / 4)
  }

  /** What one of them may hold. */
  get ownBytesMax(): number {
    return this.#bytesMax / 4
  }

  /**
   * Joins the one with this key; makes it where there is none. Null for a key that no other is the same as, as far as is known.
   * @throws LIST_TOO_COSTLY, FILTER_TOO_COSTLY
   */
  join<Loaded, Shown, Event>(
    key: string | null,
    { account, filterCost, everyMs }: KeptSetOpener,
    create: (home: KeptSetHome) => KeptSet<Loaded, Shown, Event>,
  ): KeptSubscription<Event> {
    const name = key ?? Symbol('a list that nobody shares')
    const bearer: CostBearer = { account, cost: OPEN_COST + filterCost }
    const paid = this.#openOne(name) ?? this.#create(name, bearer, this.#budgets.open(name, everyMs), create)
    const { cost } = paid
    // What has one key is of one kind.
    const subscription = (paid.set as KeptSet<Loaded, Shown, Event>).subscribe()
    cost.enter(bearer)
    subscription.whenLeft(() => cost.leave(bearer))
    return subscription
  }

  #openOne(name: string | symbol): PaidSet | undefined {
    const known = this.#sets.get(name)
    return known?.set.isEnded === false ? known : undefined
  }

  #create<Loaded, Shown, Event>(
    name: string | symbol,
    opener: CostBearer,
    budget: ReadBudget,
    create: (home: KeptSetHome) => KeptSet<Loaded, Shown, Event>,
  ): PaidSet {
    if (this.#sets.size >= SETS_MAX)
      throw new RowcastError(
        'LIST_TOO_COSTLY',
        `${SETS_MAX} different lists and totals are open: there is no room for another one.`,
      )
    const cost = new SharedCost()
    cost.enter(opener)
    let held = 0
    const weigh = (bytes: number) => {
      this.#bytes += bytes - held
      held = bytes
      if (bytes > this.ownBytesMax) throw budget.refused(...TOO_LARGE)
      if (this.#bytes > this.#bytesMax) throw tooLargeList()
    }
    const checkRoom = () => {
      if (held === 0 && this.#bytes > this.#bytesMax * FULL_SHARE) throw tooLargeList()
    }
    const onEnded = () => {
      cost.end()
      this.#budgets.end(name, budget)
      this.#bytes -= held
      held = 0
      if (this.#sets.get(name) === paid) this.#sets.delete(name)
    }
    let paid: PaidSet | null = null
    try {
      paid = { set: create({ weigh, checkRoom, onEnded, budget, payer: () => cost.account }), cost }
    } catch (error) {
      // It never began: nobody would end what it costs.
      cost.end()
      throw error
    }
    this.#sets.set(name, paid)
    return paid
  }

  cost(): KeptSetsCost {
    let [subscriptions, lateMs] = [0, 0]
    for (const { set } of this.#sets.values()) {
      subscriptions += set.subscribers
      lateMs = Math.max(lateMs, set.lateMs)
    }
    return { ...this.counters, sets: this.#sets.size, subscriptions, lateMs }
  }
}

const TOO_LARGE = [
  'Its rows, or those of all lists together, take more memory than lists may.',
  'Ask for fewer rows (`take`), or raise `heldBytesMax`.',
] as const

/** What has more rows, or larger ones, than there is room for. */
function tooLargeList(): RowcastError {
  const [happened, hint] = TOO_LARGE
  return new RowcastError('LIST_TOO_COSTLY', happened, { hint })
}
