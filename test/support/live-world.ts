/**
 * A small database in memory, for the oracle of live sets: random transactions, the state after each of them, and snapshots
 * that see some of what commits later.
 */

import { compileCondition } from '../../src/bus/filter/compile-condition.ts'
import { TRUE } from '../../src/bus/filter/outcome.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelCatalog, ModelSpec } from '../../src/catalog/model-catalog.ts'
import type { AnyChange, AnyRow, ChangeAction } from '../../src/changes/change.ts'
import type { SnapshotReader, StreamTransaction } from '../../src/sets/rows-at.ts'
import { rowIdOf } from '../../src/sets/written-rows.ts'
import type { Tables } from './naive-keys.ts'
import { plainChange, plainTransaction } from './plain-change.ts'
import { MARK, tablesOf } from './relation-schema.ts'

/** Random numbers from a seed: mulberry32. */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }
}

/** Model → rows by their key. */
type State = ReadonlyMap<string, ReadonlyMap<string, AnyRow>>

/** A transaction of the world. */
export class WorldTransaction implements StreamTransaction {
  readonly ordinal: number
  /** As they are delivered: to whoever does not see marked rows. */
  readonly changes: AnyChange[] = []
  /** As the tables take them. */
  readonly writes: AnyChange[] = []

  constructor(ordinal: number) {
    this.ordinal = ordinal
  }

  get models(): ReadonlySet<string> {
    return new Set(this.changes.map(({ model }) => model))
  }

  *changesOf(model: string): Iterable<AnyChange> {
    for (const change of this.changes) if (change.model === model) yield change
  }
}

const VALUES: Readonly<Record<string, readonly unknown[]>> = {
  String: ['a', 'b'],
  Int: [1, 2, 3],
  Boolean: [true, false],
}

const WRITES_MAX = 5

/** What makes rows that are marked as deleted look as if they were not there: the real code, or a mutant. */
export interface SoftDeletes {
  readonly judgeVisibility: typeof import('../../src/changes/soft-delete.ts').judgeVisibility
  readonly unmarkedWhere: typeof import('../../src/sets/unmarked-where.ts').unmarkedWhere
}

/** How often tables are emptied, and which models' rows are marked instead of deleted. */
export interface WorldOptions {
  readonly transactions: number
  readonly truncates: number
  readonly marked: ReadonlySet<string>
  readonly softDeletes: SoftDeletes
}

/** A whole history. */
export class World {
  readonly models: readonly ModelSpec[]
  readonly transactions: WorldTransaction[] = []
  /** After each transaction; the first is the one before all. */
  readonly #states: State[] = []
  readonly #dice: Dice
  readonly #options: WorldOptions
  readonly #catalog: ModelCatalog

  constructor(catalog: ModelCatalog, dice: Dice, options: WorldOptions) {
    const { transactions } = options
    this.models = tablesOf(catalog)
    this.#catalog = catalog
    this.#dice = dice
    this.#options = options
    this.#states.push(this.#firstState())
    for (let ordinal = 1; ordinal <= transactions; ordinal++) this.#commit(ordinal)
  }

  tablesAt(ordinal: number): Tables {
    const state = this.#states[ordinal] as State
    const isThere = (name: string, row: AnyRow) => !this.#options.marked.has(name) || row[MARK] !== true
    return Object.fromEntries(
      [...state].map(([name, rows]) => [name, [...rows.values()].filter((row) => isThere(name, row))]),
    )
  }

  /**
   * Snapshots that see everything up to the transaction asked for, and some of what comes later.
   * @param isHasty whether they may be taken before all of that can be seen
   */
  snapshots(isHasty = false): SnapshotReader {
    return {
      read: async ({ model }, ordinal) => {
        const { state, reach } = this.#snapshot(ordinal, isHasty)
        const rows = [...(state.get(model.name)?.values() ?? [])].filter(this.#isRead(model))
        return { rows, later: async () => this.transactions.slice(ordinal, reach) }
      },
    }
  }

  /** As a query finds them that asks for rows that are not marked. */
  #isRead(model: ModelSpec): (row: AnyRow) => boolean {
    const { marked, softDeletes } = this.#options
    const where = softDeletes.unmarkedWhere(model, marked.has(model.name) ? MARK : undefined)
    if (where === null) return () => true
    const test = compileCondition(parseWhere(model, this.#catalog, where))
    return (row) => test(row) === TRUE
  }

  /** What is delivered of a write. */
  #deliver(transaction: WorldTransaction, model: ModelSpec, write: AnyChange): void {
    const { marked, softDeletes } = this.#options
    const add = (images: Pick<AnyChange, 'action' | 'old' | 'new'>) =>
      transaction.changes.push(changeOf(transaction, model, images))
    if (!marked.has(model.name) || write.action === 'TRUNCATE') {
      add(write)
      return
    }
    const { old, new: after } = write
    const reader = { isSet: (name: string, row: AnyRow) => row[name] != null && row[name] !== false }
    const message = { kind: write.action.toLowerCase(), oldKind: 'full', old, new: after }
    const seen = softDeletes.judgeVisibility(reader as never, MARK, message as never)
    if (seen === 'hidden' || seen === 'unknown') return
    add({ action: seen, old: seen === 'INSERT' ? null : old, new: seen === 'DELETE' ? null : after })
  }

  #firstState(): State {
    const state = new Map<string, Map<string, AnyRow>>()
    for (const model of this.models) {
      const rows = new Map<string, AnyRow>()
      for (let count = this.#dice.below(4); count > 0; count--) {
        const row = this.#row(model)
        rows.set(rowIdOf(model, row), row)
      }
      state.set(model.name, rows)
    }
    return state
  }

