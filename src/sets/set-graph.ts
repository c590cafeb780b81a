/**
 * Sets, between stages 6 and 7. The key sets that conditions ask, each kept once however many ask for it, and brought through
 * the transactions one behind the other, its inputs first. A set that waits for the database keeps those waiting that ask
 * it, and nobody else; one that fails fails them. Whoever judges changes by sets is named where a transaction may concern it.
 */
import { itemsOf, withItem, withoutItem } from '../bus/filter/bucket.ts'
import { createChangeFilter } from '../bus/filter/change-filter.ts'
import { type Condition, type KeySetSpec, keySetsOf } from '../bus/filter/condition.ts'
import type { LiveKeys } from '../bus/filter/key-path.ts'
import { cannotGoOn } from '../bus/resync-required.ts'
import { asError } from '../describe-error.ts'
import { invariant, RowcastError } from '../errors.ts'
import { ConcernedIndex } from './concerned-index.ts'
import { HeldSet, idOf, type SetId, type SetWatcher, type Watch } from './held-set.ts'
import { HurriedTurns } from './in-turns.ts'
import { KeySet, type KeySetReading, type KeySets } from './key-set.ts'
import { RELATED_ROWS_BOUNDS, type SetLimits } from './related-rows-options.ts'
import type { StreamTransaction } from './rows-at.ts'

/** The sets of somebody's conditions. */
export interface HeldSets {
  /** One of them, once they are ready. */
  readonly get: KeySets
  /** Whether they have been brought through all that came by now, and none of them has ended. */
  isSettled(): boolean
  /** Whether none of them has ended: whoever asks for the same now gets these. */
  areKept(): boolean
  /** Resolves once they have been brought through all that came by now. @throws what ended one of them */
  ready(): Promise<void>
  /** From the next transaction on, `advance` names the watcher where it may concern it. */
  watch(watch: Watch): void
  /** Names it no more. */
  unwatch(): void
  /** Lets them go. */
  release(): void
}

/** All sets of one process. */
export class SetGraph {
  readonly #reading: KeySetReading
  readonly #limits: SetLimits
  readonly #turns: HurriedTurns | undefined
  readonly #held = new Map<SetId, HeldSet>()
  /** The keys of those that have steps to take. */
  readonly #unsettled = new Set<LiveKeys>()
  /** Those with so many steps to take that none of them waits for a turn. */
  readonly #hurried = new Set<HeldSet>()
  /** Those that have ended, as long as somebody has them. */
  readonly #ended = new Set<HeldSet>()
  /** Those that a write may concern. */
  readonly #written = new ConcernedIndex<HeldSet>(this.#unsettled)
  readonly #watching = new ConcernedIndex<SetWatcher>(this.#unsettled)
  /** Those that are behind, or remember what was before. */
  readonly #moved = new Set<HeldSet>()
  #sequence = 0
  #ordinal: number
  #kept = 0

  /** @param ordinal the transaction that the stream has come to */
  constructor(ordinal: number, reading: KeySetReading) {
    this.#ordinal = ordinal
    this.#turns = reading.turns && new HurriedTurns(reading.turns)
    this.#reading = { ...reading, turns: this.#turns }
    this.#limits = { ...RELATED_ROWS_BOUNDS, ...reading.limits }
  }

  /** How many sets are kept. */
  get size(): number {
    return this.#held.size
  }

  /** How many keys they have. */
  get kept(): number {
    return this.#kept
  }

  /** The transaction that the stream has come to. */
  get ordinal(): number {
    return this.#ordinal
  }

