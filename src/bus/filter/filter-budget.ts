/** Stage 6, bus. How large a filter may be: it is evaluated on every change, and may come from the internet. */
import { badFilter } from './bad-filter.ts'

/** Bounds of one filter. */
export interface FilterLimits {
  /** Conditions and groups of conditions. @default 256 */
  readonly termsMax: number
  /** Groups within groups, and `not` within `not`. @default 16 */
  readonly depthMax: number
  /** Values of one list. @default 1_000 */
  readonly listLengthMax: number
  /** Values of all lists and Json documents together. @default 10_000 */
  readonly valuesMax: number
  /** What judging a row costs: 1 for a condition that compares a value, 8 and more for a pattern. @default 256 */
  readonly costMax: number
}

/** The bounds when nothing else is said. */
export const FILTER_LIMITS: FilterLimits = {
  termsMax: 256,
  depthMax: 16,
  listLengthMax: 1_000,
  valuesMax: 10_000,
  costMax: 256,
}

/** For what somebody trusted wrote. */
export const UNBOUNDED_FILTER: FilterLimits = {
  ...{ termsMax: Infinity, depthMax: Infinity, listLengthMax: Infinity },
  ...{ valuesMax: Infinity, costMax: Infinity },
}

/** Counts while a filter is parsed. */
export interface FilterBudget {
  /** @throws BAD_FILTER at the bound of terms. */
  spendTerm(path: string): void
  /** @throws BAD_FILTER at the bound of values. */
  spendValues(path: string, count: number): void
  /** @throws BAD_FILTER when a list is too long. */
  checkListLength(path: string, length: number): void
  /** @throws BAD_FILTER when a path is too deep. */
  checkDepth(path: string, depth: number): void
}

/** A budget for one filter. */
export function createFilterBudget(limits: FilterLimits): FilterBudget {
  let terms = 0
  let values = 0
  return {
    spendTerm(path) {
      terms += 1
      if (terms > limits.termsMax) {
        throw badFilter(path, `the filter has more than ${limits.termsMax} conditions.`, 'Ask for less.')
      }
    },
    spendValues(path, count) {
      values += count
      if (values > limits.valuesMax) {
        throw badFilter(path, `the filter holds more than ${limits.valuesMax} values.`, 'Ask for less.')
      }
    },
    checkListLength(path, length) {
      if (length <= limits.listLengthMax) return
      const hint = `Give at most ${limits.listLengthMax}.`
      throw badFilter(path, `a list of ${length} values is too long.`, hint)
    },
    checkDepth(path, depth) {
      if (depth <= limits.depthMax) return
      throw badFilter(path, `the filter is more than ${limits.depthMax} levels deep.`, 'Flatten it.')
    },
  }
}
