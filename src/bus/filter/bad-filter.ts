/** Stage 6, bus. How a filter is refused: where, what is wrong, what is allowed. Never the value that was given. */
import { RowcastError } from '../../errors.ts'

const NAME_LENGTH_MAX = 64

/** A BAD_FILTER for one path of a filter, such as `where.OR[1].email`. */
export function badFilter(path: string, wrong: string, allowed: string): RowcastError {
  return new RowcastError('BAD_FILTER', `${path}: ${wrong}`, { hint: allowed, details: { path } })
}

/**
 * A BAD_FILTER for a field's filter that asks nothing. Prisma takes it for every row; but it is what is left of
 * `{ equals: $name }` when the variable has no value, and a missing value must not widen a filter.
 */
export function withoutOperator(path: string): RowcastError {
  const hint = 'Give the value that is missing, or leave the field out.'
  return badFilter(
    path,
    'the filter of a field needs an operator: without one it would match every row.',
    hint,
  )
}

/** A BAD_FILTER for a number of Json that several numbers of PostgreSQL become in JavaScript: it must not match them all. */
export function inexactNumber(path: string): RowcastError {
  return badFilter(
    path,
    'a number beyond 2^53 is not exact in JavaScript, and could match another one.',
    'Keep such numbers as text in the Json, or in a BigInt or Decimal column.',
  )
}

/** A name from a filter, cut where nobody would have meant it. */
export function shownName(name: string): string {
  return name.length > NAME_LENGTH_MAX ? `${name.slice(0, NAME_LENGTH_MAX)}…` : name
}
