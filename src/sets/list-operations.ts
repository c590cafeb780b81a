/** Beside the spine, sets. From the rows that a list showed to those that it shows: operations that a client applies one after the other. Pure. */
import { canonicalText } from '../catalog/values/canonical-text.ts'
import type { WindowRow } from './ordered-window.ts'

/** What happens to a row of the list: it comes in, has other values, stands elsewhere (with other values or not), goes out. */
export type ListOperationKind = 'INSERT' | 'UPDATE' | 'MOVE' | 'REMOVE'

/** All of them, in the order in which they are explained. */
export const LIST_OPERATION_KINDS: readonly ListOperationKind[] = ['INSERT', 'UPDATE', 'MOVE', 'REMOVE']

/** One of them. */
export interface ListOperation {
  readonly kind: ListOperationKind
  /** Where the row is put; of REMOVE: where it is taken out. MOVE takes the row with the key out first. From 0 on. */
  readonly index: number
  /** The row as it is; of REMOVE as it was. */
  readonly row: WindowRow
}

/** The operations, in the order in which they are applied. */
export function listOperations(
  from: readonly WindowRow[],
  to: readonly WindowRow[],
): readonly ListOperation[] {
  const operations: ListOperation[] = []
  const wanted = new Set(to.map(({ id }) => id))
  const list = [...from]
  for (let index = list.length - 1; index >= 0; index -= 1) {
    const row = list[index] as WindowRow
    if (wanted.has(row.id)) continue
    operations.push({ kind: 'REMOVE', index, row })
    list.splice(index, 1)
  }
  const resting = restingIds(list, to)
  const known = new Map(list.map((row) => [row.id, row]))
  let before: string | null = null
  for (const row of to) {
    const old = known.get(row.id)
    if (old !== undefined && resting.has(row.id)) {
      const index = indexOf(list, row.id)
      list[index] = row
      if (!isSameRow(old, row)) operations.push({ kind: 'UPDATE', index, row })
    } else {
      if (old !== undefined) list.splice(indexOf(list, row.id), 1)
      // Behind the row that it stands behind at the end.
      const index: number = before === null ? 0 : indexOf(list, before) + 1
      list.splice(index, 0, row)
      operations.push({ kind: old === undefined ? 'INSERT' : 'MOVE', index, row })
    }
    before = row.id
  }
  return operations
}

/** Rows that were read again are other objects. */
function isSameRow({ row: a }: WindowRow, { row: b }: WindowRow): boolean {
  if (a === b) return true
  const text = canonicalText(a)
  return text !== null && text === canonicalText(b)
}

function indexOf(list: readonly WindowRow[], id: string): number {
  return list.findIndex((row) => row.id === id)
}

/** The most rows that stand in the same order in both lists: whatever else is in both, moves. */
function restingIds(from: readonly WindowRow[], to: readonly WindowRow[]): ReadonlySet<string> {
  const positions = new Map(to.map(({ id }, index) => [id, index]))
  const order = from.map(({ id }) => ({ id, at: positions.get(id) ?? -1 }))
  // The longest ascending run, by patience: `ends[n]` ends the run of n + 1 rows that ends least.
  const ends: number[] = []
  const previous: number[] = []
  for (const [index, { at }] of order.entries()) {
    let [low, high] = [0, ends.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((order[ends[middle] as number]?.at ?? 0) < at) low = middle + 1
      else high = middle
    }
    previous[index] = ends[low - 1] ?? -1
    ends[low] = index
  }
  const resting = new Set<string>()
  for (let index = ends.at(-1) ?? -1; index >= 0; index = previous[index] ?? -1)
    resting.add(order[index]?.id ?? '')
  return resting
}