  /** Holds the sets of these conditions, from the transaction on that the stream has come to. */
  hold(conditions: readonly Condition[]): HeldSets {
    const held = this.#holdAll(conditions)
    const all = [...held.values()]
    let watch: Watch | null = null
    const unwatch = (): void => {
      if (watch !== null) this.#unwatch(watch, held)
      watch = null
    }
    return {
      get: (spec) => loadedOf(held, spec),
      isSettled: () => {
        if (this.#unsettled.size === 0 && this.#ended.size === 0) return true
        for (const { pending } of all) if (pending > 0) return false
        return true
      },
      areKept: () => [...held].every(([id, each]) => this.#held.get(id) === each),
      ready: async () => {
        await Promise.all([...held.values()].map(({ tail }) => tail))
      },
      watch: (wanted) => {
        unwatch()
        watch = wanted
        this.#watch(wanted, held)
      },
      unwatch,
      release: () => {
        unwatch()
        for (const one of held.values()) this.#release(one)
      },
    }
  }

  /**
   * Takes the next transaction. Sets that it does not concern, nor their inputs, are as they were.
   * @param looked the same, as it is looked at now: sets take it when they can
   * @returns whom it may concern: by what it writes, or by a set that it may change. To all others it is as if it had not been.
   */
  advance(transaction: StreamTransaction, looked: StreamTransaction = transaction): Iterable<SetWatcher> {
    const { ordinal, models } = transaction
    this.#ordinal = ordinal
    if (models?.size === 0) return []
    const concerned = this.#watching.concernedBy(looked)
    for (const held of this.#concernedBy(looked)) {
      for (const watcher of itemsOf(held.watchers)) concerned.add(watcher)
      this.#enqueue(held, async () => {
        await held.set?.advance(transaction, this.#reading)
        held.ordinal = ordinal
      })
    }
    return concerned
  }

  #watch({ watcher, filters }: Watch, held: ReadonlyMap<SetId, HeldSet>): void {
    for (const one of held.values()) one.watchers = withItem(one.watchers, watcher)
    const keysOf = (spec: KeySetSpec) => heldOf(held, spec)
    for (const [model, filter] of filters) this.#watching.add(watcher, model, filter, keysOf)
  }

