/** Stage 5, source. What is logged and reported when a model's changes can no longer be read, and when they can again. */
import type { RowcastError } from '../../errors.ts'
import type { StreamPosition } from './ack-state.ts'
import type { ReplicationSourceOptions } from './source-options.ts'

/** Who hears of it: of the stream's messages and of looks at the catalog alike. */
export interface ModelNews {
  onDrift(model: string, drift: RowcastError): void
  onRecovery(model: string): void
}

/** Creates it for one source; `look` looks at slot and catalog now. */
export function createModelNews(
  options: Pick<ReplicationSourceOptions, 'logger' | 'onDrift' | 'onPassed' | 'onRecovery'>,
  position: Pick<StreamPosition, 'safeLsn'>,
  look: () => void,
): ModelNews {
  const { logger } = options
  return {
    onDrift(model, drift) {
      const level = drift.code === 'SOURCE_TABLE_NOT_REPLICABLE' ? 'warn' : 'error'
      logger[level](drift.message, { code: drift.code, model })
      options.onDrift(model, drift)
    },
    onRecovery(model) {
      logger.info(`The changes of ${model} can be read again.`, { model })
      // What could not be read lies before it.
      options.onPassed(position.safeLsn)
      options.onRecovery(model)
      // Nor has the log what could not be read: only a look shows that it is visible.
      look()
    },
  }
}
