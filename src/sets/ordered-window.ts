/**
 * Beside the spine, sets. The first rows of a list, and some behind them: what leaves the list makes room for what is behind it, without a query.
 * It has every row of the list up to its last one; or all, when it is complete.
 */
import type { ValueKey } from '../bus/filter/value-domain.ts'
import type { AnyRow } from '../changes/change.ts'
import type { IncludedRelation } from './included-relation.ts'
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
}

/** A row that is kept. */
export interface WindowRow extends KeyedRow {
  readonly id: string
  readonly bytes: number
  /** Another one where related rows may be others than before, whatever the row itself is. */
  readonly revision: number
}

/** One list. */
export class OrderedWindow {
  readonly #options: OrderedWindowOptions
  #rows: WindowRow[] = []
  /** The same rows by what distinguishes them: most changes are of none of them. */
  readonly #byId = new Map<string, WindowRow>()
  readonly #related: RelatedIds
  #revision = 0
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
   */
  reset(rows: readonly KeyedRow[], isFollowed = true): void {
    const { readCount } = this
    const before = new Map(isFollowed ? this.#byId : [])
    this.#clear()
    for (const each of rows)
      this.#put(
        this.#rows.length,
        this.#windowRow(each, (id) => before.get(id)),
      )
    this.#isComplete = rows.length < readCount
    this.#trim()
  }

  empty(): void {
    this.#clear()
    this.#isComplete = true
  }

  apply({ before, after }: SetStep): StepEffect {
    const { idOf, order } = this.#options
    const id = before === null ? null : idOf(before.key)
    const kept = id === null ? undefined : this.#byId.get(id)
    const at = kept === undefined ? -1 : this.#rows.indexOf(kept)
    if (after === null) return at < 0 ? 'none' : this.#remove(at)
    const row = this.#windowRow(after, (each) => this.#byId.get(each) ?? kept)
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
    for (const id of ids) {
      const row = this.#byId.get(id) as WindowRow
      const touched = { ...row, revision: this.#nextRevision() }
      this.#rows[this.#rows.indexOf(row)] = touched
      this.#byId.set(id, touched)
    }
    return ids.length > 0
  }

  /** @param before the row with this id, as it was kept until now: of one that was not, nobody knows what became of its related rows */
  #windowRow({ key, row }: KeyedRow, before: (id: string) => WindowRow | undefined): WindowRow {
    const { idOf, bytesOf } = this.#options
    const id = idOf(key)
    return { key, row, id, bytes: bytesOf(row), revision: before(id)?.revision ?? this.#nextRevision() }
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
