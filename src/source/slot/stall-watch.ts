/** Stage 5, source. How long a stream has stood still although WAL waits, and the warning once it is too long. */
import type { Logger } from '../../logger.ts'
import type { SetupGoal } from '../setup/setup-plan.ts'
import { type ProgressReading, ProgressWatch } from './progress-watch.ts'
import { stalled } from './slot-verdict.ts'

export interface StallWatchOptions {
  readonly goal: SetupGoal
  readonly logger: Logger
  /** From how long on it is reported, in milliseconds. */
  readonly stalledAfterMs: number
}

/** One per source. */
export class StallWatch {
  readonly #options: StallWatchOptions
  readonly #progress = new ProgressWatch()
  #stalledMs = 0

  constructor(options: StallWatchOptions) {
    this.#options = options
  }

  /** At the last look; 0 while changes come. */
  get stalledMs(): number {
    return this.#stalledMs
  }

  /** Takes a look. */
  observe(reading: ProgressReading): void {
    const { goal, logger, stalledAfterMs } = this.#options
    const wasStalled = this.#stalledMs >= stalledAfterMs
    this.#stalledMs = this.#progress.observe(reading)
    if (this.#stalledMs < stalledAfterMs || wasStalled) return
    const error = stalled(goal, this.#stalledMs)
    const lagBytes = Number(reading.serverLsn - reading.safeLsn)
    logger.warn(error.message, { code: error.code, lagBytes })
  }

  /** A stream begins or ends. */
  reset(): void {
    this.#progress.reset()
    this.#stalledMs = 0
  }
}
