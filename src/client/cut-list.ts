/**
 * Beside the spine, client. Lists that may be cut: a query gave as many rows as it gives at most, so there may be more. Which
 * changes such a list can follow by itself, and after which it has to be queried again. Pure.
 */
import { applyChange, keyReader, type ListChange, type ListShape } from './apply-change.ts'

/** Rows, and whether there may be more in the database. */
export interface CutList<Row extends object> {
  readonly rows: readonly Row[]
  readonly mayBeCut: boolean
}

/** The list after a change, and whether it has to be queried again to be right. */
export interface CutListStep<Row extends object> {
  readonly rows: readonly Row[]
  readonly isStale: boolean
}

/** As many rows as the generated queries give: when `take` is left out, and at most. */
const PAGE_SIZES: readonly number[] = [50, 200]

/** Whether a query that gives at most `take` rows may have left some out. */
export function mayBeCut(count: number, take: number | undefined): boolean {
  return take === undefined ? PAGE_SIZES.includes(count) : count >= take
}

/**
 * Applies a change. Rows that a cut list does not have are not added: whether they belong before its end, only the
 * database knows. It knows, too, which row moves up when one goes, and whether a row has sunk below the end.
 */
export function stepList<Row extends object>(
  { rows, mayBeCut }: CutList<Row>,
  change: ListChange<Row>,
  shape: ListShape<Row>,
): CutListStep<Row> {
  if (isOfUnknownRow(change, shape)) return { rows, isStale: rows.length > 0 }
  const next = applyChange(rows, change, shape)
  if (!mayBeCut || next === rows || change.action === 'TRUNCATE') return { rows: next, isStale: false }
  if (next.length < rows.length) return { rows: next, isStale: true }
  const keyOf = keyReader(shape)
  const key = keyOf(change.new)
  if (next.length > rows.length) return { rows, isStale: !isBelow(rows, change, shape) }
  // Its key changed: it takes the place of another row, and the order of keys may be that of the query.
  const wasThere = rows.some((row) => keyOf(row) === key)
  return { rows: next, isStale: !wasThere || (shape.sort !== undefined && keyOf(next.at(-1)) === key) }
}

/** Whether a row is gone and nobody says which: what PostgreSQL sends of it does not hold the key. */
function isOfUnknownRow<Row extends object>(
  { action, key, old, oldKey, new: row }: ListChange<Row>,
  shape: ListShape<Row>,
): boolean {
  if (action !== 'DELETE' && (action !== 'UPDATE' || row != null)) return false
  const keyOf = keyReader(shape)
  return [key, old, oldKey].every((part) => keyOf(part) === null)
}

/** Whether an UPDATE is of a row that was below the end of the list and stays there. */
function isBelow<Row extends object>(
  rows: readonly Row[],
  { action, transition, new: row }: ListChange<Row>,
  { sort }: ListShape<Row>,
): boolean {
  const last = rows.at(-1)
  if (action !== 'UPDATE' || transition === 'ENTERED' || sort === undefined) return false
  return last !== undefined && row != null && sort(row, last) > 0
}
