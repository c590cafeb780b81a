/**
 * Beside the spine, sets. Loops over rows and changes of which there may be any number, and as many loops as there are sets: a turn of
 * the event loop goes through some, and the next turn goes on.
 */
import type { TurnShare } from '../bus/turn-share.ts'

/** Turns of all who read the log: what it retains is not read in one. */
export type ReadingTurns = Pick<TurnShare, 'wait' | 'isOver'>

/** Steps, each of microseconds, between two looks at the time. */
const STEPS_A_LOOK = 32

/** Takes each of them, in order. Without turns at once. Of many loops that begin in one turn each looks at the time before it begins. */
export async function inTurns<Item>(
  items: Iterable<Item>,
  turns: ReadingTurns | undefined,
  take: (item: Item) => void,
): Promise<void> {
  let steps = 0
  for (const item of items) {
    if (steps % STEPS_A_LOOK === 0 && turns?.isOver === true) await turns.wait()
    take(item)
    steps += 1
  }
}