  #unwatch({ watcher, filters }: Watch, held: ReadonlyMap<SetId, HeldSet>): void {
    for (const one of held.values()) one.watchers = withoutItem(one.watchers, watcher)
    for (const { name } of filters.keys()) this.#watching.remove(watcher, name)
  }

  /** The sets whose rows it may have written, and those that ask them: inputs first. */
  #concernedBy(transaction: StreamTransaction): readonly HeldSet[] {
    const concerned = this.#written.concernedBy(transaction)
    // Those that are added meanwhile are visited as well.
    for (const held of concerned) for (const each of itemsOf(held.dependents)) concerned.add(each)
    return [...concerned].sort((a, b) => a.sequence - b.sequence)
  }

  /** Forgets how the sets were before a transaction, as far as none of them is itself before it. */
  prune(ordinal: number): void {
    let least = ordinal
    for (const held of this.#moved) if (held.pending > 0) least = Math.min(least, held.ordinal)
    for (const held of this.#moved) {
      const { set, pending } = held
      set?.keys.prune(least)
      this.#count(held)
      if (pending === 0 && set?.keys.hasPast !== true) this.#moved.delete(held)
    }
  }

  #holdAll(conditions: readonly Condition[]): ReadonlyMap<SetId, HeldSet> {
    const specs = new Map(conditions.flatMap(keySetsOf).map((spec) => [idOf(spec), spec]))
    return new Map([...specs].map(([id, spec]) => [id, this.#hold(id, spec)]))
  }

  #hold(id: SetId, spec: KeySetSpec): HeldSet {
    const known = this.#held.get(id)
    if (known !== undefined) {
      known.holders += 1
      return known
    }
    const ordinal = this.#ordinal
    const inputs = this.#holdAll([spec.condition])
    const held = new HeldSet(spec, inputs, this.#sequence, ordinal)
    this.#sequence += 1
    this.#held.set(id, held)
    this.#index(held)
    this.#enqueue(held, async () => {
      const set = await KeySet.load(spec, (input) => loadedOf(inputs, input), ordinal, this.#reading)
      held.set = set
      held.announce(set.keys.all(), () => true)
      set.onToggled = (at) => held.announce(set.keys.toggledBy(at).keys(), (key) => set.keys.has(key, at))
    })
    return held
  }

  #release(held: HeldSet): void {
    held.holders -= 1
    if (held.holders > 0) return
    this.#ended.delete(held)
    this.#forget(held)
    for (const input of held.inputs.values()) this.#release(input)
  }

  #forget(held: HeldSet): void {
    if (this.#held.get(idOf(held.spec)) === held) this.#held.delete(idOf(held.spec))
    this.#kept -= held.kept
    held.kept = 0
    this.#unsettled.delete(held)
    this.#hurry(held, false)
    this.#moved.delete(held)
    this.#written.remove(held, held.spec.model.name)
    for (const input of held.inputs.values()) input.dependents = withoutItem(input.dependents, held)
  }

  #index(held: HeldSet): void {
    const { model, condition, counts } = held.spec
    // Rows that count where it is not false cannot be found by their values.
    const filter = counts === 'true' ? createChangeFilter({ where: condition }) : null
    this.#written.add(held, model, filter, (spec) => heldOf(held.inputs, spec))
    for (const input of held.inputs.values()) input.dependents = withItem(input.dependents, held)
  }

  /** Runs a step behind those before it, and behind what the inputs have been asked so far. */
  #enqueue(held: HeldSet, step: () => Promise<void>): void {
    const before = [held.tail, ...[...held.inputs.values()].map(({ tail }) => tail)]
    if (held.pending >= this.#limits.waitingMax) before.push(Promise.reject(tooSlow(held.spec)))
    held.pending += 1
    if (this.#isHurried(held)) this.#hurry(held, true)
    this.#unsettled.add(held)
    this.#moved.add(held)
    held.tail = Promise.all(before).then(async () => {
      await this.#turns?.wait()
      if (held.failure !== null) throw held.failure
      // Nobody is to wait for what nobody asks for any more, nor the database to be asked.
      if (held.holders === 0) throw cannotGoOn('nobody asks for it any more', held.spec.model.name)
      await step()
      this.#count(held)
      if (this.#kept > this.#limits.allKeysMax) throw tooManyKeys(held.spec, this.#limits.allKeysMax)
      // A set that has ended is never settled.
      held.pending -= 1
      if (!this.#isHurried(held)) this.#hurry(held, false)
      if (held.pending === 0) this.#unsettled.delete(held)
    })
    // Whoever waits for the set gets the failure. Who asks for it next gets one that is loaded again.
    held.tail.catch((error: unknown) => {
      // The steps before are taken no more: whoever asks next has another set, which they would take turns from.
      held.failure ??= asError(error)
      if (held.holders > 0) this.#ended.add(held)
      this.#forget(held)
    })
  }

  /** Long before it is too slow. */
  #isHurried({ pending }: HeldSet): boolean {
    return pending > this.#limits.waitingMax / 2
  }

  #hurry(held: HeldSet, isHurried: boolean): void {
    if (this.#hurried.has(held) === isHurried) return
    if (isHurried) this.#hurried.add(held)
    else this.#hurried.delete(held)
    if (this.#turns !== undefined) this.#turns.isHurried = this.#hurried.size > 0
  }

  #count(held: HeldSet): void {
    const kept = this.#held.get(idOf(held.spec)) === held ? (held.set?.keys.kept ?? 0) : 0
    this.#kept += kept - held.kept
    held.kept = kept
  }
}

function tooSlow({ model }: KeySetSpec): RowcastError {
  return cannotGoOn('related rows change faster than they can be followed', model.name)
}

function tooManyKeys({ model }: KeySetSpec, allKeysMax: number): RowcastError {
  return new RowcastError(
    'FILTER_TOO_BROAD',
    `All conditions on related rows together, one on ${model.name} among them, have more than ${allKeysMax} keys.`,
    { details: { allKeysMax } },
  )
}

function heldOf(held: ReadonlyMap<SetId, HeldSet>, spec: KeySetSpec): HeldSet {
  const one = held.get(idOf(spec))
  invariant(one !== undefined, 'A set is asked by those who hold it.')
  return one
}

function loadedOf(held: ReadonlyMap<SetId, HeldSet>, spec: KeySetSpec): KeySet {
  const { set } = heldOf(held, spec)
  invariant(set !== null, 'A set is asked once it is loaded.')
  return set
}