  #row(model: ModelSpec): AnyRow {
    return Object.fromEntries(model.fields.map(({ name }) => [name, this.#value(model, name)]))
  }

  #value(model: ModelSpec, name: string): unknown {
    const field = model.fields.find((candidate) => candidate.name === name)
    if (field?.isRequired === false && this.#dice.chance(0.2)) return null
    return this.#dice.pick(VALUES[field?.type ?? ''] ?? [])
  }

  #commit(ordinal: number): void {
    const transaction = new WorldTransaction(ordinal)
    const state = copyOf(this.#states[ordinal - 1] as State)
    for (let count = 1 + this.#dice.below(WRITES_MAX); count > 0; count--) this.#write(transaction, state)
    this.transactions.push(transaction)
    this.#states.push(state)
  }

  #write(transaction: WorldTransaction, state: Map<string, Map<string, AnyRow>>): void {
    const model = this.#dice.pick(this.models)
    const rows = state.get(model.name) as Map<string, AnyRow>
    const add = (action: ChangeAction, old: AnyRow | null, after: AnyRow | null) => {
      const write = changeOf(transaction, model, { action, old, new: after })
      transaction.writes.push(write)
      apply(rows, model, write)
      this.#deliver(transaction, model, write)
    }
    if (this.#dice.chance(this.#options.truncates)) {
      add('TRUNCATE', null, null)
      return
    }
    const existing = [...rows.values()]
    const fresh = this.#row(model)
    if (existing.length === 0 || this.#dice.chance(0.35)) {
      if (!rows.has(rowIdOf(model, fresh))) add('INSERT', null, fresh)
      return
    }
    const old = this.#dice.pick(existing)
    if (this.#dice.chance(0.3)) {
      add('DELETE', old, null)
      return
    }
    // One field, now and then all of them, the key included.
    const field = this.#dice.pick(model.fields).name
    const after = this.#dice.chance(0.2) ? fresh : { ...old, [field]: fresh[field] }
    const id = rowIdOf(model, after)
    if (id === rowIdOf(model, old) || !rows.has(id)) add('UPDATE', old, after)
  }

  /** Of two transactions that wrote one row, a snapshot does not see the later one alone. */
  #snapshot(ordinal: number, isHasty: boolean): { readonly state: State; readonly reach: number } {
    const first = isHasty ? Math.max(0, ordinal - this.#dice.below(2)) : ordinal
    const unseen: WorldTransaction[] = []
    const state = copyOf(this.#states[first] as State)
    const reach = first + this.#dice.below(this.transactions.length - first + 1)
    for (const later of this.transactions.slice(first, reach)) {
      if (this.#dice.chance(0.3) || unseen.some((other) => areInConflict(this.models, other, later))) {
        unseen.push(later)
        continue
      }
      for (const change of later.writes) {
        const model = this.models.find(({ name }) => name === change.model) as ModelSpec
        apply(state.get(model.name) as Map<string, AnyRow>, model, change)
      }
    }
    return { state, reach }
  }
}

function changeOf(
  transaction: WorldTransaction,
  model: ModelSpec,
  images: Pick<AnyChange, 'action' | 'old' | 'new'>,
): AnyChange {
  const keyOf = (row: AnyRow) => Object.fromEntries(model.primaryKey.map((name) => [name, row[name]]))
  const row = images.new ?? images.old
  const oldKey = images.action === 'UPDATE' && images.old !== null ? keyOf(images.old) : null
  const isRekeyed = oldKey !== null && rowIdOf(model, oldKey) !== rowIdOf(model, row as AnyRow)
  return plainChange({
    ...{ action: images.action, old: images.old, new: images.new },
    model: model.name,
    key: row === null ? null : keyOf(row),
    oldKey: isRekeyed ? oldKey : null,
    index: transaction.changes.length,
    transaction: plainTransaction(transaction.ordinal),
  })
}

function copyOf(state: State): Map<string, Map<string, AnyRow>> {
  return new Map([...state].map(([name, rows]) => [name, new Map(rows)]))
}

function apply(rows: Map<string, AnyRow>, model: ModelSpec, change: AnyChange): void {
  if (change.action === 'TRUNCATE') rows.clear()
  if (change.old !== null) rows.delete(rowIdOf(model, change.old))
  if (change.new !== null) rows.set(rowIdOf(model, change.new), change.new)
}

/** Whether the one has to wait for the other: they write one row, or one of them empties a table of the other's. */
function areInConflict(models: readonly ModelSpec[], a: WorldTransaction, b: WorldTransaction): boolean {
  const idsOf = (change: AnyChange) => {
    const model = models.find(({ name }) => name === change.model) as ModelSpec
    return [change.old, change.new].flatMap((row) => (row === null ? [] : [rowIdOf(model, row)]))
  }
  return a.writes.some((one) =>
    b.writes.some((other) => {
      if (one.model !== other.model) return false
      if (one.action === 'TRUNCATE' || other.action === 'TRUNCATE') return true
      const ids = idsOf(other)
      return idsOf(one).some((id) => ids.includes(id))
    }),
  )
}
