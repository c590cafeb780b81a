/**
 * Stage 6, bus. Finds the subscribers that a change may concern without asking each of them: by the values of
 * its images. One index holds the subscribers of one model.
 */
import type { ModelSpec } from '../../catalog/model-catalog.ts'
import type { AnyChange, AnyRow } from '../../changes/change.ts'
import { invariant } from '../../errors.ts'
import { type Anchor, type Anchors, anchorsOf, fewest } from './anchors.ts'
import type { ChangeFilter } from './change-filter.ts'
import type { Condition } from './condition.ts'
import { newImage, oldImage } from './judge-change.ts'
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
  readonly size: FilterIndexSize
  /** Adds a subscriber; null asks for every change. */
  add(subscriber: S, filter: ChangeFilter | null): void
  /** Removes a subscriber and all that was kept for it; one that is not there is no error. */
  remove(subscriber: S): void
  /** Each subscriber that the change may concern, once: all whose verdict is not `miss`, and maybe others. */
  candidates(change: AnyChange): readonly S[]
  /** All of them. */
  all(): readonly S[]
}

/** Which part of a filter its anchors are of; it says which images they are looked up in. */
type Part = 'rows' | 'where' | 'old' | 'new'

const PARTS: readonly Part[] = ['rows', 'where', 'old', 'new']

interface Entry<S> {
  readonly subscriber: S
  /** Null for those that are asked about every change. */
  readonly placed: { readonly part: Part; readonly anchors: readonly Anchor[] } | null
  /** The last search that found it. */
  search: number
}

/** One subscriber, or several: most keys have one. */
type Bucket<S> = Entry<S> | Set<Entry<S>>

/** The subscribers anchored in values of one field that are compared one way. */
interface FieldIndex<S> {
  readonly field: string
  readonly domain: ValueDomain | null
  readonly buckets: Map<ValueKey, Bucket<S>>
}

/** An empty index for a model. */
export function createFilterIndex<S>(model: ModelSpec): FilterIndex<S> {
  return new AnchoredIndex<S>(model)
}

class AnchoredIndex<S> implements FilterIndex<S> {
  readonly #model: ModelSpec
  readonly #entries = new Map<S, Entry<S>>()
  readonly #scanned = new Set<Entry<S>>()
  readonly #parts: Readonly<Record<Part, Map<string, FieldIndex<S>>>> = {
    rows: new Map(),
    where: new Map(),
    old: new Map(),
    new: new Map(),
  }
  #search = 0

  constructor(model: ModelSpec) {
    this.#model = model
  }

  get size(): FilterIndexSize {
    const fields = PARTS.flatMap((part) => [...this.#parts[part].values()])
    const keys = fields.reduce((sum, { buckets }) => sum + buckets.size, 0)
    return { subscribers: this.#entries.size, scanned: this.#scanned.size, keys }
  }

  add(subscriber: S, filter: ChangeFilter | null): void {
    invariant(!this.#entries.has(subscriber), 'A subscriber was added to the filter index twice.')
    const placed = filter === null ? null : this.#place(filter)
    const entry: Entry<S> = { subscriber, placed, search: 0 }
    this.#entries.set(subscriber, entry)
    if (placed === null) this.#scanned.add(entry)
    else for (const anchor of placed.anchors) addTo(this.#parts[placed.part], anchor, entry)
  }

  remove(subscriber: S): void {
    const entry = this.#entries.get(subscriber)
    if (entry === undefined) return
    this.#entries.delete(subscriber)
    this.#scanned.delete(entry)
    const { part, anchors } = entry.placed ?? { part: 'where', anchors: [] }
    for (const anchor of anchors) removeFrom(this.#parts[part], anchor, entry)
  }

  all(): readonly S[] {
    return [...this.#entries.keys()]
  }

  candidates(change: AnyChange): readonly S[] {
    // Every set of rows is emptied, whatever it is; and a row that should be known may have been in any.
    if (change.action === 'TRUNCATE' || change.isOldMissing === true) return this.all()
    this.#search += 1
    const found: S[] = []
    for (const entry of this.#scanned) found.push(entry.subscriber)
    const { rows, where, old, new: after } = this.#parts
    // Images are decoded when they are first asked for; one that nobody asks for stays bytes.
    if (rows.size + where.size + after.size > 0) {
      const image = newImage(change)
      this.#find(found, rows, image, false)
      this.#find(found, where, image, true)
      this.#find(found, after, image, true)
    }
    if (rows.size + where.size + old.size > 0) {
      const image = oldImage(change)
      this.#find(found, rows, image, false)
      this.#find(found, where, image, true)
      this.#find(found, old, image, true)
    }
    return found
  }

  #place(filter: ChangeFilter): { part: Part; anchors: readonly Anchor[] } | null {
    const anchors = PARTS.map((part) => this.#anchorsOf(filter[part]))
    const best = fewest(anchors)
    const part = PARTS[anchors.indexOf(best)]
    return best === null || part === undefined ? null : { part, anchors: best.anchors }
  }

  #anchorsOf(condition: Condition | null): Anchors | null {
    return condition === null ? null : anchorsOf(condition, this.#model)
  }

  /** A value that was not sent may be any; but what a policy cannot judge it hides. */
  #find(
    found: S[],
    fields: ReadonlyMap<string, FieldIndex<S>>,
    image: AnyRow | null | undefined,
    findsUnknown: boolean,
  ): void {
    if (image === null) return
    for (const { field, domain, buckets } of fields.values()) {
      const key = keyOf(image?.[field], domain)
      if (key !== undefined) this.#take(found, key === null ? undefined : buckets.get(key))
      else if (findsUnknown) for (const bucket of buckets.values()) this.#take(found, bucket)
    }
  }

  #take(found: S[], bucket: Bucket<S> | undefined): void {
    if (bucket === undefined) return
    for (const entry of bucket instanceof Set ? bucket : [bucket]) {
      if (entry.search === this.#search) continue
      entry.search = this.#search
      found.push(entry.subscriber)
    }
  }
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
  const index = fields.get(fieldKey(anchor)) ?? { field, domain, buckets: new Map<ValueKey, Bucket<S>>() }
  fields.set(fieldKey(anchor), index)
  const bucket = index.buckets.get(key)
  if (bucket === undefined) index.buckets.set(key, entry)
  else if (bucket instanceof Set) bucket.add(entry)
  else if (bucket !== entry) index.buckets.set(key, new Set([bucket, entry]))
}

function removeFrom<S>(fields: Map<string, FieldIndex<S>>, anchor: Anchor, entry: Entry<S>): void {
  const buckets = fields.get(fieldKey(anchor))?.buckets
  const bucket = buckets?.get(anchor.key)
  if (buckets === undefined || bucket === undefined) return
  if (bucket instanceof Set) bucket.delete(entry)
  if (bucket === entry || (bucket instanceof Set && bucket.size === 0)) buckets.delete(anchor.key)
  if (buckets.size === 0) fields.delete(fieldKey(anchor))
}
