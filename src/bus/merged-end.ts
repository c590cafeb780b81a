/** Stage 6, bus. How one of several subscriptions that are merged has ended, and where it goes on. */
import type { ChangePosition } from '../changes/change.ts'
import { comparePositions, isCursor, parseCursor } from '../changes/cursor.ts'
import { errorEntry, isRowcastError } from '../errors.ts'
import type { BusSubscription } from './bus.ts'

/** The end of one. */
export interface SourceEnd {
  /** Null where it ended as it was asked to. */
  readonly error: unknown
  /** Where it goes on, as the error says. */
  readonly cursor: string | null
  /** Where the change stands that it could not be given: it goes on behind it. Null for every other end. */
  readonly lacks: ChangePosition | null
}

/** How one that has nothing left has ended. */
export async function endOf(subscription: BusSubscription): Promise<SourceEnd> {
  try {
    await subscription.next()
    return { error: null, cursor: null, lacks: null }
  } catch (error) {
    const found = isRowcastError(error) ? error.details['cursor'] : undefined
    const cursor = typeof found === 'string' && isCursor(found) ? found : null
    return {
      error,
      cursor,
      lacks: cursor !== null && isOfChange(error) ? parseCursor(cursor).position : null,
    }
  }
}

/** Whether its cursor is that of the change which could not be given. */
function isOfChange(error: unknown): boolean {
  if (!isRowcastError(error)) return false
  return error.code === 'FILTER_UNANSWERABLE' || errorEntry(error.code).clientGoesOn === 'next'
}

export function compareCursors(a: string, b: string): number {
  return comparePositions(parseCursor(a).position, parseCursor(b).position)
}
