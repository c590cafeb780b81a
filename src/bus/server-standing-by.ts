/** Stage 6, bus. How subscriptions end where another process reads the slot: with the cursor to go on after, and a time to come back at. */
import { RowcastError } from '../errors.ts'

/** Clients that are sent away at once come back one after the other. */
const RETRY_AFTER_MIN_MS = 500
const RETRY_AFTER_MAX_MS = 1_500

/** The typed end of a subscription whose last cursor is given. */
export function serverStandingBy(cursor: string | null): RowcastError {
  const spread = RETRY_AFTER_MAX_MS - RETRY_AFTER_MIN_MS
  const retryAfterMs = Math.round(RETRY_AFTER_MIN_MS + Math.random() * spread)
  return new RowcastError('SERVER_STANDING_BY', 'This server stands by: another process reads the changes.', {
    details: { cursor, retryAfterMs },
  })
}
