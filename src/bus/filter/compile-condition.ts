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
import { preparedReader } from './prepared-values.ts'
import { type KeySource, relatedKeyOf } from './related-keys.ts'
import { rowKeyOf, type ValueKey } from './value-domain.ts'

/** What a condition says of a row. A field that is absent from the row was not sent. */
export type RowTest = (row: AnyRow) => Outcome

/**
 * Compiles a condition.
 * @param keys where the keys of other rows are found. Without it what depends on them is not known: a policy hides the row,
 *   and a filter is unanswerable.
 */
export function compileCondition(condition: Condition, keys: KeySource | null = null): RowTest {
  switch (condition.kind) {
    case 'constant': {
      const outcome = outcomeOf(condition.value)
      return () => outcome
    }
    case 'and':
      return compileGroup(condition.conditions, andOutcomes, FALSE, keys)
    case 'or':
      return compileGroup(condition.conditions, orOutcomes, TRUE, keys)
    case 'not': {
      const test = compileCondition(condition.condition, keys)
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
      const { field, takesNull, preparation, test } = condition
      const read = preparation === null ? null : preparedReader(field, preparation)
      return (row) => {
        const value = row[field]
        if (value === undefined) return UNKNOWN
        if (value === null && !takesNull) return NULL
        return test(read === null ? value : read(row, value))
      }
    }
    case 'related':
      return compileRelated(condition, keys)
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
  keys: KeySource | null,
): RowTest {
  const tests = conditions.map((condition) => compileCondition(condition, keys))
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
  const prepare = (value: unknown) => rowKeyOf(domain, value)
  const read = domain.isCostly ? preparedReader(field, { name: `${domain.name}, key`, prepare }) : null
  return (row) => {
    const value = row[field]
    if (value === undefined) return UNKNOWN
    if (value === null) return NULL
    const key = read === null ? prepare(value) : (read(row, value) as ValueKey | undefined)
    return key === undefined ? UNKNOWN : outcomeOf(keys.has(key))
  }
}

function compileRelated(
  { fields, domains, set }: Extract<Condition, { kind: 'related' }>,
  keys: KeySource | null,
): RowTest {
  const hasKey = keys?.(set)
  return (row) => {
    const key = relatedKeyOf(row, fields, domains)
    if (key === null) return FALSE
    return key === undefined || hasKey === undefined ? UNKNOWN : outcomeOf(hasKey(key))
  }
}
