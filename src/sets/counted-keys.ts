/**
 * Sets, between stages 6 and 7. The keys of a set, each with the number of rows that have it, as they were after each of the last
 * transactions: whoever follows the data is at a position of its own.
 */
import type { ValueKey } from '../bus/filter/value-domain.ts'
import { RowcastError } from '../errors.ts'
import { RELATED_ROWS_BOUNDS, type SetLimits } from './related-rows-options.ts'

/** A key, by the values of its fields. */
export type KeyValues = readonly unknown[]

/** Keys, and the values they were made of. */
export type KeyMap = ReadonlyMap<ValueKey, KeyValues>

/** What a transaction does to the counts. */
export interface KeyCounts {
  /** Whether all rows were removed first: a TRUNCATE. */
  readonly isCleared: boolean
  readonly counts: ReadonlyMap<ValueKey, { readonly values: KeyValues; readonly count: number }>
}

/** There is one for each key of each set: what most of them do not need takes no memory. */
interface Entry {
  count: number
  /** Null where the key itself is the one value. */
  readonly values: KeyValues | null
  /** The transactions that put the key in or took it out, ascending, as far as somebody may still be before them. */
  toggles: readonly number[]
}

const NO_TOGGLES: readonly number[] = []

/** One set. Transactions are named by their number in commit order. */
export class CountedKeys {
  readonly #name: string
  readonly #keysMax: number
  readonly #entries = new Map<ValueKey, Entry>()
  /** Which keys each of the last transactions put in or took out. */
  readonly #toggled = new Map<number, KeyMap>()
  #size = 0

  /** @param name what is being counted, for the error */
  constructor(name: string, { keysMax = RELATED_ROWS_BOUNDS.keysMax }: Partial<SetLimits> = {}) {
    this.#name = name
    this.#keysMax = keysMax
  }

  /** Keys that are in after the last transaction. */
  get size(): number {
    return this.#size
  }

  /** Whether somebody may ask for what was before the last transaction. */
  get hasPast(): boolean {
    return this.#toggled.size > 0
  }

  /** Keys that are kept, those included that somebody may still ask for. */
  get kept(): number {
    return this.#entries.size
  }

  /** Whether the key was in after a transaction. */
  has(key: ValueKey, at: number): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    let isIn = entry.count > 0
    for (let index = entry.toggles.length - 1; index >= 0; index--) {
      if ((entry.toggles[index] as number) <= at) break
      isIn = !isIn
    }
    return isIn
  }

  /** The last transaction up to one that put the key in or took it out; null where it is not known any more. */
  toggledLast(key: ValueKey, at: number): number | null {
    return this.#entries.get(key)?.toggles.findLast((number) => number <= at) ?? null
  }

  /** The keys that are in after the last transaction. */
  *all(): Iterable<ValueKey> {
    for (const [key, { count }] of this.#entries) if (count > 0) yield key
  }

  /** The keys that were in after a transaction. */
  keysAt(at: number): KeyMap {
    const keys = new Map<ValueKey, KeyValues>()
    for (const [key, entry] of this.#entries) if (this.has(key, at)) keys.set(key, valuesOf(key, entry))
    return keys
  }

  /** The keys that a transaction put in or took out. */
  toggledBy(at: number): KeyMap {
    return this.#toggled.get(at) ?? NO_KEYS
  }

  /**
   * Takes what a transaction does; each is later than the one before.
   * @throws FILTER_TOO_BROAD when the set has more keys than it may.
   */
  apply(at: number, { isCleared, counts }: KeyCounts): void {
    const wasIn = new Map<ValueKey, boolean>()
    if (isCleared) {
      for (const [key, entry] of this.#entries) this.#count(key, valuesOf(key, entry), -entry.count, wasIn)
    }
    for (const [key, { values, count }] of counts) this.#count(key, values, count, wasIn)
    const toggled = new Map<ValueKey, KeyValues>()
    for (const [key, was] of wasIn) {
      const entry = this.#entries.get(key) as Entry
      const isIn = entry.count > 0
      if (was !== isIn) {
        entry.toggles = [...entry.toggles, at]
        toggled.set(key, valuesOf(key, entry))
        this.#size += isIn ? 1 : -1
      } else if (!isIn && entry.toggles.length === 0) {
        this.#entries.delete(key)
      }
    }
    if (toggled.size > 0) this.#toggled.set(at, toggled)
    this.check(this.#size)
  }

  /** @throws FILTER_TOO_BROAD for more keys than a set may have. */
  check(size: number): void {
    const keysMax = this.#keysMax
    if (size <= keysMax) return
    throw new RowcastError('FILTER_TOO_BROAD', `${this.#name} has more than ${keysMax} keys.`, {
      details: { keysMax },
    })
  }

  /** Forgets what was before a transaction: nobody is there any more. */
  prune(at: number): void {
    for (const [number, keys] of this.#toggled) {
      if (number > at) break
      this.#toggled.delete(number)
      for (const key of keys.keys()) this.#pruneKey(key, at)
    }
  }

  #count(key: ValueKey, values: KeyValues, delta: number, wasIn: Map<ValueKey, boolean>): void {
    const known = this.#entries.get(key)
    const isPlain = values.length === 1 && values[0] === key
    const entry = known ?? { count: 0, values: isPlain ? null : values, toggles: NO_TOGGLES }
    if (known === undefined) this.#entries.set(key, entry)
    if (!wasIn.has(key)) wasIn.set(key, entry.count > 0)
    entry.count += delta
  }

  #pruneKey(key: ValueKey, at: number): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    const kept = entry.toggles.filter((number) => number > at)
    entry.toggles = kept.length === 0 ? NO_TOGGLES : kept
    if (entry.count <= 0 && entry.toggles.length === 0) this.#entries.delete(key)
  }
}

const NO_KEYS: KeyMap = new Map()

function valuesOf(key: ValueKey, { values }: Entry): KeyValues {
  return values ?? [key]
}
