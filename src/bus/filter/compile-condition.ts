/** Stage 6, bus. A condition as one function of a row, with SQL's three values and a fourth: not known. */
import type { AnyRow } from '../../changes/change.ts'
import type { Condition } from './condition.ts'
import {
  andOutcomes,
  FALSE,
  NULL,
  notOutcome,
  type Outcome,
  orOutcomes,
  outcomeOf,
  TRUE,
  UNKNOWN,
  valueOfOutcome,
} from './outcome.ts'

/** What a condition says of a row. A field that is absent from the row was not sent. */
export type RowTest = (row: AnyRow) => Outcome

/** Compiles a condition. */
export function compileCondition(condition: Condition): RowTest {
  switch (condition.kind) {
    case 'constant': {
      const outcome = outcomeOf(condition.value)
      return () => outcome
    }
    case 'and':
      return compileGroup(condition.conditions, andOutcomes, FALSE)
    case 'or':
      return compileGroup(condition.conditions, orOutcomes, TRUE)
    case 'not': {
      const test = compileCondition(condition.condition)
      return (row) => notOutcome(test(row))
    }
    case 'null': {
      const { field } = condition
      return (row) => {
        const value = row[field]
        return value === undefined ? UNKNOWN : outcomeOf(value === null)
      }
    }
    case 'in':
      return compileIn(condition)
    case 'test': {
      const { field, takesNull, test } = condition
      return (row) => {
        const value = row[field]
        if (value === undefined) return UNKNOWN
        return value === null && !takesNull ? NULL : test(value)
      }
    }
  }
}

/** True, false or null as SQL has it; undefined where the row lacks a value that decides. */
export function evaluateCondition(condition: Condition, row: AnyRow): boolean | null | undefined {
  return valueOfOutcome(compileCondition(condition)(row))
}

function compileGroup(
  conditions: readonly Condition[],
  combine: (a: Outcome, b: Outcome) => Outcome,
  deciding: Outcome,
): RowTest {
  const tests = conditions.map(compileCondition)
  return (row) => {
    let outcome = notOutcome(deciding)
    for (const test of tests) {
      outcome = combine(outcome, test(row))
      if (outcome === deciding) break
    }
    return outcome
  }
}

function compileIn({ field, domain, keys }: Extract<Condition, { kind: 'in' }>): RowTest {
  return (row) => {
    const value = row[field]
    if (value === undefined) return UNKNOWN
    if (value === null) return NULL
    const normal = domain.normalize(value)
    return normal === undefined ? UNKNOWN : outcomeOf(keys.has(domain.keyOf(normal)))
  }
}
