/** Stage 6, bus. How subscriptions end when the server stops: with the cursor to go on after, and a time to come back at. */
import { RowcastError } from '../errors.ts'

/** Clients that are ended at once come back one after the other. */
const RETRY_AFTER_MAX_MS = 1_000

/** The typed end of a subscription whose last cursor is given. */
export function serverStopping(cursor: string | null): RowcastError {
  const retryAfterMs = Math.round(Math.random() * RETRY_AFTER_MAX_MS)
  return new RowcastError('SERVER_STOPPING', 'The server is stopping.', { details: { cursor, retryAfterMs } })
}
