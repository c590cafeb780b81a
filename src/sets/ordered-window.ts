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
}

/** A row that is kept. */
export interface WindowRow extends KeyedRow {
  readonly id: string
}

/** One list. */
export class OrderedWindow {
  readonly #options: OrderedWindowOptions
  #rows: WindowRow[] = []
  #isComplete = false

  constructor(options: OrderedWindowOptions) {
    this.#options = options
  }

  /** Rows that are read at once: one more says whether there are others. */
  get readCount(): number {
    return this.#options.take + this.#options.margin + 1
  }

  /** Those that are shown. A list of one's own, of rows that are shared. */
  shown(): readonly WindowRow[] {
    return this.#rows.slice(0, this.#options.take)
  }

  /** The first rows as the database has them, at most `readCount`. */
  reset(rows: readonly KeyedRow[]): void {
    const { readCount } = this
    this.#rows = rows.map((each) => this.#windowRow(each))
    this.#isComplete = rows.length < readCount
    this.#trim()
  }

  empty(): void {
    this.#rows = []
    this.#isComplete = true
  }

  apply({ before, after }: SetStep): StepEffect {
    const { idOf, order } = this.#options
    const id = before === null ? null : idOf(before.key)
    const at = id === null ? -1 : this.#rows.findIndex((row) => row.id === id)
    if (after === null) return at < 0 ? 'none' : this.#remove(at)
    const row = this.#windowRow(after)
    if (row.id === id && before !== null && order.compare(before.row, after.row) === 0) {
      if (at >= 0) this.#rows[at] = row
      return at >= 0 ? 'changed' : 'none'
    }
    if (at >= 0) this.#rows.splice(at, 1)
    const effect = this.#place(row, at >= 0)
    return effect === 'unknown' ? effect : this.#unlessShort(effect)
  }

  #windowRow({ key, row }: KeyedRow): WindowRow {
    return { key, row, id: this.#options.idOf(key) }
  }

  #remove(at: number): StepEffect {
    this.#rows.splice(at, 1)
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
    this.#rows.splice(low, 0, row)
    this.#trim()
    return 'changed'
  }

  #trim(): void {
    const { take, margin } = this.#options
    if (this.#rows.length <= take + margin) return
    this.#rows.length = take + margin
    this.#isComplete = false
  }
}
