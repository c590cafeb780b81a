/**
 * Stage 6, bus. Finds the subscribers that a change may concern without asking each of them: by the values of
 * its images. One index holds the subscribers of one model.
 */
import type { ModelSpec } from '../../catalog/model-catalog.ts'
import type { AnyChange, AnyRow } from '../../changes/change.ts'
import { keyBefore } from '../../changes/key-before.ts'
import { invariant } from '../../errors.ts'
import { type Anchor, type Anchors, anchorsOf, fewest } from './anchors.ts'
import { type Bucket, itemsOf, withItem, withoutItem } from './bucket.ts'
import type { ChangeFilter } from './change-filter.ts'
import type { Condition, KeySetSpec } from './condition.ts'
import { newImage, oldImage } from './judge-change.ts'
import { type KeyFields, KeyPath, type LiveKeys, pathNameOf } from './key-path.ts'
import { rowKeyOf, type ValueDomain, type ValueKey } from './value-domain.ts'

/** What an index holds. */
export interface FilterIndexSize {
  readonly subscribers: number
  /** Those that every change has to ask. */
  readonly scanned: number
  /** Distinct values that are looked up. */
  readonly keys: number
}

/** The subscribers of one model, by what they ask for. */
export interface FilterIndex<S> {
  /** How many subscribers there are. */
  readonly count: number
  readonly size: FilterIndexSize
  /** Adds a subscriber; null asks for every change. @param keysOf gives the keys of the sets that the filter asks */
  add(subscriber: S, filter: ChangeFilter | null, keysOf?: KeysOf): void
  /** Removes a subscriber and all that was kept for it; one that is not there is no error. */
  remove(subscriber: S): void
  /** Those that every change may concern. */
  scanned(): readonly S[]
  /** Of the others, each that the change may concern, once. */
  found(change: AnyChange): readonly S[]
  /** Each subscriber that the change may concern, once: all whose verdict is not `miss`, and maybe others. */
  candidates(change: AnyChange): readonly S[]
  all(): readonly S[]
}

/** Gives the keys of a set. */
export type KeysOf = (set: KeySetSpec) => LiveKeys

/** Which part of a filter its anchors are of; it says which images they are looked up in. */
type Part = 'rows' | 'where' | 'old' | 'new'

const PARTS: readonly Part[] = ['rows', 'where', 'old', 'new']

interface Entry<S> {
  readonly subscriber: S
  /** Null for those that are asked about every change. */
  readonly placed: Placed | null
  /** The last search that found it. */
  search: number
}

interface Placed {
  readonly part: Part
  readonly anchors: readonly Anchor[]
  readonly related: readonly { readonly path: KeyFields; readonly keys: LiveKeys }[]
}

/** The subscribers anchored in values of one field that are compared one way. */
interface FieldIndex<S> {
  readonly field: string
  readonly domain: ValueDomain | null
  readonly buckets: Map<ValueKey, Bucket<Entry<S>>>
}

/** The subscribers that are found by one part of their filters. */
class PartIndex<S> {
  readonly fields = new Map<string, FieldIndex<S>>()
  readonly paths = new Map<string, KeyPath<Entry<S>>>()

  get isEmpty(): boolean {
    return this.fields.size + this.paths.size === 0
  }

  get keys(): number {
    let keys = 0
    for (const { buckets } of this.fields.values()) keys += buckets.size
    for (const { size } of this.paths.values()) keys += size
    return keys
  }
}

/**
 * An empty index for a model.
 * @param unsettled keys of sets that are not known at the time; null where conditions on related rows are asked about every change
 */
export function createFilterIndex<S>(
  model: ModelSpec,
  unsettled: ReadonlySet<LiveKeys> | null = null,
): FilterIndex<S> {
  return new AnchoredIndex<S>(model, unsettled)
}

