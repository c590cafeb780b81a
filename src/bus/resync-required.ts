/** Stage 6, bus. The ends after which a subscriber has to ask for its rows again, in one set of words. */
import { RowcastError } from '../errors.ts'

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
