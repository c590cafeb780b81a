/**
 * Sets, between stages 6 and 7. What one transaction changed of included relations, by the rows that hear of it: those that a related
 * row belonged to before it, and those it belongs to after it. Each row hears of each change once.
 */
import { judgeChange } from '../bus/filter/judge-change.ts'
import { relatedKeyOf } from '../bus/filter/related-keys.ts'
import type { ValueKey } from '../bus/filter/value-domain.ts'
import { cannotGoOn } from '../bus/resync-required.ts'
import { NODE_TIMERS, Slice, type SliceTimers } from '../bus/time-slices.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { primaryKeyOf } from '../catalog/row-key.ts'
import type { AnyChange, AnyRow } from '../changes/change.ts'
import type { KeyValues } from './counted-keys.ts'
import type { HeardOf, IncludedRelation, Via } from './included-relation.ts'
import { filterAt, type KeySets } from './key-set.ts'
import type { KeyedRows } from './keyed-rows.ts'
import type { RowRequest } from './related-rows.ts'
import type { StreamTransaction } from './rows-at.ts'
import { rowIdOf, WrittenRows } from './written-rows.ts'

/** Changes that one event names; the others are counted. */
export const VIA_MAX = 100
/** The same of one that waits, and is judged once more before it is given: those that may not be seen by then take no room of the others. */
const WAITING_VIA_MAX = 10 * VIA_MAX
/** Changes of one transaction that somebody hears of. */
const CHANGES_MAX = 100_000

export const NOTHING_HEARD: HeardOf = { via: [], viaCount: 0 }

/** One change of a related row. */
interface RelatedRowChange {
  /** In the order of the transaction. */
  readonly index: number
  readonly via: Via
}

/** What the rows with one key hear of. */
interface Heard {
  readonly values: KeyValues
  readonly changes: RelatedRowChange[]
  /** Whether the row that has the key after the transaction has been given them. */
  isSettled: boolean
}

/** The rows that hear of a relation. */
interface HearingRows {
  readonly relation: IncludedRelation
  /** Keys that some of them lost or got in the transaction. */
  readonly moved: ReadonlySet<ValueKey>
}

/** What it is collected with. */
export interface RelatedChangesOptions {
  readonly model: ModelSpec
  readonly include: readonly IncludedRelation[]
  /** The sets that the filters of related rows ask. */
  readonly sets: KeySets
  /** Whether a row with these values may be asked for, before the transaction or after it. */
  readonly mayBeAskedFor: (values: AnyRow) => boolean
  /** Whether changes are kept with the rows that they are of. @default false: all of a transaction together take too much */
  readonly keepsImages?: boolean | undefined
}

/** Those of one transaction. */
export class RelatedChanges {
  readonly #options: RelatedChangesOptions
  readonly #heard: ReadonlyMap<IncludedRelation, Map<ValueKey, Heard>>
  /** Those that every row hears of. */
  readonly #ofAll: RelatedRowChange[] = []
  /** What each row has been given, by the key that it has by then. */
  readonly #given = new Map<string, Set<RelatedRowChange>>()
  #count = 0
  #isEmptied = false

  private constructor(options: RelatedChangesOptions) {
    this.#options = options
    this.#heard = new Map(options.include.map((relation) => [relation, new Map<ValueKey, Heard>()]))
  }

  /**
   * Those of a transaction, in slices: it may be large, and others do not wait for it.
   * @throws RESYNC_REQUIRED where a row is missing that says who hears of it, or there are too many
   */
  static async of(
    options: RelatedChangesOptions,
    transaction: StreamTransaction,
    timers: SliceTimers = NODE_TIMERS,
  ): Promise<RelatedChanges> {
    const changes = new RelatedChanges(options)
    let slice = new Slice(timers)
    for (const relation of options.include)
      for (const _ of changes.#collect(relation, transaction)) {
        if (!slice.isOver()) continue
        await new Promise<void>((resolve) => timers.soon(resolve))
        slice = new Slice(timers)
      }
    return changes
  }

