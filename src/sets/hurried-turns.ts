/**
 * Sets, between stages 6 and 7. The turns of one graph's sets. One turn of the event loop may bring thousands of small transactions: those who
 * wait for the next one then have to go on in this one, as nothing holds the stream back. What only waits for a turn is not too slow.
 */
import type { ReadingTurns } from './in-turns.ts'

/** Turns that whoever uses them need not wait for while there is a hurry. */
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
