/**
 * Stage 6, bus. What one turn of the event loop spends on work that can be put off, of all kinds together. Each kind may take so much of it; when
 * the turn has taken long enough, whatever by, each goes on with as little as keeps it going: what has come from sockets is next.
 */
import { createGuard } from '../guard.ts'
import { silentLogger } from '../logger.ts'
import { type Arrivals, arrivals } from './arrivals.ts'

/** What it runs sets a field, and throws nothing. */
const guard = createGuard(silentLogger)

/** What all kinds of work take of a turn together. */
const TURN_MS = 5
/** Of what a kind may take else, where the others have taken all there is: none of them stands still. */
const LEAST_FRACTION = 1 / 8

/** What a turn is made with. */
export interface LoopTurnOptions {
  /** @default performance.now */
  readonly nowMs?: (() => number) | undefined
  /** @default those of this process */
  readonly connections?: Pick<Arrivals, 'shareOf'> | undefined
}

/** The turns of one event loop. */
export class LoopTurn {
  readonly #nowMs: () => number
  readonly #connections: Pick<Arrivals, 'shareOf'>
  readonly #onNextTurn: () => void
  /** When the first of it began in this turn; null where none has. */
  #beganMs: number | null = null

  constructor({ nowMs = () => performance.now(), connections = arrivals }: LoopTurnOptions = {}) {
    this.#nowMs = nowMs
    this.#connections = connections
    const forget = () => {
      this.#beganMs = null
    }
    this.#onNextTurn = guard.wrap('begin a turn', forget)
  }

  /**
   * What a kind of work may still take in this turn, in milliseconds.
   * @param ms what it takes at the most
   * @param spentMs what it has taken of that
   */
  shareOf(ms: number, spentMs = 0): number {
    const nowMs = this.#nowMs()
    if (this.#beganMs === null) {
      this.#beganMs = nowMs
      setImmediate(this.#onNextTurn)
    }
    const restMs = TURN_MS - (nowMs - this.#beganMs)
    return this.#connections.shareOf(Math.max(ms * LEAST_FRACTION - spentMs, Math.min(ms - spentMs, restMs)))
  }
}

/** That of this process: it has one event loop. */
export const loopTurn = new LoopTurn()

/** That of the process; of another clock one of its own. */
export function turnOf(nowMs: (() => number) | undefined): LoopTurn {
  return nowMs === undefined ? loopTurn : new LoopTurn({ nowMs })
}
