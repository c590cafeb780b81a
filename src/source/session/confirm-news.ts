/**
 * Stage 5, source. What follows from holding the confirmed position for the sake of a barrier: a look before its turn when
 * much WAL passes, and a warning when the barrier is given up.
 */
import type { Logger } from '../../logger.ts'
import type { Lsn } from '../../wire/lsn.ts'
import type { StreamPosition } from './ack-state.ts'

/** What it works on. */
export interface ConfirmNewsOptions {
  readonly position: StreamPosition
  readonly logger: Logger
  /** Looks at the catalog now. */
  look(): void
}

/** Creates the function that says what may be confirmed; it is called about once a second. */
export function createConfirm({ position, logger, look }: ConfirmNewsOptions): () => Lsn {
  let wasGivenUp = false
  return () => {
    const confirmed = position.confirm()
    const { isGivenUp } = position.ceiling
    if (position.ceiling.takeUrgency()) look()
    if (isGivenUp && !wasGivenUp) {
      logger.warn(
        'The slot no longer waits for a look at the catalog: the process that starts next may end all cursors.',
      )
    }
    wasGivenUp = isGivenUp
    return confirmed
  }
}
