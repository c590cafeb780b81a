/** Sets, between stages 6 and 7. What a subscription was given last, as far as it is needed to go on. Pure. */
import type { AnyChange } from '../changes/change.ts'
import { formatCursor } from '../changes/cursor.ts'
import { cursorOf, type RelatedEvent, type WrittenPosition } from './related-event.ts'

/** Of a write, where it stands: a text for each event would cost more than to give it. */
export type LastGiven = string | WrittenPosition

export function lastOf(event: RelatedEvent): LastGiven {
  return event.kind === 'written' ? (event.last ?? positionOf(event.change)) : cursorOf(event)
}

export function positionOf({ transaction, index }: AnyChange): WrittenPosition {
  return { transaction, index }
}

/** The cursor to go on after it. */
export function cursorAt(last: LastGiven): string {
  if (typeof last === 'string') return last
  const { transaction, index } = last
  return formatCursor(transaction.origin, transaction.commitLsn, index)
}
