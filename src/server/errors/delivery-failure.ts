/**
 * Stage 8, server. Why the result of one change cannot be delivered: it is too long, or it could not be made. Either
 * ends the subscription, with the cursor to go on after: resuming before the change would meet it again for ever.
 */
import { GraphQLError } from 'graphql'
import { isCursor } from '../../changes/cursor.ts'
import { RowcastError } from '../../errors.ts'
import { graphqlError } from '../../graphql/graphql-errors.ts'
import { memberOf } from '../../member-of.ts'
import { isStringTooLong } from '../../runtime-sentences.ts'

/** Whether the text is longer than so many bytes as UTF-8. */
export function isLongerThan(text: string, bytesMax: number): boolean {
  // A UTF-16 unit is one to three bytes: most texts need not be counted.
  if (text.length > bytesMax) return true
  return text.length * 3 > bytesMax && Buffer.byteLength(text) > bytesMax
}

/** The error of a result that is too long. @param delivery what it is of: a change, or anything else */
export function payloadTooLarge(bytesMax: number, delivery: unknown = null): RowcastError {
  if (isOfFirstRows(delivery))
    return new RowcastError('FIRST_ROWS_REJECTED', `A row is longer than ${bytesMax} bytes.`)
  if (isOfKept(delivery))
    return new RowcastError('LIST_TOO_LARGE', `A result is longer than ${bytesMax} bytes.`)
  return new RowcastError('PAYLOAD_TOO_LARGE', `A result is longer than ${bytesMax} bytes.`, {
    details: detailsOf(delivery),
  })
}

/**
 * What a client hears of a result that could not be made: the error itself where it was made for clients, else, for a
 * change, CHANGE_UNDELIVERABLE with the id under which the log has it; both with the cursor to go on after.
 */
export function undeliverable(
  error: unknown,
  delivery: unknown,
  mask: (error: unknown) => GraphQLError,
): GraphQLError {
  const details = detailsOf(delivery)
  if (isStringTooLong(error)) {
    if (isOfFirstRows(delivery))
      return graphqlError('FIRST_ROWS_REJECTED', 'A row is longer than any text can be.')
    if (isOfKept(delivery)) return graphqlError('LIST_TOO_LARGE', 'A result is longer than any text can be.')
    return graphqlError('PAYLOAD_TOO_LARGE', 'A result is longer than any text can be.', { details })
  }
  const masked = mask(error)
  const { code, id } = masked.extensions
  // What it was may pass, and going on after a row of them is not possible.
  if (isWithoutCursor(delivery) && code === 'INTERNAL_SERVER_ERROR')
    return graphqlError(
      'FIRST_ROWS_FAILED',
      'The result of a row, or of a list of them, could not be made.',
      {
        details: { id: String(id) },
      },
    )
  if (details.cursor === undefined) return masked
  if (code !== 'INTERNAL_SERVER_ERROR') {
    return new GraphQLError(masked.message, { extensions: { ...masked.extensions, ...details } })
  }
  return graphqlError('CHANGE_UNDELIVERABLE', 'The result of a change could not be made.', {
    details: { ...details, id: String(id) },
  })
}

/** Where the change of a delivery stands; null for what is no change. */
export function cursorOf(delivery: unknown): string | null {
  const change = memberOf(delivery, 'change')
  const cursor = memberOf(change, 'cursor')
  return isCursor(cursor) ? cursor : null
}

/** Whether it is of the rows that a subscription begins with: there is no going on after one of them. */
function isOfFirstRows(delivery: unknown): boolean {
  const action = memberOf(memberOf(delivery, 'change'), 'action')
  return action === 'READ' || action === 'READY'
}

/** Whether it is of a live list or of totals: whoever subscribes to these after a cursor gets them whole, and what was too long again. */
function isOfKept(delivery: unknown): boolean {
  return memberOf(delivery, 'shown') !== undefined
}

function isWithoutCursor(delivery: unknown): boolean {
  return isOfFirstRows(delivery) || isOfKept(delivery)
}

function detailsOf(delivery: unknown): { readonly cursor?: string } {
  const cursor = isWithoutCursor(delivery) ? null : cursorOf(delivery)
  return cursor === null ? {} : { cursor }
}
