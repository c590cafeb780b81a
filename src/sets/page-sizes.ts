/** Beside the spine, sets. How many rows the next page has: few at first, more while they are small. Pure, but for what it remembers. */
import type { AnyRow } from '../changes/change.ts'

const FIRST_ROWS = 32
/** What a page of rows should have at the most, by estimate. */
const PAGE_BYTES = 1024 * 1024

/** The sizes of one set's pages. */
export class PageSizes {
  /** Rows of a page at the most. */
  readonly max: number
  readonly #bytesOf: (rows: readonly AnyRow[]) => number
  #next: number

  constructor(max: number, bytesOf: (rows: readonly AnyRow[]) => number) {
    this.max = max
    this.#bytesOf = bytesOf
    this.#next = Math.min(max, FIRST_ROWS)
  }

  get next(): number {
    return this.#next
  }

  /** A page has come: twice as many next, or as many as fit by what they were. */
  note(rows: readonly AnyRow[]): void {
    if (rows.length === 0) return
    const fitting = Math.floor((PAGE_BYTES * rows.length) / Math.max(1, this.#bytesOf(rows)))
    this.#next = Math.max(1, Math.min(this.max, this.#next * 2, fitting))
  }
}