  /** What a write of the model's own is given: what the row has not been given yet. Images that may not be seen are null. */
  ofWrite(before: AnyRow | null, after: AnyRow | null): HeardOf {
    if (this.#count === 0) return NOTHING_HEARD
    if (before === null && after === null) {
      this.#isEmptied = true
      return this.#heardOf(this.#ofAll)
    }
    const { model } = this.#options
    const [was, is] = [before, after].map((row) => (row === null ? null : rowIdOf(model, row)))
    const from = was ?? is ?? ''
    const given = this.#given.get(from) ?? new Set()
    this.#given.delete(from)
    this.#given.set(is ?? from, given)
    const news = this.#newsFor([before, after], given)
    for (const { heard } of this.#heardBy(after ?? before)) heard.isSettled = true
    return this.#heardOf(news)
  }

  /** What a row that was not written hears of, as it was after the transaction. */
  ofRead(row: AnyRow): HeardOf {
    if (this.#count === 0) return NOTHING_HEARD
    const given = this.#given.get(rowIdOf(this.#options.model, row)) ?? new Set()
    return this.#heardOf(this.#newsFor([row], given))
  }

  /** The rows that hear of something, and have not been written; null for none. */
  get request(): Pick<RowRequest, 'keyed'> | null {
    if (this.#count === 0 || this.#isEmptied) return null
    if (this.#ofAll.length > 0) return { keyed: null }
    const keyed = [...this.#heard].flatMap(([{ fields, domains }, all]): KeyedRows[] => {
      const open = [...all].filter(([, { isSettled }]) => !isSettled)
      const keys = new Map(open.map(([key, { values }]) => [key, values]))
      return keys.size === 0 ? [] : [{ fields, domains, keys }]
    })
    return keyed.length === 0 ? null : { keyed }
  }

  #heardOf(changes: readonly RelatedRowChange[]): HeardOf {
    const count = this.#options.keepsImages === true ? WAITING_VIA_MAX : VIA_MAX
    return { via: changes.slice(0, count).map(({ via }) => via), viaCount: changes.length }
  }

  /** A step for each change. */
  *#collect(relation: IncludedRelation, transaction: StreamTransaction): Generator<void> {
    const { model } = relation.related
    const { sets, keepsImages = false } = this.#options
    const imagesOf = seenImages(relation, sets, transaction.ordinal)
    let moved: ReadonlySet<ValueKey> | null = null
    for (const change of transaction.changesOf(model.name)) {
      yield
      moved ??= yield* movedKeysOf(relation, transaction.changesOf(this.#options.model.name))
      const { action, index } = change
      const via = (key: AnyRow | null, image: AnyRow | null): RelatedRowChange => ({
        index,
        via: { relation: relation.name, action, key, image: keepsImages ? image : null },
      })
      if (action === 'TRUNCATE') {
        this.#ofAll.push(via(null, null))
        this.#count += 1
        continue
      }
      const { before, after } = imagesOf(change)
      const key = after === null ? (before === null ? null : primaryKeyOf(model, before)) : change.key
      const images = [before, after].filter((image) => image !== null)
      if (images.length > 0) this.#hear({ relation, moved }, images, via(key, after ?? before))
    }
  }

  /** Those that the related row belonged to, and those it belongs to. */
  #hear({ relation, moved }: HearingRows, images: readonly AnyRow[], change: RelatedRowChange): void {
    const { fields, domains, model } = relation.related
    const all = this.#heard.get(relation) as Map<ValueKey, Heard>
    for (const image of images) {
      const key = relatedKeyOf(image, fields, domains)
      if (key === undefined) throw cannotGoOn('a change came without its foreign key', model.name)
      if (key === null) continue
      const known = all.get(key)
      // It belongs to the same row as before.
      if (known?.changes.at(-1) === change) continue
      const values = fields.map((name) => image[name])
      if (known === undefined && !moved.has(key) && !this.#mayHear(relation, values)) continue
      if (known === undefined) all.set(key, { values, changes: [change], isSettled: false })
      else known.changes.push(change)
      this.#count += 1
      if (this.#count > CHANGES_MAX)
        throw cannotGoOn('a transaction changed more related rows than are heard of at once', model.name)
    }
  }

  #mayHear({ fields }: IncludedRelation, values: KeyValues): boolean {
    return this.#options.mayBeAskedFor(Object.fromEntries(fields.map((name, index) => [name, values[index]])))
  }

  *#heardBy(row: AnyRow | null): Iterable<{ readonly heard: Heard }> {
    if (row === null) return
    for (const [{ fields, domains }, all] of this.#heard) {
      const key = relatedKeyOf(row, fields, domains)
      const heard = key === null || key === undefined ? undefined : all.get(key)
      if (heard !== undefined) yield { heard }
    }
  }

  /** What the images of one row hear of and it has not been given, in the order of the transaction. It has been by then. */
  #newsFor(images: readonly (AnyRow | null)[], given: Set<RelatedRowChange>): readonly RelatedRowChange[] {
    const found = images.flatMap((row) => [...this.#heardBy(row)].flatMap(({ heard }) => heard.changes))
    const news = [...new Set([...found, ...this.#ofAll])].filter((change) => !given.has(change))
    for (const change of news) given.add(change)
    return news.sort((a, b) => a.index - b.index)
  }
}

/** Keys that rows lost or got in the transaction: one that was asked for neither before it nor after it may have been a row's in between. */
function* movedKeysOf(
  { fields, domains }: IncludedRelation,
  changes: Iterable<AnyChange>,
): Generator<void, ReadonlySet<ValueKey>> {
  const moved = new Set<ValueKey>()
  for (const { old, new: after } of changes) {
    yield
    if (old === null || after === null) continue
    const [was, is] = [old, after].map((row) => relatedKeyOf(row, fields, domains))
    if (was !== is) for (const key of [was, is]) if (key != null) moved.add(key)
  }
  return moved
}

/** What is given of what has waited. Where some of it may not be seen any more, what was not kept is not counted: nobody can judge that. */
export function heardAfter(heard: HeardOf, isHeard: (via: Via) => boolean): HeardOf {
  const via = heard.via.filter(isHeard)
  const viaCount = via.length === heard.via.length ? heard.viaCount : via.length
  return { via: via.slice(0, VIA_MAX), viaCount }
}

/** What a row hears of that was given nothing in between. */
export function heardTogether(first: HeardOf, then: HeardOf): HeardOf {
  const via = [...first.via, ...then.via].slice(0, WAITING_VIA_MAX)
  return { via, viaCount: first.viaCount + then.viaCount }
}

/** The images of a related row that may be seen: before the transaction, and after it. */
function seenImages({ filter, related: { model } }: IncludedRelation, sets: KeySets, ordinal: number) {
  const [past, present] =
    filter === null ? [null, null] : [ordinal - 1, ordinal].map((at) => filterAt(filter, sets, () => at))
  const written = new WrittenRows(model)
  return (change: AnyChange): { readonly before: AnyRow | null; readonly after: AnyRow | null } => {
    const { action, old, new: after } = change
    if (action !== 'INSERT' && old === null)
      throw cannotGoOn('the row before a change was not logged', model.name)
    // A row that the transaction wrote before is judged as it was then: by the keys after the transaction.
    const isFirst = written.note(change)
    if (past == null || present == null) return { before: old, after }
    const { verdict, hidesOld, hidesNew } = judgeChange(present, change, isFirst ? past : present)
    if (verdict === 'unknown')
      throw cannotGoOn('a change came without values that it is judged by', model.name)
    if (verdict === 'miss') return { before: null, after: null }
    return { before: hidesOld ? null : old, after: hidesNew ? null : after }
  }
}
