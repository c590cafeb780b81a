/**
 * Stage 6, bus. Whether connections come in. Node.js accepts one in each turn of the event loop: of hundreds which come at once the
 * last waits for as many turns, and with it whoever only asks for the server's health. So turns are short while they come.
 */
import { createGuard } from '../guard.ts'
import { silentLogger } from '../logger.ts'

/** What it runs counts, and throws nothing. */
const guard = createGuard(silentLogger)

/** Of what a turn spends else: each kind of work goes on, a piece at a time. */
const SHORT_FRACTION = 1 / 8
/** Turns that are short after a connection has come: its own, and the next, in which another may come. */
const SHORT_TURNS = 2

/** The arrivals of one process: it has one event loop. */
export class Arrivals {
  #shortTurns = 0
  readonly #onTurn: () => void
  readonly #nextTurn: (run: () => void) => void

  constructor(nextTurn: (run: () => void) => void = setImmediate) {
    this.#nextTurn = nextTurn
    const onTurn = () => {
      this.#shortTurns -= 1
      if (this.#shortTurns > 0) nextTurn(this.#onTurn)
    }
    // Turns that stay short for ever would slow everybody.
    const forget = () => {
      this.#shortTurns = 0
    }
    this.#onTurn = guard.wrap('count turns', onTurn, forget)
  }

  /** A connection has come. */
  note(): void {
    if (this.#shortTurns === 0) this.#nextTurn(this.#onTurn)
    this.#shortTurns = SHORT_TURNS
  }

  /** What this turn spends, of what it spends else. */
  shareOf(ms: number): number {
    return this.#shortTurns === 0 ? ms : ms * SHORT_FRACTION
  }
}

/** Those of this process. */
export const arrivals = new Arrivals()
