/**
 * Sets, between stages 6 and 7. The key sets that conditions ask, each kept once however many ask for it, and brought through
 * the transactions one behind the other, its inputs first. A set that waits for the database keeps those waiting that ask
 * it, and nobody else; one that fails fails them.
 */
import { createChangeFilter } from '../bus/filter/change-filter.ts'
import { type Condition, type KeySetSpec, keySetsOf } from '../bus/filter/condition.ts'
import { createFilterIndex, type FilterIndex } from '../bus/filter/filter-index.ts'
import { cannotGoOn } from '../bus/resync-required.ts'
import type { AnyChange } from '../changes/change.ts'
import { invariant, RowcastError } from '../errors.ts'
import { KeySet, type KeySetReading, type KeySets } from './key-set.ts'
import type { StreamTransaction } from './rows-at.ts'

/** The sets of somebody's conditions. */
export interface HeldSets {
  /** One of them, once they are ready. */
  readonly get: KeySets
  /** Resolves once they have been brought through all that came by now. @throws what ended one of them */
  ready(): Promise<void>
  /** Lets them go. */
  release(): void
}

/** Equal for sets of the same keys. */
type SetId = string | KeySetSpec

interface HeldSet {
  readonly spec: KeySetSpec
  readonly inputs: ReadonlyMap<SetId, HeldSet>
  /** Sets that ask it. */
  readonly dependents: Set<HeldSet>
  /** Inputs have lower ones than those that ask them. */
  readonly sequence: number
  holders: number
  /** Null until it is loaded. */
  set: KeySet | null
  /** While it is behind: the transaction that it has been brought through, or is loaded at. */
  ordinal: number
  /** Steps that it has still to take; none: it has been brought through all that came. */
  pending: number
  /** Keys that count for all sets together. */
  kept: number
  /** Settles when all that came so far has been taken; rejects for good with what ended it. */
  tail: Promise<void>
}

/** The bounds of all sets together. */
export interface SetGraphLimits {
  /** Keys, those included that somebody may still ask for. @default 2_000_000 */
  readonly keysMax: number
  /** Transactions that may wait for one set. @default 10_000 */
  readonly pendingMax: number
}

const SET_GRAPH_LIMITS: SetGraphLimits = { keysMax: 2_000_000, pendingMax: 10_000 }

/** All sets of one process. */
export class SetGraph {
  readonly #reading: KeySetReading
  readonly #limits: SetGraphLimits
  readonly #held = new Map<SetId, HeldSet>()
  /** Those that a write may concern, by model. */
  readonly #written = new Map<string, FilterIndex<HeldSet>>()
  #sequence = 0
  #ordinal: number
  #kept = 0

  /** @param ordinal the transaction that the stream has come to */
  constructor(ordinal: number, reading: KeySetReading, limits: Partial<SetGraphLimits> = {}) {
    this.#ordinal = ordinal
    this.#reading = reading
    this.#limits = { ...SET_GRAPH_LIMITS, ...limits }
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
    return {
      get: (spec) => loadedOf(held, spec),
      ready: async () => {
        await Promise.all([...held.values()].map(({ tail }) => tail))
      },
      release: () => {
        for (const one of held.values()) this.#release(one)
      },
    }
  }

