/** Beside the spine, sets. A cursor behind which queries see all that has come. */
import { comparePositions, parseCursor } from '../changes/cursor.ts'
import type { ChangePosition } from '../changes/stream-position.ts'
import type { KeptSetParts } from './kept-parts.ts'

/** How often whoever waits for the stream asks again where it is. */
const VISIBLE_INTERVAL_MS = 10

/** Waits as long as what has come is not visible to everybody yet, or until nobody wants it any more. @param position what has come; null for nothing */
export async function cursorBehind(
  { changeCursor, wait }: Pick<KeptSetParts<never, never, never>, 'changeCursor' | 'wait'>,
  position: ChangePosition | null,
  ending: AbortSignal,
): Promise<string> {
  let cursor = await changeCursor()
  while (
    position !== null &&
    comparePositions(parseCursor(cursor).position, position) < 0 &&
    !ending.aborted
  ) {
    await wait(VISIBLE_INTERVAL_MS)
    cursor = await changeCursor()
  }
  return cursor
}
