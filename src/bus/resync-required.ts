/** Stage 6, bus. The ends after which a subscriber has to ask for its rows again, in one set of words. */
import { isRowcastError, RowcastError } from '../errors.ts'

/** Of a subscription that may have missed something by the time it resumes. */
export function cannotResume(reason: string): RowcastError {
  return new RowcastError('RESYNC_REQUIRED', `The cursor cannot be resumed: ${reason}.`, {
    details: { reason },
  })
}

/** Of a subscription that is open. */
export function cannotGoOn(reason: string, model?: string, cause?: unknown): RowcastError {
  const details = model === undefined ? { reason } : { reason, model }
  return new RowcastError('RESYNC_REQUIRED', `The subscription cannot go on: ${reason}.`, { details, cause })
}

const LEFT_THE_LOG = 'it was read too slowly and has left the log'
const OLDER_THAN_RETAINED = 'it is older than what is retained'

/** Of whoever is to begin, or to go on, behind a position that nobody keeps any more. */
export function olderThanRetained(): RowcastError {
  return cannotResume(OLDER_THAN_RETAINED)
}

/** Of a subscription that is read more slowly than changes come, for longer than they are retained. */
export function leftTheLog(): RowcastError {
  return cannotResume(LEFT_THE_LOG)
}

/** Whether a subscription that had begun ended as its own consumer was too slow, and for no other reason. */
export function isLeftBehind(error: unknown): boolean {
  if (isRowcastError(error, 'SUBSCRIBER_TOO_SLOW')) return true
  if (!isRowcastError(error, 'RESYNC_REQUIRED')) return false
  const { reason } = error.details
  return reason === LEFT_THE_LOG || reason === OLDER_THAN_RETAINED
}
