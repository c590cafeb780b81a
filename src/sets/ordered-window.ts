/**
 * Beside the spine, sets. The first rows of a list, and some behind them: what leaves the list makes room for what is behind it, without a query.
 * It has every row of the list up to its last one; or all, when it is complete.
 */
import type { AnyRow } from '../changes/change.ts'
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
}

/** A row that is kept. */
export interface WindowRow extends KeyedRow {
  readonly id: string
  readonly bytes: number
}

/** One list. */
export class OrderedWindow {
  readonly #options: OrderedWindowOptions
  #rows: WindowRow[] = []
  /** The same rows by what distinguishes them: most changes are of none of them. */
  readonly #byId = new Map<string, WindowRow>()
  #bytes = 0
  #isComplete = false

  constructor(options: OrderedWindowOptions) {
    this.#options = options
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

  /** The first rows as the database has them, at most `readCount`. */
  reset(rows: readonly KeyedRow[]): void {
    const { readCount } = this
    this.#clear()
    for (const each of rows) this.#put(this.#rows.length, this.#windowRow(each))
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
    const row = this.#windowRow(after)
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

  #windowRow({ key, row }: KeyedRow): WindowRow {
    const { idOf, bytesOf } = this.#options
    return { key, row, id: idOf(key), bytes: bytesOf(row) }
  }

  #put(at: number, row: WindowRow): void {
    if (at === this.#rows.length) this.#rows.push(row)
    else this.#rows.splice(at, 0, row)
    this.#byId.set(row.id, row)
    this.#bytes += row.bytes
  }

  #takeOut(at: number): void {
    for (const row of this.#rows.splice(at, 1)) this.#forget(row)
  }

  #forget(row: WindowRow): void {
    // Another row may have come under the same key meanwhile.
    if (this.#byId.get(row.id) === row) this.#byId.delete(row.id)
    this.#bytes -= row.bytes
  }

  #clear(): void {
    this.#rows = []
    this.#byId.clear()
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
