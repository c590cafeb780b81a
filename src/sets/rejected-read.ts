/** Beside the spine, sets. Whether a query that failed fails again however often it is made: it is about the values, not about the server. */
import { memberOf } from '../member-of.ts'

/**
 * Prisma Client's codes for values that do not fit, and for rows that it cannot read. Source: Prisma's error reference.
 */
const ABOUT_VALUES: ReadonlySet<unknown> = new Set([
  ...['P2000', 'P2005', 'P2006', 'P2007', 'P2019', 'P2020', 'P2023', 'P2029', 'P2033'],
])
/** Data exceptions, and limits of the program. Source: PostgreSQL manual, Appendix A. */
const REJECTING_CLASSES: ReadonlySet<string> = new Set(['22', '54'])

/** Whether it is no use to make the query again. */
export function isRejected(error: unknown): boolean {
  if (memberOf(error, 'name') === 'PrismaClientValidationError') return true
  if (ABOUT_VALUES.has(memberOf(error, 'code'))) return true
  const cause = memberOf(memberOf(memberOf(error, 'meta'), 'driverAdapterError'), 'cause')
  const sqlstate = memberOf(cause, 'originalCode')
  return typeof sqlstate === 'string' && REJECTING_CLASSES.has(sqlstate.slice(0, 2))
}