  /** Takes the next transaction. Sets that it does not concern, nor their inputs, are as they were. */
  advance(transaction: StreamTransaction): void {
    const { ordinal, models } = transaction
    this.#ordinal = ordinal
    if (models?.size === 0) return
    for (const held of this.#concernedBy(transaction)) {
      this.#enqueue(held, async () => {
        await held.set?.advance(transaction, this.#reading.readRows)
        held.ordinal = ordinal
      })
    }
  }

  /** The sets whose rows it may have written, and those that ask them: inputs first. */
  #concernedBy(transaction: StreamTransaction): readonly HeldSet[] {
    const concerned = new Set<HeldSet>()
    for (const [model, index] of this.#written) {
      if (transaction.models?.has(model) === false) continue
      for (const held of writtenBy(index, transaction.changesOf(model))) concerned.add(held)
    }
    // Those that are added meanwhile are visited as well.
    for (const held of concerned) for (const each of held.dependents) concerned.add(each)
    return [...concerned].sort((a, b) => a.sequence - b.sequence)
  }

  /** Forgets how the sets were before a transaction, as far as none of them is itself before it. */
  prune(ordinal: number): void {
    const behind = [...this.#held.values()].filter(({ pending }) => pending > 0)
    const least = behind.reduce((least, held) => Math.min(least, held.ordinal), ordinal)
    for (const held of this.#held.values()) {
      const { set } = held
      set?.keys.prune(least)
      this.#count(held)
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
    const held: HeldSet = {
      ...{ spec, inputs, holders: 1, set: null, ordinal, pending: 0, kept: 0 },
      ...{ dependents: new Set<HeldSet>(), sequence: this.#sequence, tail: Promise.resolve() },
    }
    this.#sequence += 1
    this.#held.set(id, held)
    this.#index(held)
    this.#enqueue(held, async () => {
      held.set = await KeySet.load(spec, (input) => loadedOf(inputs, input), ordinal, this.#reading)
    })
    return held
  }

  #release(held: HeldSet): void {
    held.holders -= 1
    if (held.holders > 0) return
    this.#forget(held)
    for (const input of held.inputs.values()) this.#release(input)
  }

  #forget(held: HeldSet): void {
    if (this.#held.get(idOf(held.spec)) === held) this.#held.delete(idOf(held.spec))
    this.#kept -= held.kept
    held.kept = 0
    const { name } = held.spec.model
    const index = this.#written.get(name)
    index?.remove(held)
    if (index?.size.subscribers === 0) this.#written.delete(name)
    for (const input of held.inputs.values()) input.dependents.delete(held)
  }

  #index(held: HeldSet): void {
    const { model, condition, counts } = held.spec
    const index = this.#written.get(model.name) ?? createFilterIndex<HeldSet>(model)
    this.#written.set(model.name, index)
    // Rows that count where it is not false cannot be found by their values.
    index.add(held, counts === 'true' ? createChangeFilter({ where: condition }) : null)
    for (const input of held.inputs.values()) input.dependents.add(held)
  }

  /** Runs a step behind those before it, and behind what the inputs have been asked so far. */
  #enqueue(held: HeldSet, step: () => Promise<void>): void {
    const before = [held.tail, ...[...held.inputs.values()].map(({ tail }) => tail)]
    if (held.pending >= this.#limits.pendingMax) before.push(Promise.reject(tooSlow(held.spec)))
    held.pending += 1
    held.tail = Promise.all(before).then(async () => {
      await step()
      held.pending -= 1
      this.#count(held)
      if (this.#kept > this.#limits.keysMax) throw tooManyKeys(held.spec, this.#limits.keysMax)
    })
    // Whoever waits for the set gets the failure. Who asks for it next gets one that is loaded again.
    held.tail.catch(() => this.#forget(held))
  }

  #count(held: HeldSet): void {
    const kept = this.#held.get(idOf(held.spec)) === held ? (held.set?.keys.kept ?? 0) : 0
    this.#kept += kept - held.kept
    held.kept = kept
  }
}

/** Of more changes it is not looked which sets each concerns: all take them. */
const LOOKED_UP_MAX = 1_000

function writtenBy(index: FilterIndex<HeldSet>, changes: Iterable<AnyChange>): Iterable<HeldSet> {
  const found = new Set<HeldSet>()
  let count = 0
  for (const change of changes) {
    count += 1
    const isWhole = change.action === 'INSERT' || change.action === 'TRUNCATE' || change.old !== null
    if (count > LOOKED_UP_MAX || !isWhole) return index.all()
    for (const held of index.candidates(change)) found.add(held)
  }
  return found
}

function tooSlow({ model }: KeySetSpec): RowcastError {
  return cannotGoOn('related rows change faster than they can be followed', model.name)
}

function tooManyKeys({ model }: KeySetSpec, keysMax: number): RowcastError {
  return new RowcastError(
    'FILTER_TOO_BROAD',
    `All conditions on related rows together, one on ${model.name} among them, have more than ${keysMax} keys.`,
    { details: { keysMax } },
  )
}

function loadedOf(held: ReadonlyMap<SetId, HeldSet>, spec: KeySetSpec): KeySet {
  const set = held.get(idOf(spec))?.set
  invariant(set !== null && set !== undefined, 'A set is asked once it is loaded, by those who hold it.')
  return set
}

/** Equal for sets of the same keys. */
export function idOf(spec: KeySetSpec): SetId {
  return spec.text ?? spec
}
