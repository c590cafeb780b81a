/** Stage 6, bus. The ends after which a subscriber has to ask for its rows again, in one set of words. */
import { RowcastError } from '../errors.ts'

/** Of a subscription that may have missed something by the time it resumes. */
export function cannotResume(reason: string): RowcastError {
  return resyncRequired(`The cursor cannot be resumed: ${reason}.`, { reason })
}

/** Of a subscription that is open. */
export function cannotGoOn(reason: string, model?: string): RowcastError {
  const details = model === undefined ? { reason } : { reason, model }
  return resyncRequired(`The subscription cannot go on: ${reason}.`, details)
}

function resyncRequired(happened: string, details: Readonly<Record<string, string>>): RowcastError {
  return new RowcastError('RESYNC_REQUIRED', happened, { details })
}
