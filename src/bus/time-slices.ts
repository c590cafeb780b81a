/**
 * Stage 6, bus. Work in slices: a few milliseconds at a time, with a turn for everybody else in between. Timers are
 * injected, so that tests can hold them.
 */
import type { Guard } from '../guard.ts'
import { loopTurn } from './loop-turn.ts'

/** When what waits is run. */
export interface SliceTimers {
  /** After whatever the event loop has to do now. */
  soon(run: () => void): void
  /** After a moment, for what cannot go on before others have done something. */
  later(run: () => void): void
  /** Milliseconds of a clock that never jumps. */
  nowMs(): number
}

/** How much waits in queues already. */
export interface Pressure {
  /** So much that nothing is read but for those who have taken all they were given. */
  readonly isTight: boolean
  /** So much that nothing is read for anybody. */
  readonly isFull: boolean
  /** A slice of reading begins: makes room where that is needed; whether it may begin. */
  relieve(): boolean
}

/** The longest that others wait for a slice. */
const SLICE_MS = 2
/** Between two looks of something that cannot go on. */
const LATER_MS = 10

/** Node.js' own timers. */
export const NODE_TIMERS: SliceTimers = {
  soon: (run) => void setImmediate(run),
  later: (run) => void setTimeout(run, LATER_MS).unref(),
  nowMs: () => performance.now(),
}

/** The same timers: what throws in one of them is logged, and ends nothing but its slice. */
export function guardTimers({ soon, later, nowMs }: SliceTimers, guard: Guard): SliceTimers {
  const wrap = (run: () => void) => guard.wrap('read on for subscribers', run)
  return { soon: (run) => soon(wrap(run)), later: (run) => later(wrap(run)), nowMs }
}

/** The end of one slice. */
export class Slice {
  readonly #timers: SliceTimers
  readonly #endMs: number
  #steps = 0

  constructor(timers: SliceTimers) {
    this.#timers = timers
    this.#endMs = timers.nowMs() + loopTurn.shareOf(SLICE_MS)
  }

  /** Notes some steps, each of microseconds; true once the slice is over. */
  isOver(steps = 1): boolean {
    this.#steps += steps
    if (this.#steps < STEPS_A_LOOK) return false
    this.#steps = 0
    return this.#timers.nowMs() >= this.#endMs
  }
}

/** Steps between two looks at the clock. */
const STEPS_A_LOOK = 32

/** What one turn of the event loop spends on work that can be put off, however often it is asked for. */
export class TurnSlice {
  readonly #timers: SliceTimers
  #slice: Slice | null = null

  constructor(timers: SliceTimers) {
    this.#timers = timers
  }

  /** Notes some steps; true where the work had better be done in another turn. */
  isOver(steps: number): boolean {
    if (this.#slice === null) {
      this.#slice = new Slice(this.#timers)
      this.#timers.soon(() => {
        this.#slice = null
      })
    }
    return this.#slice.isOver(steps)
  }
}

/** What one turn of the event loop does of something that takes next to nothing, and of which any number may come: counted, for a look at the clock takes as long. */
export class TurnCount {
  readonly #timers: Pick<SliceTimers, 'soon'>
  readonly #max: number
  #count = 0

  constructor(timers: Pick<SliceTimers, 'soon'>, max: number) {
    this.#timers = timers
    this.#max = max
  }

  /** Whether there have been enough of them in this turn. */
  get isFull(): boolean {
    return this.#count > this.#max
  }

  /** Notes some. */
  note(count: number): void {
    if (this.#count === 0)
      this.#timers.soon(() => {
        this.#count = 0
      })
    this.#count += count
  }

  /** Notes some; true where there have been enough of them in this turn. */
  isOver(count: number): boolean {
    this.note(count)
    return this.isFull
  }
}
