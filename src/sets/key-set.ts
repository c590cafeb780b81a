/**
 * Sets, between stages 6 and 7. One set of keys that follows the data: the keys of the rows of a model that satisfy a condition. The
 * condition may itself ask other sets, its inputs, which have to be brought through a transaction before.
 */
import { type ChangeConditions, type ChangeFilter, createChangeFilter } from '../bus/filter/change-filter.ts'
import { compileCondition, type RowTest } from '../bus/filter/compile-condition.ts'
import { fieldsOf, type KeySetSpec, type RelatedTest, relatedTests } from '../bus/filter/condition.ts'
import { isCounted, relatedKeyOf } from '../bus/filter/related-keys.ts'
import type { ValueKey } from '../bus/filter/value-domain.ts'
import type { AnyChange, AnyRow } from '../changes/change.ts'
import { invariant, RowcastError } from '../errors.ts'
import { CountedKeys, type KeyCounts, type KeyValues } from './counted-keys.ts'
import { inTurns, type ReadingTurns } from './in-turns.ts'
import { coverOf } from './keyed-rows.ts'
import { type RowRequest, rowsConcerned, type TransactionKeys } from './related-rows.ts'
import type { SetLimits } from './related-rows-options.ts'
import type { StreamTransaction } from './rows-at.ts'
import { WrittenRows } from './written-rows.ts'

/** Gives the rows requested, as they were after a transaction. */
export type ReadRows = (request: RowRequest, ordinal: number) => Promise<readonly AnyRow[]>

/** How sets are read, and what bounds them. */
export interface KeySetReading {
  readonly readRows: ReadRows
  /** @default RELATED_ROWS_BOUNDS */
  readonly limits?: Partial<SetLimits> | undefined
  /** @default at once */
  readonly turns?: ReadingTurns | undefined
}

/** Gives the sets that a condition asks. */
export type KeySets = (spec: KeySetSpec) => KeySet

/** One set. */
export class KeySet {
  readonly spec: KeySetSpec
  readonly keys: CountedKeys
  /** Called as soon as the keys are those after a transaction, before anybody else can look at them. */
  onToggled: ((ordinal: number) => void) | null = null
  readonly #inputs: TransactionKeys
  readonly #tests: readonly RelatedTest[]
  readonly #countsAt: (row: AnyRow, at: number) => boolean
  #ordinal: number

  private constructor(spec: KeySetSpec, inputs: KeySets, ordinal: number, limits: KeySetReading['limits']) {
    this.spec = spec
    this.keys = new CountedKeys(nameOf(spec), limits)
    this.#inputs = keysOf(inputs)
    this.#tests = relatedTests(spec.condition)
    this.#countsAt = membership(spec, inputs)
    this.#ordinal = ordinal
  }

