/**
 * Stage 6, bus. Filters whose verdict the database may reach otherwise: by the collation of a column, by digits of a time that no row shows.
 * Which comparisons these are is said where they are made (`mayDiffer`). What has to be what the database gives asks it, where a change comes that
 * any such verdict would let through. Pure.
 */
import { type ChangeFilter, createChangeFilter } from './change-filter.ts'
import { ALWAYS, allOf, anyOf, type Condition, constantOf, NEVER, negate } from './condition.ts'

/** What every change meets that may concern its rows by the database's verdict; null where the filter's own is the same. */
export function widenedFilter(filter: ChangeFilter | null): ChangeFilter | null {
  if (filter === null || ![filter.where, filter.rows].some((part) => part !== null && mayDiffer(part)))
    return null
  const [where, rows] = [filter.where, filter.rows].map((part) =>
    part === null ? null : widened(part, true),
  )
  // What differs of a row may be what a policy asks: whether its viewer sees that field is another matter.
  return createChangeFilter({ where: where ?? null, rows: rows ?? ALWAYS })
}

function mayDiffer(condition: Condition): boolean {
  if ('conditions' in condition) return condition.conditions.some(mayDiffer)
  if (condition.kind === 'not') return mayDiffer(condition.condition)
  if (condition.kind === 'in') return condition.domain.mayDiffer === 'all'
  return condition.kind === 'test' && condition.mayDiffer === true && condition.ofAny === undefined
}

/** True of every row, or of no row, for which that is possible. */
function widened(condition: Condition, isTrue: boolean): Condition {
  if (condition.kind === 'not') return negate(widened(condition.condition, !isTrue))
  if (!('conditions' in condition)) {
    const open = isTrue ? ALWAYS : NEVER
    return mayDiffer(condition) ? open : condition
  }
  const isAnd = condition.kind === 'and'
  const parts = condition.conditions.map((part) => widened(part, isTrue))
  const answers = parts.map(constantOf)
  if (answers.includes(!isAnd)) return isAnd ? NEVER : ALWAYS
  const left = parts.filter((_, at) => answers[at] === null)
  return isAnd ? allOf(left) : anyOf(left)
}
