/**
 * Stage 6, bus. Finds whom a row may concern by the keys of other rows: from the row's own key to the sets that have it, and from
 * these to those who ask them. One path is the fields of a model that the key is made of.
 */
import type { AnyRow } from '../../changes/change.ts'
import { type Bucket, itemsOf, withItem, withoutItem } from './bucket.ts'
import { relatedKeyOf } from './related-keys.ts'
import type { ValueDomain, ValueKey } from './value-domain.ts'

/** The keys of a set that follows the data. */
export interface LiveKeys {
  /** Those that are in. */
  all(): Iterable<ValueKey>
  /** Called for each that is put in or taken out. */
  readonly listeners: Set<KeyListener>
}

/** Whoever looks sets up by their keys. */
export interface KeyListener {
  onKey(keys: LiveKeys, key: ValueKey, isIn: boolean): void
}

/** Which keys. */
export interface KeyFields {
  readonly fields: readonly string[]
  readonly domains: readonly ValueDomain[]
}

/** What distinguishes a path from all others of a model. */
export function pathNameOf({ fields, domains }: KeyFields): string {
  return JSON.stringify([fields, domains.map(({ name }) => name)])
}

/** One path, and those who ask sets by it. */
export class KeyPath<Entry> implements KeyListener {
  readonly #fields: KeyFields
  readonly #entries = new Map<LiveKeys, Bucket<Entry>>()
  readonly #buckets = new Map<ValueKey, Bucket<LiveKeys>>()

  constructor(fields: KeyFields) {
    this.#fields = fields
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0
  }

  /** Distinct keys that are looked up. */
  get size(): number {
    return this.#buckets.size
  }

  add(keys: LiveKeys, entry: Entry): void {
    const known = this.#entries.get(keys)
    this.#entries.set(keys, withItem(known, entry))
    if (known !== undefined) return
    keys.listeners.add(this)
    for (const key of keys.all()) this.onKey(keys, key, true)
  }

  remove(keys: LiveKeys, entry: Entry): void {
    const rest = withoutItem(this.#entries.get(keys), entry)
    if (rest !== undefined) {
      this.#entries.set(keys, rest)
      return
    }
    this.#entries.delete(keys)
    keys.listeners.delete(this)
    for (const key of keys.all()) this.onKey(keys, key, false)
  }

  onKey(keys: LiveKeys, key: ValueKey, isIn: boolean): void {
    const bucket = this.#buckets.get(key)
    const next = isIn ? withItem(bucket, keys) : withoutItem(bucket, keys)
    if (next === undefined) this.#buckets.delete(key)
    else if (next !== bucket) this.#buckets.set(key, next)
  }

  /** Those that a row may concern. @param unsettled keys that are not known yet: any row may have one of them */
  *find(row: AnyRow | undefined, unsettled: ReadonlySet<LiveKeys>): Iterable<Entry> {
    const { fields, domains } = this.#fields
    const key = row === undefined ? undefined : relatedKeyOf(row, fields, domains)
    if (key === null) return
    if (key === undefined) {
      for (const entries of this.#entries.values()) yield* itemsOf(entries)
      return
    }
    for (const keys of itemsOf(this.#buckets.get(key))) yield* itemsOf(this.#entries.get(keys))
    if (unsettled.size <= this.#entries.size) {
      for (const keys of unsettled) yield* itemsOf(this.#entries.get(keys))
    } else {
      for (const [keys, entries] of this.#entries) if (unsettled.has(keys)) yield* itemsOf(entries)
    }
  }
}
