/** Sets, between stages 6 and 7. The rows that a change of rights may concern, whoever wrote them: named by their keys, where that can be done. Pure. */
import type { ChangeConditions } from '../bus/filter/change-filter.ts'
import { allOf, anyOf, type Condition, constantOf, keySetsOf } from '../bus/filter/condition.ts'
import { EXACT_DOMAINS, type KeyedRows } from './keyed-rows.ts'

type Rules = Pick<Partial<ChangeConditions>, 'rows' | 'where'>

/** Null where all rows have to be looked at. @param coverOf names the rows of which a condition may be true */
export function turnedRows(
  before: Rules,
  after: Rules,
  coverOf: (condition: Condition) => readonly KeyedRows[] | null,
): readonly KeyedRows[] | null {
  // What is asked for is the same, unless it leads to rows that are to be seen now and were not before, or the other way round.
  const leads = [before, after].some(({ where }) => where != null && keySetsOf(where).length > 0)
  const differing = leads ? null : differingKeys(before.rows ?? null, after.rows ?? null)
  return differing ?? coverOf(anyOf([conditionOf(before), conditionOf(after)]))
}

function conditionOf({ rows, where }: Rules): Condition {
  return allOf([rows, where].filter((part) => part !== null && part !== undefined))
}

/** Of `orgId: { in: [1, 2] }` and `orgId: { in: [2, 3] }` 1 and 3; null where one of them is something else. */
function differingKeys(before: Condition | null, after: Condition | null): readonly KeyedRows[] | null {
  const some = [before, after].find((each) => each?.kind === 'in')
  if (some?.kind !== 'in' || !EXACT_DOMAINS.has(some.domain.name)) return null
  const [was, is] = [before, after].map((each) => keysOf(each, some))
  if (was == null || is == null) return null
  const differing = [...new Set([...was, ...is])].filter((key) => was.has(key) !== is.has(key))
  const keys = new Map(differing.map((key) => [key, [key]] as const))
  return [{ fields: [some.field], domains: [some.domain], keys }]
}

type In = Extract<Condition, { kind: 'in' }>
const NO_KEYS: In['keys'] = new Set()

function keysOf(condition: Condition | null, { field, domain }: In): In['keys'] | null {
  if (condition === null) return null
  if (constantOf(condition) === false) return NO_KEYS
  return condition.kind === 'in' && condition.field === field && condition.domain.name === domain.name
    ? condition.keys
    : null
}
