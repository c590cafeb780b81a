/** Beside the spine, sets. How many rows the next page has: few at first, more while they are small. Pure, but for what it remembers. */

const FIRST_ROWS = 32

/** The sizes of one set's pages. */
export class PageSizes {
  /** Rows of a page at the most. */
  readonly max: number
  readonly #pageBytes: () => number
  #next: number

  /** @param pageBytes what a page should have at the most, by estimate */
  constructor(max: number, pageBytes: () => number, first: number = FIRST_ROWS) {
    this.max = max
    this.#pageBytes = pageBytes
    this.#next = Math.min(max, first)
  }

  get next(): number {
    return this.#next
  }

  /** A page has come: twice as many next, or as many as fit by what they were. */
  note(rows: number, bytes: number): void {
    if (rows === 0) return
    const fitting = Math.floor((this.#pageBytes() * rows) / Math.max(1, bytes))
    this.#next = Math.max(1, Math.min(this.max, this.#next * 2, fitting))
  }
}
