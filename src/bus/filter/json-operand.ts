/** Stage 6, bus. The documents that a Json filter compares with: what they may be, and what comparing them costs. */
import { badFilter, inexactNumber } from './bad-filter.ts'
import type { FilterBudget } from './filter-budget.ts'
import { countJson, hasUnsafe } from './json-domain.ts'
import type { Json } from './json-value.ts'

/** Values of an array that are looked up as often as a condition on one value takes time. */
const LOOK_UPS_A_TERM = 8
/** The largest part with lists or objects in it: each of its values may be held against each of a document. */
const NESTED_VALUES_MAX = 100

/** What an array is asked to contain, in terms of the budget. @throws BAD_FILTER where it is too large */
export function costOfPart(part: Json, at: string): number {
  const values = countJson(part) ?? 0
  const isNested = typeof part === 'object' && part !== null && Object.values(part).some(isContainer)
  if (!isNested) return 1 + Math.ceil(values / LOOK_UPS_A_TERM)
  if (values <= NESTED_VALUES_MAX) return 1 + values
  throw badFilter(at, `more than ${NESTED_VALUES_MAX} values, lists or objects among them.`, 'Ask for less.')
}

function isContainer(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

/** A filter's document. @throws BAD_FILTER for what is no JSON value, and for numbers that may not be what was meant */
export function parseJsonOperand(budget: FilterBudget, operand: unknown, at: string): Json {
  const count = countJson(operand)
  if (count === null) throw badFilter(at, 'this is no JSON value.', 'Give a JSON value.')
  if (hasUnsafe(operand)) throw inexactNumber(at)
  budget.spendValues(at, count)
  return operand as Json
}
