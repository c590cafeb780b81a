/** Beside the spine, client. The rows that a subscription begins with, until all are there: one step for each, however many come. */
import { keyReader, type ListChange, type ListShape } from './apply-change.ts'

/** Rows by key, in the order in which they came. */
export class FirstRowsFill<Row extends object> {
  readonly #rows = new Map<string, Row>()
  readonly #shape: ListShape<Row>
  readonly #keyOf: ReturnType<typeof keyReader<Row>>
  /** Why a row is missing among them, or is not as the database is. */
  failure: unknown = null

  constructor(shape: ListShape<Row>) {
    this.#shape = shape
    this.#keyOf = keyReader(shape)
  }

  /** Takes a READ. */
  add({ new: row, key, transition }: ListChange<Row>): void {
    const text = this.#keyOf(row ?? key) ?? ''
    const isWanted = row != null && transition !== 'LEFT' && (this.#shape.where?.(row) ?? true)
    if (isWanted) this.#rows.set(text, row)
    else this.#rows.delete(text)
  }

  /** All of them, once READY has come. */
  rows(): readonly Row[] {
    return [...this.#rows.values()]
  }
}
