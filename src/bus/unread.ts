/**
 * Stage 6, bus. How subscriptions end that cannot be given a change: with a code, and a cursor to go on after, whatever was
 * thrown. The cause goes along for the log of the server; clients get an id of it.
 */
import type { AnyChange } from '../changes/change.ts'
import { errorEntry, isRowcastError, RowcastError } from '../errors.ts'
import type { ChangeFilter } from './filter/change-filter.ts'
import { missingValues } from './filter/judge-change.ts'
import { cannotGoOn } from './resync-required.ts'

/** What has failed may go on failing, or a person has to act first; and those who were ended at once come back one after the other. */
const RETRY_AFTER_MIN_MS = 2_500
const RETRY_AFTER_MAX_MS = 5_000

/** When a client is to come back to a model whose changes cannot be read: each at another time. */
export function modelRetryAfterMs(): number {
  return Math.round(RETRY_AFTER_MIN_MS + (RETRY_AFTER_MAX_MS - RETRY_AFTER_MIN_MS) * Math.random())
}

/** What was thrown, as one error for all whom it ends: the log has each error once. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new RowcastError('BUG', 'What was thrown is no Error.')
}

/** The end of those who were to get the change: they go on after it, and know which one they lack. */
export function undeliverableChange(cause: unknown, cursor: string): RowcastError {
  if (isForClients(cause)) return cause
  return new RowcastError('CHANGE_UNDELIVERABLE', 'A change could not be read.', {
    cause: asError(cause),
    details: { cursor },
  })
}

/** The end of those for whom changes cannot be read at all: they go on after the cursor, where they are, later. */
export function unreadable(cause: unknown, cursor: string | null): RowcastError {
  if (isForClients(cause)) return cause
  return new RowcastError('MODEL_UNAVAILABLE', 'The changes of its model cannot be read at present.', {
    cause: asError(cause),
    details: { retryAfterMs: modelRetryAfterMs(), ...(cursor === null ? {} : { cursor }) },
  })
}

/** Whether it is not known which row a change is about: no key of it came, where the table is to log whole rows. */
export function isRowLost(change: AnyChange): boolean {
  if (change.isOldMissing !== true) return false
  return change.action === 'DELETE' ? change.key === null : change.oldKey === undefined
}

/** The row may have left what the subscriber sees; only asking for the rows again shows it. */
export function oldRowMissing({ model }: AnyChange): RowcastError {
  return cannotGoOn('the row before a change was not logged', model)
}

/** What the filter needs was not sent, or is too long for it. */
export function unanswerable(change: AnyChange, filter: ChangeFilter): RowcastError {
  // A policy's fields are not the viewer's to know.
  const missing = missingValues(change, { ...filter, rows: null })
    .map(({ image, fields }) =>
      fields === null ? `the ${image} row` : `${image}.${fields.join(`, ${image}.`)}`,
    )
    .join(' and ')
  const happened =
    missing === ''
      ? 'The filter cannot be decided: a text is too long for its pattern.'
      : `The filter needs ${missing}, which PostgreSQL did not send.`
  return new RowcastError('FILTER_UNANSWERABLE', happened, {
    details: { model: change.model, cursor: change.cursor },
  })
}

/** Whether it ends a subscription as it is: all else would be an internal error to clients. */
function isForClients(error: unknown): error is RowcastError {
  if (!isRowcastError(error)) return false
  return error.isPublic || errorEntry(error.code).clientSees !== undefined
}
