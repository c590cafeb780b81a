/**
 * Stage 6, bus. What conditions test instead of a field's value: text in lower case, a list as a set. It is made once for
 * each row, however many conditions of however many subscriptions ask for it.
 */
import type { AnyRow } from '../../changes/change.ts'

/** How a value is made ready to be tested. */
export interface Preparation {
  /** Of one field, preparations of the same name make the same. */
  readonly name: string
  readonly prepare: (value: unknown) => unknown
}

/** What has been made of one row. */
interface PreparedRow {
  readonly row: AnyRow
  readonly values: Map<string, unknown>
}

/** A change has two rows, and all who may want it are asked before the next. */
const ROWS_KEPT = 2

/** Keeps what was made of the rows that were looked at last. */
class PreparedRows {
  readonly #kept: PreparedRow[] = []
  #next = 0

  valuesOf(row: AnyRow): Map<string, unknown> {
    for (const kept of this.#kept) if (kept.row === row) return kept.values
    const fresh: PreparedRow = { row, values: new Map() }
    this.#kept[this.#next] = fresh
    this.#next = (this.#next + 1) % ROWS_KEPT
    return fresh.values
  }
}

const preparedRows = new PreparedRows()

/** A function that gives what is made of a row's field. */
export function preparedReader(
  field: string,
  { name, prepare }: Preparation,
): (row: AnyRow, value: unknown) => unknown {
  const key = `${field}\n${name}`
  return (row, value) => {
    const values = preparedRows.valuesOf(row)
    const known = values.get(key)
    if (known !== undefined || values.has(key)) return known
    const made = prepare(value)
    values.set(key, made)
    return made
  }
}
