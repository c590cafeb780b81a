/**
 * Beside the spine, sets. The first rows of a list, and some behind them: what leaves the list makes room for what is behind it, without a query.
 * It has every row of the list up to its last one; or all, when it is complete.
 */
import type { ValueKey } from '../bus/filter/value-domain.ts'
import type { AnyRow } from '../changes/change.ts'
import type { IncludedRelation } from './included-relation.ts'
import type { ReadRelated } from './read-related.ts'
import { RelatedIds } from './related-ids.ts'
import type { RowOrder } from './row-order.ts'
import type { KeyedRow, SetStep } from './set-step.ts'

/** What a step did: nothing that is kept, something; or the database has to be asked. */
export type StepEffect = 'none' | 'changed' | 'unknown'

/** What it is made with. */
export interface OrderedWindowOptions {
  /** Rows that are shown. */
  readonly take: number
  /** Rows that are kept behind them. */
  readonly margin: number
  readonly order: RowOrder
  /** What distinguishes rows. */
  readonly idOf: (key: AnyRow) => string
  /** What a row takes in memory, by estimate. */
  readonly bytesOf: (row: AnyRow) => number
  /** Relations that rows are shown with. @default none */
  readonly relations?: readonly IncludedRelation[] | undefined
  /** Whether some of them are read with the rows. @default false */
  readonly readsRelated?: boolean | undefined
}

/** A row that is kept. */
export interface WindowRow extends KeyedRow {
  readonly id: string
  readonly bytes: number
  /** Another one where related rows may be others than before, whatever the row itself is. */
  readonly revision: number
  /** What it shows of related rows that were read with it; null where it was shown without since, or that is not known. */
  readonly related: string | null
}

/** One list. */
export class OrderedWindow {
  readonly #options: OrderedWindowOptions
  #rows: WindowRow[] = []
  /** The same rows by what distinguishes them: most changes are of none of them. */
  readonly #byId = new Map<string, WindowRow>()
  readonly #related: RelatedIds
  #revision = 0
  /** Keys of related rows that were read, by relation; rows that came since are to be read. */
  #shown: ReadonlyMap<string, ReadonlySet<ValueKey>> = new Map()
  #hasUnread = false
  /** Something may have changed of what was read. */
  #mayDiffer = false
  /** Rows that were shown with what there was of related rows then: the snapshot of what was read since may see more. */
  #unsure: readonly string[] = []
  #bytes = 0
  #isComplete = false

  constructor(options: OrderedWindowOptions) {
    this.#options = options
    this.#related = new RelatedIds(options.relations ?? [])
  }

  /** Rows that are read at once: one more says whether there are others. */
  get readCount(): number {
    return this.#options.take + this.#options.margin + 1
  }

  /** What its rows take in memory, by estimate. */
  get bytes(): number {
    return this.#bytes
  }

  /** Those that are shown. A list of one's own, of rows that are shared. */
  shown(): readonly WindowRow[] {
    return this.#rows.slice(0, this.#options.take)
  }

