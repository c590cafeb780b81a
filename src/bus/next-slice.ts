/** Stage 6, bus. When the next slice of some work runs: in the next turn, or after a moment where nothing can be done before. */
import type { SliceTimers } from './time-slices.ts'

/** The next slice of one kind of work. */
export class NextSlice {
  readonly #timers: SliceTimers
  readonly #run: () => void
  #due: 'soon' | 'later' | null = null

  constructor(timers: SliceTimers, run: () => void) {
    this.#timers = timers
    this.#run = run
  }

  /** In the next turn, also where it was to run later. */
  soon(): void {
    if (this.#due === 'soon') return
    this.#due = 'soon'
    this.#timers.soon(() => this.#begin())
  }

  /** After a moment, unless it is due already. */
  later(): void {
    if (this.#due !== null) return
    this.#due = 'later'
    // Where it has run meanwhile and is due once more, it runs a little earlier.
    this.#timers.later(() => {
      if (this.#due === 'later') this.#begin()
    })
  }

  #begin(): void {
    this.#due = null
    this.#run()
  }
}