class AnchoredIndex<S> implements FilterIndex<S> {
  readonly #model: ModelSpec
  readonly #unsettled: ReadonlySet<LiveKeys> | null
  readonly #entries = new Map<S, Entry<S>>()
  readonly #scanned = new Set<Entry<S>>()
  readonly #parts: Readonly<Record<Part, PartIndex<S>>> = {
    rows: new PartIndex(),
    where: new PartIndex(),
    old: new PartIndex(),
    new: new PartIndex(),
  }
  #searches = 0

  constructor(model: ModelSpec, unsettled: ReadonlySet<LiveKeys> | null) {
    this.#model = model
    this.#unsettled = unsettled
  }

  get count(): number {
    return this.#entries.size
  }

  get size(): FilterIndexSize {
    const keys = PARTS.reduce((sum, part) => sum + this.#parts[part].keys, 0)
    return { subscribers: this.#entries.size, scanned: this.#scanned.size, keys }
  }

  add(subscriber: S, filter: ChangeFilter | null, keysOf?: KeysOf): void {
    invariant(!this.#entries.has(subscriber), 'A subscriber was added to the filter index twice.')
    const placed = filter === null ? null : this.#place(filter, keysOf)
    const entry: Entry<S> = { subscriber, placed, search: 0 }
    this.#entries.set(subscriber, entry)
    if (placed === null) {
      this.#scanned.add(entry)
      return
    }
    const { fields, paths } = this.#parts[placed.part]
    for (const anchor of placed.anchors) addTo(fields, anchor, entry)
    for (const { path, keys } of placed.related) {
      const name = pathNameOf(path)
      const known = paths.get(name) ?? new KeyPath<Entry<S>>(path)
      paths.set(name, known)
      known.add(keys, entry)
    }
  }

  remove(subscriber: S): void {
    const entry = this.#entries.get(subscriber)
    if (entry === undefined) return
    this.#entries.delete(subscriber)
    this.#scanned.delete(entry)
    if (entry.placed === null) return
    const { part, anchors, related } = entry.placed
    const { fields, paths } = this.#parts[part]
    for (const anchor of anchors) removeFrom(fields, anchor, entry)
    for (const { path, keys } of related) {
      const name = pathNameOf(path)
      const known = paths.get(name)
      known?.remove(keys, entry)
      if (known?.isEmpty === true) paths.delete(name)
    }
  }

  all(): readonly S[] {
    return [...this.#entries.keys()]
  }

  scanned(): S[] {
    const found: S[] = []
    for (const entry of this.#scanned) found.push(entry.subscriber)
    return found
  }

  candidates(change: AnyChange): readonly S[] {
    return mayConcernAll(change) ? this.all() : this.#search(change, this.scanned())
  }

  found(change: AnyChange): readonly S[] {
    return mayConcernAll(change) ? this.all() : this.#search(change, [])
  }

  #search(change: AnyChange, found: S[]): readonly S[] {
    this.#searches += 1
    const { rows, where, old, new: after } = this.#parts
    const isForAll = !rows.isEmpty || !where.isEmpty
    // Images are decoded when they are first asked for; one that nobody asks for stays bytes.
    if (isForAll || !after.isEmpty) {
      const image = newImage(change)
      this.#find(found, rows, image, false)
      this.#find(found, where, image, true)
      this.#find(found, after, image, true)
    }
    if (isForAll || !old.isEmpty) {
      const image = oldImage(change)
      // What a policy cannot judge it hides; but the row before may have been seen.
      this.#find(
        found,
        rows,
        image === undefined ? (keyBefore(change) ?? undefined) : image,
        image === undefined,
      )
      this.#find(found, where, image, true)
      this.#find(found, old, image, true)
    }
    return found
  }

  #place(filter: ChangeFilter, keysOf: KeysOf | undefined): Placed | null {
    const anchors = PARTS.map((part) => this.#anchorsOf(filter[part], keysOf !== undefined))
    const best = fewest(anchors)
    const part = PARTS[anchors.indexOf(best)]
    if (best === null || part === undefined) return null
    const related = best.related.flatMap(({ fields, domains, set }) =>
      keysOf === undefined ? [] : [{ path: { fields, domains }, keys: keysOf(set) }],
    )
    return { part, anchors: best.anchors, related }
  }

  #anchorsOf(condition: Condition | null, hasKeys: boolean): Anchors | null {
    if (condition === null) return null
    return anchorsOf(condition, this.#model, hasKeys && this.#unsettled !== null)
  }

  /** @param findsUnknown whether a value that was not sent may be any */
  #find(
    found: S[],
    { fields, paths }: PartIndex<S>,
    image: AnyRow | null | undefined,
    findsUnknown: boolean,
  ): void {
    if (image === null) return
    for (const { field, domain, buckets } of fields.values()) {
      const key = keyOf(image?.[field], domain)
      if (key !== undefined) this.#take(found, itemsOf(key === null ? undefined : buckets.get(key)))
      else if (findsUnknown) for (const bucket of buckets.values()) this.#take(found, itemsOf(bucket))
    }
    if (this.#unsettled === null) return
    for (const path of paths.values()) this.#take(found, path.find(image, this.#unsettled))
  }

  #take(found: S[], entries: Iterable<Entry<S>>): void {
    for (const entry of entries) {
      if (entry.search === this.#searches) continue
      entry.search = this.#searches
      found.push(entry.subscriber)
    }
  }
}

/** Every set of rows is emptied, whatever it is; and a row that should be known may have been in any. */
function mayConcernAll({ action, isOldMissing }: AnyChange): boolean {
  return action === 'TRUNCATE' || isOldMissing === true
}

/** Key of a row's value; null where it has none of this kind, undefined where the value is not known. */
function keyOf(value: unknown, domain: ValueDomain | null): ValueKey | null | undefined {
  if (value === undefined) return undefined
  if (domain === null) return value === null ? '' : null
  return value === null ? null : rowKeyOf(domain, value)
}

function fieldKey({ field, domain }: Anchor): string {
  return `${field} ${domain?.name ?? ''}`
}

function addTo<S>(fields: Map<string, FieldIndex<S>>, anchor: Anchor, entry: Entry<S>): void {
  const { field, domain, key } = anchor
  const index: FieldIndex<S> = fields.get(fieldKey(anchor)) ?? { field, domain, buckets: new Map() }
  fields.set(fieldKey(anchor), index)
  const bucket = index.buckets.get(key)
  const next = withItem(bucket, entry)
  if (next !== bucket) index.buckets.set(key, next)
}

function removeFrom<S>(fields: Map<string, FieldIndex<S>>, anchor: Anchor, entry: Entry<S>): void {
  const name = fieldKey(anchor)
  const buckets = fields.get(name)?.buckets
  if (buckets === undefined) return
  if (withoutItem(buckets.get(anchor.key), entry) === undefined) buckets.delete(anchor.key)
  if (buckets.size === 0) fields.delete(name)
}
