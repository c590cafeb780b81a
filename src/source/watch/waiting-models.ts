/** Stage 5, source. Reports for how many transactions a model waits, once for each number: it is asked for twice a second. */
import type { Logger } from '../../logger.ts'

/** One per source. */
export class WaitingModels {
  readonly #logger: Logger
  readonly #reported = new Map<string, number>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** The model waits for so many transactions that wrote to its table. */
  report(model: string, transactions: number): void {
    if (transactions === (this.#reported.get(model) ?? 0)) return
    this.#reported.set(model, transactions)
    if (transactions === 0) return
    this.#logger.info('Changes of a model wait for open transactions that wrote to its table.', {
      model,
      transactions,
    })
  }
}
