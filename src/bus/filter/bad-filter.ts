/** Stage 6, bus. How a filter is refused: where, what is wrong, what is allowed. Never the value that was given. */
import { RowcastError } from '../../errors.ts'

const NAME_LENGTH_MAX = 64

/** A BAD_FILTER for one place of a filter, such as `where.OR[1].email`. */
export function badFilter(path: string, wrong: string, allowed: string): RowcastError {
  return new RowcastError('BAD_FILTER', `${path}: ${wrong}`, { mend: allowed, details: { path } })
}

/** A name from a filter, cut where nobody would have meant it. */
export function shownName(name: string): string {
  return name.length > NAME_LENGTH_MAX ? `${name.slice(0, NAME_LENGTH_MAX)}…` : name
}
