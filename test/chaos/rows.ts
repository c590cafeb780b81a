/** Rows as the suite compares them, whoever says them: a subscriber, a second decoder of the WAL, the table. */
import { createHash } from 'node:crypto'
import type { ChaosModel } from './ledger.ts'

/** A row's columns as texts; a long text as its length and digest. */
export type RowImage = Readonly<Record<string, string | null>>

/** Columns that are compared; fields of the models have the same names. The first is the key. */
export const COLUMNS = {
  Tag: ['id', 'name', 'color'],
  Team: ['id', 'name', 'slug'],
  Post: ['id', 'title', 'body'],
} as const satisfies Record<ChaosModel, readonly string[]>

/** Column whose text is the number that the ledger knows the row by. */
export const MARK_COLUMNS = { Tag: 'name', Team: 'name', Post: 'title' } as const satisfies Record<
  ChaosModel,
  string
>

const LENGTH_MAX = 64

/** A text as it is, or what stands for a long one. */
export function abridge(text: string): string {
  return text.length <= LENGTH_MAX ? text : `${text.length}#${createHash('md5').update(text).digest('hex')}`
}

/** The same in SQL. */
function abridgedSql(column: string): string {
  const text = `"${column}"::text`
  return `CASE WHEN length(${text}) <= ${LENGTH_MAX} THEN ${text} ELSE length(${text}) || '#' || md5(${text}) END AS "${column}"`
}

/** Reads a model's rows as images. */
export function snapshotSql(model: ChaosModel): string {
  return `SELECT ${COLUMNS[model].map(abridgedSql).join(', ')} FROM "${model}"`
}

/** The number that a row carries. */
export function markOf(model: ChaosModel, row: RowImage): number {
  return Number(row[MARK_COLUMNS[model]])
}

/** Columns in which two images differ, among those that both have been asked for. */
export function differingColumns(
  columns: readonly string[],
  a: RowImage | null,
  b: RowImage | null,
): readonly string[] {
  if (a === null || b === null) return a === b ? [] : ['the row itself']
  return columns.filter((column) => (a[column] ?? null) !== (b[column] ?? null))
}

/** What the changes that came add up to: the rows that their reader has. */
export class Fold {
  readonly #rows = new Map<string, RowImage>()

  get rows(): ReadonlyMap<string, RowImage> {
    return this.#rows
  }

  /** A change that came; it may be one that a snapshot has already. */
  apply(before: RowImage | null, after: RowImage | null): void {
    if (before !== null) this.#rows.delete(before['id'] ?? '')
    if (after !== null) this.#rows.set(after['id'] ?? '', after)
  }

  /** The rows were queried again. */
  reset(rows: readonly RowImage[]): void {
    this.#rows.clear()
    for (const row of rows) this.#rows.set(row['id'] ?? '', row)
  }

  /** What differs from the rows of the table: a few examples. */
  compare(columns: readonly string[], table: readonly RowImage[]): readonly string[] {
    const left = new Map(this.#rows)
    const faults: string[] = []
    for (const row of table) {
      const id = row['id'] ?? ''
      const own = left.get(id) ?? null
      left.delete(id)
      const differing = differingColumns(columns, own, row)
      if (differing.length > 0) faults.push(`row ${id} differs from the table's in ${differing.join(', ')}`)
    }
    for (const id of left.keys()) faults.push(`row ${id} is not in the table`)
    return faults
  }
}
