/** Beside the spine, sets. What ends a subscription before all of its first rows have come. Pure. */
import { isRowcastError, RowcastError } from '../errors.ts'

/**
 * The error as it says where to go on: after nothing that this subscription has got. The bus's own cursor is good for its changes, and
 * whoever went on after it would not have the rows that were still to come.
 * @param partialCursor what the subscription has for a cursor until then: RESYNC_REQUIRED
 */
export function beforeReady(error: unknown, partialCursor: string): unknown {
  if (!isRowcastError(error) || typeof error.details['cursor'] !== 'string') return error
  const { code, happened, hint, details } = error
  return new RowcastError(code, happened, { hint, details: { ...details, cursor: partialCursor } })
}
