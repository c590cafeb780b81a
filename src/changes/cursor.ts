/**
 * Stage 4, changes. Cursors: where a change stands, as a text that clients keep and hand back.
 *
 *     2 hex digits   version of this layout, 01; 02 while the first rows of a subscription have not all come
 *     16             system identifier of the database cluster
 *     8              timeline
 *     16             LSN of the commit record
 *     8              index of the change in its transaction; 80000000 and above: after all of it
 *
 * Fixed width and hexadecimal, so that within one origin the order of texts is the order of changes.
 */
import { RowcastError } from '../errors.ts'
import { type Lsn, toLsn } from '../wire/lsn.ts'
import type { ChangePosition, StreamOrigin } from './change-position.ts'

export type { StreamOrigin } from './change-position.ts'

/** A parsed cursor. */
export interface Cursor {
  /** It is from before all first rows had come: nothing goes on after it. @default false */
  readonly isPartial?: boolean | undefined
  readonly origin: StreamOrigin
  readonly position: ChangePosition
}

/** Index that stands after every change of a transaction; the ones above it are positions between two commits. */
export const INDEX_AFTER_ALL = 0x80000000

/** The end of all that committed before `lsn`. */
export function endBefore(lsn: Lsn): ChangePosition {
  return { commitLsn: toLsn(lsn - 1n), index: INDEX_AFTER_ALL }
}

/** A position that stands before the one of a change, and after all that came before that: no index is below 0, and Redis takes no such id. */
export function positionBefore({ commitLsn, index }: ChangePosition): ChangePosition {
  return index > 0 ? { commitLsn, index: index - 1 } : endBefore(commitLsn)
}

/** The next position after all changes of the position's transaction, and before the next commit. */
export function nextPosition({ commitLsn, index }: ChangePosition): ChangePosition {
  return { commitLsn, index: Math.max(index + 1, INDEX_AFTER_ALL) }
}

const VERSION = '01'
const PARTIAL_VERSION = '02'
const LENGTH = 50
const CURSOR_TEXT = /^0[12][0-9a-f]{48}$/

/** Formats a position as a cursor. */
export function formatCursor(origin: StreamOrigin, commitLsn: Lsn, index: number): string {
  return (
    VERSION +
    BigInt(origin.systemId).toString(16).padStart(16, '0') +
    origin.timeline.toString(16).padStart(8, '0') +
    commitLsn.toString(16).padStart(16, '0') +
    index.toString(16).padStart(8, '0')
  )
}

/** What a subscription has for a cursor that began with this one, until all its first rows have come. */
export function partialCursorOf(cursor: string): string {
  return PARTIAL_VERSION + cursor.slice(VERSION.length)
}

/** Whether the value is a cursor of ours. */
export function isCursor(value: unknown): value is string {
  return typeof value === 'string' && CURSOR_TEXT.test(value)
}

/**
 * Parses what a client handed back.
 * @throws BAD_CURSOR when it is not a cursor of ours; the text itself is not repeated.
 */
export function parseCursor(text: string): Cursor {
  if (!isCursor(text)) {
    throw new RowcastError(
      'BAD_CURSOR',
      `A cursor is ${LENGTH} hexadecimal digits that begin with ${VERSION}.`,
    )
  }
  return {
    ...(text.startsWith(PARTIAL_VERSION) ? { isPartial: true } : {}),
    origin: {
      systemId: BigInt(`0x${text.slice(2, 18)}`).toString(),
      timeline: Number.parseInt(text.slice(18, 26), 16),
    },
    position: {
      commitLsn: toLsn(BigInt(`0x${text.slice(26, 42)}`)),
      index: Number.parseInt(text.slice(42, 50), 16),
    },
  }
}

/** The cursor of the end of all that committed before `lsn`. */
export function endCursorBefore(origin: StreamOrigin, lsn: Lsn): string {
  const { commitLsn, index } = endBefore(lsn)
  return formatCursor(origin, commitLsn, index)
}

/** Negative when `a` stands before `b`, positive when after, 0 when they are the same. */
export function comparePositions(a: ChangePosition, b: ChangePosition): number {
  if (a.commitLsn !== b.commitLsn) return a.commitLsn < b.commitLsn ? -1 : 1
  return a.index - b.index
}

/** Null stands before all positions. */
export function compareAfter(a: ChangePosition | null, b: ChangePosition | null): number {
  if (a === null || b === null) return Number(a !== null) - Number(b !== null)
  return comparePositions(a, b)
}

/** The one of two positions that stands behind the other. */
export function laterOf(a: ChangePosition, b: ChangePosition): ChangePosition {
  return comparePositions(a, b) < 0 ? b : a
}

/** Whether two origins are one history. */
export function isSameOrigin(a: StreamOrigin, b: StreamOrigin): boolean {
  return a.systemId === b.systemId && a.timeline === b.timeline
}
