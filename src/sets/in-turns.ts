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
  step: (item: Item) => void,
): Promise<void> {
  let steps = 0
  for (const item of items) {
    if (steps % STEPS_A_LOOK === 0 && turns?.isOver === true) await turns.wait()
    step(item)
    steps += 1
  }
}

/**
 * The turns of one graph's sets, which nobody waits for while there is a hurry: one turn of the event loop may bring thousands of small
 * transactions, and nothing holds the stream back. What only waits for a turn is not too slow.
 */
export class HurriedTurns implements ReadingTurns {
  readonly #turns: ReadingTurns
  readonly #waiting = new Set<() => void>()
  #isHurried = false

  constructor(turns: ReadingTurns) {
    this.#turns = turns
  }

  get isOver(): boolean {
    return !this.#isHurried && this.#turns.isOver
  }

  /** Whether there is a hurry from now on: those who wait go on at once. */
  set isHurried(isHurried: boolean) {
    this.#isHurried = isHurried
    if (!isHurried) return
    for (const goOn of this.#waiting) goOn()
    this.#waiting.clear()
  }

  wait(): Promise<void> | null {
    const turn = this.#isHurried ? null : this.#turns.wait()
    if (turn === null) return null
    return new Promise((resolve) => {
      this.#waiting.add(resolve)
      const goOn = () => {
        this.#waiting.delete(resolve)
        resolve()
      }
      turn.then(goOn, goOn)
    })
  }
}
