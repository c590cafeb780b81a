/** Beside the spine, sets. A cursor behind which queries see all that has come. */
import { cannotGoOn } from '../bus/resync-required.ts'
import type { ChangePosition, StreamOrigin } from '../changes/change-position.ts'
import { comparePositions, isSameOrigin, parseCursor } from '../changes/cursor.ts'
import type { KeptSetParts } from './kept-parts.ts'

/** How often whoever waits for the stream asks again where it is. */
const VISIBLE_INTERVAL_MS = 10

/** What has come, and of which history. */
export interface ReachedPosition extends ChangePosition {
  readonly origin: StreamOrigin
}

/**
 * Waits as long as what has come is not visible to everybody yet, or until nobody wants it any more.
 * @param position what has come; null for nothing
 * @throws RESYNC_REQUIRED where the server is another one, and has not got what came: its positions may stay below for ever
 */
export async function cursorBehind(
  { changeCursor, wait }: Pick<KeptSetParts<never, never, never>, 'changeCursor' | 'wait'>,
  position: ReachedPosition | null,
  ending: AbortSignal,
): Promise<string> {
  let cursor = await changeCursor()
  while (
    position !== null &&
    comparePositions(parseCursor(cursor).position, position) < 0 &&
    !ending.aborted
  ) {
    if (!isSameOrigin(parseCursor(cursor).origin, position.origin))
      throw cannotGoOn('another server has taken over')
    await wait(VISIBLE_INTERVAL_MS)
    cursor = await changeCursor()
  }
  return cursor
}
