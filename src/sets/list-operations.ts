/** Beside the spine, sets. From the rows that a list showed to those that it shows: operations that a client applies one after the other. Pure. */
import { canonicalText } from '../catalog/values/canonical-text.ts'
import type { WindowRow } from './ordered-window.ts'

/** What happens to a row of the list: it comes in, has other values, stands elsewhere (with other values or not), goes out. */
export type ListOperationKind = 'INSERT' | 'UPDATE' | 'MOVE' | 'REMOVE'

/** All of them, in the order in which they are explained. */
export const LIST_OPERATION_KINDS: readonly ListOperationKind[] = ['INSERT', 'UPDATE', 'MOVE', 'REMOVE']

export interface ListOperation {
  readonly kind: ListOperationKind
  /** Where the row is put; of REMOVE: where it is taken out. MOVE takes the row with the key out first. From 0 on. */
  readonly index: number
  /** The row as it is; of REMOVE as it was. */
  readonly row: WindowRow
}

/**
 * The operations, in the order in which they are applied. It takes as long as the lists are; what is the same at both ends of them is only looked at, since
 * a thousand lists may have to know what one change means for them.
 */
export function listOperations(
  from: readonly WindowRow[],
  to: readonly WindowRow[],
): readonly ListOperation[] {
  const head = sameAtHead(from, to)
  const tail = sameAtTail(from, to, head)
  const [fromEnd, toEnd] = [from.length - tail, to.length - tail]
  const operations = updates(from, to, [0, head], 0)
  if (head < fromEnd || head < toEnd)
    operations.push(...middleOperations(from.slice(head, fromEnd), to.slice(head, toEnd), head))
  operations.push(...updates(from, to, [toEnd, to.length], from.length - to.length))
  return operations
}

/** How many rows both begin with. */
function sameAtHead(from: readonly WindowRow[], to: readonly WindowRow[]): number {
  const length = Math.min(from.length, to.length)
  let head = 0
  while (head < length && from[head]?.id === to[head]?.id) head += 1
  return head
}

/** How many rows both end with, beside those that they begin with. */
function sameAtTail(from: readonly WindowRow[], to: readonly WindowRow[], head: number): number {
  const length = Math.min(from.length, to.length) - head
  let tail = 0
  while (tail < length && from[from.length - 1 - tail]?.id === to[to.length - 1 - tail]?.id) tail += 1
  return tail
}

/** Of rows that stand where they stood, or where what comes and goes before them has put them: those with other values. */
function updates(
  from: readonly WindowRow[],
  to: readonly WindowRow[],
  [begin, end]: readonly [number, number],
  shift: number,
): ListOperation[] {
  const operations: ListOperation[] = []
  for (let index = begin; index < end; index += 1) {
    const row = to[index] as WindowRow
    if (!isSameRow(from[index + shift] as WindowRow, row)) operations.push({ kind: 'UPDATE', index, row })
  }
  return operations
}

/** Between what is the same at both ends. @param offset where it begins */
function middleOperations(
  from: readonly WindowRow[],
  to: readonly WindowRow[],
  offset: number,
): readonly ListOperation[] {
  const operations: ListOperation[] = []
  const wanted = new Set(to.map(({ id }) => id))
  for (const [index, row] of [...from.entries()].reverse())
    if (!wanted.has(row.id)) operations.push({ kind: 'REMOVE', index: offset + index, row })
  const kept = from.filter(({ id }) => wanted.has(id))
  const known = new Map(kept.map((row, at) => [row.id, { row, at }]))
  const resting = restingIds(kept, to)
  /** Rows of `kept` before this one have been passed. */
  let passed = 0
  /** Those among them that are still to be moved away. */
  let leaving = 0
  const moved = new Set<string>()
  for (const [placed, row] of to.entries()) {
    const old = known.get(row.id)
    if (old !== undefined && resting.has(row.id)) {
      for (; passed < old.at; passed += 1) {
        const { id } = kept[passed] as WindowRow
        if (!resting.has(id) && !moved.has(id)) leaving += 1
      }
      const index = offset + placed + leaving
      if (!isSameRow(old.row, row)) operations.push({ kind: 'UPDATE', index, row })
    } else {
      if (old !== undefined) {
        moved.add(row.id)
        if (old.at < passed) leaving -= 1
      }
      // Behind the row that it stands behind at the end.
      const kind = old === undefined ? 'INSERT' : 'MOVE'
      operations.push({ kind, index: offset + placed + leaving, row })
    }
  }
  return operations
}

/**
 * Without those of rows that were read again and of which nothing has changed that may be seen: a write to a hidden field is hidden as well.
 * They move no other row. @param fields all fields where null
 */
export function seenOperations(
  operations: readonly ListOperation[],
  from: readonly WindowRow[],
  fields: ReadonlySet<string> | null,
): readonly ListOperation[] {
  if (fields === null || operations.length === 0) return operations
  const known = new Map(from.map((row) => [row.id, row]))
  return operations.filter(({ kind, row }) => {
    const before = known.get(row.id)
    return kind !== 'UPDATE' || before === undefined || !isSameRow(before, row, fields)
  })
}

/** Rows that were read again are other objects. */
function isSameRow(
  { row: a, revision }: WindowRow,
  { row: b, revision: later }: WindowRow,
  fields: ReadonlySet<string> | null = null,
): boolean {
  if (revision !== later) return false
  if (a === b) return true
  const names = Object.keys(a)
  if (names.length !== Object.keys(b).length) return false
  return names.every((name) => fields?.has(name) === false || isSameValue(a[name], b[name]))
}

function isSameValue(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object') return false
  const text = canonicalText(a)
  return text !== null && text === canonicalText(b)
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