  /** Reads a set as it was after a transaction; its inputs are there already. @throws FILTER_TOO_BROAD, FILTER_UNANSWERABLE */
  static async load(
    spec: KeySetSpec,
    inputs: KeySets,
    ordinal: number,
    { readRows, limits, turns }: KeySetReading,
  ): Promise<KeySet> {
    const set = new KeySet(spec, inputs, ordinal, limits)
    const counts = new Counts(spec)
    // Of rows that count where it is not false, none can be named.
    const cover =
      spec.counts === 'true' ? coverOf(spec.condition, (input) => set.#inputs.keysAt(input, ordinal)) : null
    const rows = await readRows({ model: spec.model, keyed: cover, ...neededOf(spec) }, ordinal)
    await inTurns(rows, turns, (row) => {
      if (!set.#countsAt(row, ordinal)) return
      counts.add(row, 1)
      set.keys.check(counts.counts.size)
    })
    set.keys.apply(ordinal, counts)
    set.keys.prune(ordinal)
    return set
  }

  /** The last transaction that the set has been brought through. */
  get ordinal(): number {
    return this.#ordinal
  }

  /** Brings the set through the next transaction, after its inputs. @throws FILTER_TOO_BROAD, FILTER_UNANSWERABLE, RESYNC_REQUIRED */
  async advance(transaction: StreamTransaction, { readRows, turns }: KeySetReading): Promise<void> {
    const { model } = this.spec
    const { ordinal } = transaction
    const written = new WrittenRows(model)
    const counts = new Counts(this.spec)
    const count = (change: AnyChange) => this.#count(change, written, counts, ordinal)
    await inTurns(transaction.changesOf(model.name), turns, count)
    const concerned = rowsConcerned(model, this.#tests, this.#inputs, ordinal)
    const request = concerned && { ...concerned, ...neededOf(this.spec) }
    const rows = request === null ? [] : await readRows(request, ordinal)
    await inTurns(rows, turns, (row) => {
      if (written.has(row)) return
      const moved = Number(this.#countsAt(row, ordinal)) - Number(this.#countsAt(row, ordinal - 1))
      if (moved !== 0) counts.add(row, moved)
    })
    try {
      this.keys.apply(ordinal, counts)
    } finally {
      // Where there are too many as well: they are taken out of indexes by what they are by then.
      this.onToggled?.(ordinal)
    }
    this.#ordinal = ordinal
  }

  #count(change: AnyChange, written: WrittenRows, counts: Counts, ordinal: number): void {
    if (change.action === 'TRUNCATE') {
      counts.clear()
      return
    }
    if (change.action !== 'INSERT' && change.old === null) throw unanswerable(this.spec)
    const oldAt = written.note(change) ? ordinal - 1 : ordinal
    if (change.old !== null && this.#countsAt(change.old, oldAt)) counts.add(change.old, -1)
    if (change.new !== null && this.#countsAt(change.new, ordinal)) counts.add(change.new, 1)
  }
}

/** The keys of sets, by transaction. */
export function keysOf(sets: KeySets): TransactionKeys {
  return {
    toggledBy: (set, at) => sets(set).keys.toggledBy(at),
    keysAt: (set, at) => sets(set).keys.keysAt(at),
  }
}

/** What of which rows a set needs. */
function neededOf({ condition, counts, fields }: KeySetSpec): Pick<RowRequest, 'narrowedBy' | 'fields'> {
  const narrowedBy = counts === 'true' ? condition : null
  return { narrowedBy, fields: new Set([...fields, ...fieldsOf(condition)]) }
}

/** What a transaction does to the counts of a set. */
class Counts implements KeyCounts {
  readonly #spec: KeySetSpec
  readonly counts = new Map<ValueKey, { readonly values: KeyValues; count: number }>()
  isCleared = false

  constructor(spec: KeySetSpec) {
    this.#spec = spec
  }

  clear(): void {
    this.counts.clear()
    this.isCleared = true
  }

  add(row: AnyRow, count: number): void {
    const { fields, domains } = this.#spec
    const key = relatedKeyOf(row, fields, domains)
    if (key === undefined) throw unanswerable(this.#spec)
    if (key === null) return
    const entry = this.counts.get(key)
    if (entry !== undefined) entry.count += count
    else this.counts.set(key, { values: fields.map((name) => row[name]), count })
  }
}

/** Whether a row counted after a transaction. What cannot be said of it must not be guessed. */
function membership(spec: KeySetSpec, inputs: KeySets): (row: AnyRow, at: number) => boolean {
  const testAt = compileAt(spec.condition, inputs)
  return (row, at) => {
    const isIn = isCounted(spec, testAt(row, at))
    if (isIn === undefined) throw unanswerable(spec)
    return isIn
  }
}

/** A condition, judged with the keys as they were after a transaction. */
export function compileAt(
  condition: KeySetSpec['condition'],
  sets: KeySets,
): (row: AnyRow, at: number) => ReturnType<RowTest> {
  let moment = 0
  const test = compileCondition(condition, (spec) => {
    const { keys } = sets(spec)
    return (key) => keys.has(key, moment)
  })
  return (row, at) => {
    moment = at
    return test(row)
  }
}

/** A filter that judges with the keys as they were after a transaction: the one that is asked for by then. */
export function filterAt(
  conditions: Partial<ChangeConditions>,
  sets: KeySets,
  at: () => number,
): ChangeFilter {
  const filter = createChangeFilter(conditions, null, (spec) => {
    const { keys } = sets(spec)
    return (key) => keys.has(key, at())
  })
  invariant(filter !== null, 'Live rows have conditions.')
  return filter
}

function nameOf({ model, fields }: KeySetSpec): string {
  return `The set of ${fields.join(' and ')} of ${model.name} that a condition on related rows asks for`
}

function unanswerable({ model }: KeySetSpec): RowcastError {
  return new RowcastError(
    'FILTER_UNANSWERABLE',
    `A condition on related rows cannot be answered for a row of ${model.name}.`,
  )
}
