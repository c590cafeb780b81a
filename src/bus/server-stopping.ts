/**
 * Stage 6, bus. How subscriptions end where the server stops, or another process reads the slot: with the cursor to go on after, and a time to
 * come back at.
 */
import { type ErrorCode, RowcastError } from '../errors.ts'

/** Clients that are ended at once come back one after the other: in milliseconds from when on, and within how many. */
const STOPPING_RETRY = { afterMs: 0, withinMs: 1_000 }
const STANDBY_RETRY = { afterMs: 500, withinMs: 1_000 }

/** The typed end of a subscription whose last cursor is given. */
export function serverStopping(cursor: string | null): RowcastError {
  return comeBack('SERVER_STOPPING', 'The server is stopping.', cursor, STOPPING_RETRY)
}

/** The same where another process has the changes. */
export function serverStandingBy(cursor: string | null): RowcastError {
  const happened = 'This server stands by: another process reads the changes.'
  return comeBack('SERVER_STANDING_BY', happened, cursor, STANDBY_RETRY)
}

function comeBack(
  code: ErrorCode,
  happened: string,
  cursor: string | null,
  { afterMs, withinMs }: typeof STANDBY_RETRY,
): RowcastError {
  const retryAfterMs = Math.round(afterMs + Math.random() * withinMs)
  return new RowcastError(code, happened, { details: { cursor, retryAfterMs } })
}