  /**
   * The first rows as the database has them, at most `readCount`.
   * @param isFollowed whether it was heard of all changes of related rows since the rows before
   * @param read what was read of related rows
   */
  reset(rows: readonly KeyedRow[], isFollowed = true, read: ReadRelated | null = null): void {
    const { readCount } = this
    const before = new Map(isFollowed ? this.#byId : [])
    const mayDiffer = this.#mayDiffer
    this.#clear()
    const unsure: string[] = []
    for (const [index, each] of rows.entries()) {
      const related = read?.texts[index] ?? null
      const same = (id: string) => {
        const known = before.get(id)
        const isSame = known?.related === null ? !mayDiffer : known?.related === related
        return isSame ? known : undefined
      }
      const row = this.#windowRow(each, same)
      this.#put(this.#rows.length, { ...row, related })
      if (read !== null && before.get(row.id)?.related === null) unsure.push(row.id)
    }
    this.#unsure = unsure
    this.#shown = read?.keys ?? new Map()
    this.#hasUnread = false
    this.#mayDiffer = false
    this.#isComplete = rows.length < readCount
    this.#trim()
  }

  /** Whether what rows show by a relation was read: of one that need not follow its changes, there may have been too much. */
  isFollowed(relation: string): boolean {
    return this.#shown.has(relation)
  }

  /** Whether related rows with one of the keys are shown, or may be; null for all rows. */
  mayShow(relation: string, keys: ReadonlySet<ValueKey> | null): boolean {
    if (keys === null || this.#hasUnread) return true
    const shown = this.#shown.get(relation)
    return shown === undefined || [...keys].some((key) => shown.has(key))
  }

  /** What was read of related rows may be others by now, or than was shown before: of rows that were shown since, only that is known. */
  noteRelatedMayDiffer(): void {
    this.#mayDiffer = true
    const ids = this.#unsure
    this.#unsure = []
    for (const id of ids) this.#revise(id)
  }

  empty(): void {
    this.#clear()
    this.#isComplete = true
  }

  apply({ before, after }: SetStep): StepEffect {
    const { idOf, order } = this.#options
    const id = before === null ? null : idOf(before.key)
    const kept = id === null ? undefined : this.#byId.get(id)
    // A key that may change hands within a transaction: what is kept under it is another row.
    if (before !== null && kept !== undefined && (order.compare(before.row, kept.row) ?? 0) !== 0)
      return 'unknown'
    const at = kept === undefined ? -1 : this.#rows.indexOf(kept)
    if (after === null) return at < 0 ? 'none' : this.#remove(at)
    const row = this.#windowRow(after, (each) => this.#byId.get(each) ?? kept)
    // Of rows that change keys, or come under one that is kept, nobody knows which of them holds it in the end.
    if (row.id !== id && (id !== null || this.#byId.has(row.id))) return 'unknown'
    if (row.id === id && before !== null && order.compare(before.row, after.row) === 0) {
      if (at < 0) return 'none'
      this.#takeOut(at)
      this.#put(at, row)
      return 'changed'
    }
    if (at >= 0) this.#takeOut(at)
    const effect = this.#place(row, at >= 0)
    return effect === 'unknown' ? effect : this.#unlessShort(effect)
  }

  /** Whether it has all rows there are. */
  get isComplete(): boolean {
    return this.#isComplete
  }

  /** Whether the row is kept. */
  has(row: KeyedRow | null): boolean {
    return row !== null && this.#byId.has(this.#options.idOf(row.key))
  }

  /** A row that is not kept, of which nobody here knows whether it is one of those behind: if it was it still is, or it is gone. */
  applyUnsure({ before, after }: SetStep): StepEffect {
    const { idOf, order } = this.#options
    if (after === null) return 'none'
    // Another key may be one that is kept.
    if (before === null || idOf(before.key) !== idOf(after.key)) return 'unknown'
    if (this.#isComplete || order.compare(before.row, after.row) === 0) return 'none'
    const last = this.#rows.at(-1)
    const place = last === undefined ? null : order.compare(after.row, last.row)
    return place !== null && place > 0 ? 'none' : 'unknown'
  }

  /** Whether rows that are kept have related rows by one of the keys; null for all rows. */
  hasRelated(relation: IncludedRelation, keys: ReadonlySet<ValueKey> | null): boolean {
    return this.#idsOf(relation, keys).length > 0
  }

  #idsOf(relation: IncludedRelation, keys: ReadonlySet<ValueKey> | null): readonly string[] {
    return keys === null ? this.#rows.map(({ id }) => id) : this.#related.idsOf(relation, keys, this.#rows)
  }

  /** These rows have other related rows now. @returns whether there are any */
  touch(relation: IncludedRelation, keys: ReadonlySet<ValueKey> | null): boolean {
    const ids = this.#idsOf(relation, keys)
    for (const id of ids) this.#revise(id, { related: null })
    return ids.length > 0
  }

  /** It is shown again. */
  #revise(id: string, more: Partial<WindowRow> = {}): void {
    const row = this.#byId.get(id)
    if (row === undefined) return
    const revised = { ...row, ...more, revision: this.#nextRevision() }
    this.#rows[this.#rows.indexOf(row)] = revised
    this.#byId.set(id, revised)
  }

  /** @param before the row with this id, as it was kept until now: of one that was not, nobody knows what became of its related rows */
  #windowRow({ key, row }: KeyedRow, before: (id: string) => WindowRow | undefined): WindowRow {
    const { idOf, bytesOf, readsRelated = false } = this.#options
    const id = idOf(key)
    const known = before(id)
    if (known === undefined && readsRelated) this.#hasUnread = true
    const revision = known?.revision ?? this.#nextRevision()
    return { key, row, id, bytes: bytesOf(row), revision, related: null }
  }

  #nextRevision(): number {
    // Rows without related ones are compared by their own values.
    if (this.#related.isEmpty) return 0
    this.#revision += 1
    return this.#revision
  }

  #put(at: number, row: WindowRow): void {
    if (at === this.#rows.length) this.#rows.push(row)
    else this.#rows.splice(at, 0, row)
    this.#byId.set(row.id, row)
    this.#related.forget()
    this.#bytes += row.bytes
  }

  #takeOut(at: number): void {
    for (const row of this.#rows.splice(at, 1)) this.#forget(row)
  }

  #forget(row: WindowRow): void {
    // Another row may have come under the same key meanwhile.
    if (this.#byId.get(row.id) === row) this.#byId.delete(row.id)
    this.#related.forget()
    this.#bytes -= row.bytes
  }

  #clear(): void {
    this.#rows = []
    this.#byId.clear()
    this.#related.forget()
    this.#bytes = 0
  }

  #remove(at: number): StepEffect {
    this.#takeOut(at)
    return this.#unlessShort('changed')
  }

  /** Whether what is kept is still enough. */
  #unlessShort(effect: StepEffect): StepEffect {
    return !this.#isComplete && this.#rows.length < this.#options.take ? 'unknown' : effect
  }

  #place(row: WindowRow, wasKept: boolean): StepEffect {
    const { compare } = this.#options.order
    let [low, high] = [0, this.#rows.length]
    if (!this.#isComplete) {
      const last = this.#rows.at(-1)
      const order = last === undefined ? null : compare(row.row, last.row)
      if (order === null) return 'unknown'
      if (order > 0) return wasKept ? 'changed' : 'none'
    }
    while (low < high) {
      const middle = (low + high) >>> 1
      const order = compare(row.row, (this.#rows[middle] as WindowRow).row)
      if (order === null) return 'unknown'
      if (order < 0) high = middle
      else low = middle + 1
    }
    this.#put(low, row)
    this.#trim()
    return 'changed'
  }

  #trim(): void {
    const { take, margin } = this.#options
    if (this.#rows.length <= take + margin) return
    for (const row of this.#rows.splice(take + margin)) this.#forget(row)
    this.#isComplete = false
  }
}
