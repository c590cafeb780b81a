/**
 * Stage 4, changes. What a list says of a change without making it: model, index, bytes. A row's object costs far more
 * than these numbers, and most readers of a log pass most changes by.
 */
import type { ChangeList } from './change.ts'

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
