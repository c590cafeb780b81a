/**
 * Stage 4, changes. What a list says of a change without making it: model, index, bytes. A row's object costs far more
 * than these numbers, and most readers of a log pass most changes by.
 */
import type { ChangeList, ChangePosition, TransactionPart } from './change.ts'
import { INDEX_AFTER_ALL } from './cursor.ts'

/** Prisma model of the change at the offset. */
export function modelAt(changes: ChangeList, offset: number): string {
  return changes.modelAt?.(offset) ?? changes.at(offset)?.model ?? ''
}

/** Ordinal in its transaction of the change at the offset. */
export function indexAt(changes: ChangeList, offset: number): number {
  return changes.indexAt?.(offset) ?? changes.at(offset)?.index ?? 0
}

/** Undecoded bytes of the change at the offset; 0 where the list does not know. */
export function bytesAt(changes: ChangeList, offset: number): number {
  return changes.bytesAt?.(offset) ?? 0
}

/** Offset of the first change whose index is above `index`; the length where there is none. Indexes ascend. */
export function offsetAfter(changes: ChangeList, index: number): number {
  let low = 0
  let high = changes.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (indexAt(changes, middle) <= index) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether the part has a change of the model. */
export function hasChangeOf({ changes }: TransactionPart, model: string): boolean {
  for (let offset = 0; offset < changes.length; offset += 1)
    if (modelAt(changes, offset) === model) return true
  return false
}

/** Where a reader stands that has read the part. */
export function endOfPart({ transaction, changes, isFinal }: TransactionPart): ChangePosition {
  const index = isFinal || changes.length === 0 ? INDEX_AFTER_ALL : indexAt(changes, changes.length - 1)
  return { commitLsn: transaction.commitLsn, index }
}
