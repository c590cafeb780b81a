/** Beside the bus, broker. A table that fits again comes with its next row only: a gateway asks the database, now and then. */
import { describeError } from '../describe-error.ts'
import type { Logger } from '../logger.ts'
import type { RunQuery } from '../source/db/run-query.ts'
import { DriftWatch, type DriftWatchOptions, type ModelTableShape } from '../source/watch/drift-watch.ts'
import type { Lsn } from '../wire/lsn.ts'
import { type BrokerRuntime, systemRuntime } from './broker-runtime.ts'

export interface DriftLooksOptions extends DriftWatchOptions {
  /** Asks PostgreSQL, on a connection of a moment, what tables look like. @default nobody is asked */
  readonly askDatabase?: ((ask: (query: RunQuery) => Promise<void>) => Promise<void>) | undefined
  /** How often it is asked while a model has drifted, in milliseconds. */
  readonly watchIntervalMs: number
  readonly logger: Logger
  /** @default the machine's */
  readonly runtime?: BrokerRuntime | undefined
}

/** One per gateway. */
export class DriftLooks {
  readonly #options: DriftLooksOptions
  readonly #watch: DriftWatch
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: DriftLooksOptions) {
    this.#options = options
    this.#watch = new DriftWatch(options)
  }

  /** Looks if it is time, beside what is read meanwhile. */
  look(tables: readonly ModelTableShape[]): void {
    const { askDatabase, watchIntervalMs, logger, runtime = systemRuntime } = this.#options
    const nowMs = runtime.monotonicMs()
    const isTime = nowMs - this.#lookedAtMs >= watchIntervalMs
    if (!isTime || !this.#watch.isDue || askDatabase === undefined) return
    this.#lookedAtMs = nowMs
    askDatabase((query) => this.#watch.look(query, tables)).catch((error: unknown) => {
      logger.debug('The tables could not be looked at.', describeError(error))
    })
  }

  /** See `DriftWatch`. */
  reaches(lsn: Lsn): void {
    this.#watch.reaches(lsn)
  }

  reset(): void {
    this.#watch.reset()
  }
}
