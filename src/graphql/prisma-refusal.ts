/** Stage 7, graphql. Rows that Prisma Client refuses to read: it fails the whole query, and its text quotes the value. */
import { memberOf } from '../member-of.ts'

/** "Inconsistent column data": a value that is none of its field's type. Prisma's error reference, P2023. */
const INCONSISTENT_DATA = 'P2023'
/** "Raw query failed", under which Prisma reports a column of a type that its adapter does not read. */
const RAW_QUERY_FAILED = 'P2010'
const UNREAD_TYPE = 'UnsupportedNativeDataType'

/** Whether Prisma Client says that a row holds what it cannot read. */
export function isRowRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  // A list of lists of Json: it joins the inner ones to one text, and parses that. What it throws then is the parser's own error,
  // marked with its version.
  if (error.name === 'SyntaxError') return typeof memberOf(error, 'clientVersion') === 'string'
  if (error.name !== 'PrismaClientKnownRequestError') return false
  const code = memberOf(error, 'code')
  if (code === INCONSISTENT_DATA) return true
  const cause = memberOf(memberOf(memberOf(error, 'meta'), 'driverAdapterError'), 'cause')
  return code === RAW_QUERY_FAILED && memberOf(cause, 'kind') === UNREAD_TYPE
}
