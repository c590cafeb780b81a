/** Sets, between stages 6 and 7. The end of a subscription that is read too slowly. */
import { RowcastError } from '../errors.ts'

/** With the cursor to go on after. */
export function leftWaiting(cursor: string | null): RowcastError {
  const happened = 'This subscription left more waiting than can be kept for it.'
  return new RowcastError('SUBSCRIBER_TOO_SLOW', happened, { details: { cursor } })
}
