/**
 * Stage 6, bus. A parsed and validated filter on one row. What can be looked up in an index (equality, `in`, null
 * tests, and how they combine) is spelled out; every other test is a function of one field's value.
 */
import type { Outcome } from './outcome.ts'
import type { Preparation } from './prepared-values.ts'
import type { ValueDomain, ValueKey } from './value-domain.ts'

/** A condition on one row. */
export type Condition =
  | { readonly kind: 'constant'; readonly value: boolean }
  | { readonly kind: 'and' | 'or'; readonly conditions: readonly Condition[] }
  | { readonly kind: 'not'; readonly condition: Condition }
  /** The field is SQL's NULL. */
  | { readonly kind: 'null'; readonly field: string }
  /** The field's value is one of these. */
  | {
      readonly kind: 'in'
      readonly field: string
      readonly domain: ValueDomain
      readonly keys: ReadonlySet<ValueKey>
    }
  | {
      readonly kind: 'test'
      readonly field: string
      /** Whether `test` takes null too; else null gives null, as in SQL. */
      readonly takesNull: boolean
      /** What `test` takes instead of the value; null for the value itself. */
      readonly preparation: Preparation | null
      /** What one test costs, where comparing a value costs 1. */
      readonly cost: number
      /** True of whatever value there is, by what was written: `contains: ''`. @default false */
      readonly isTrueOfAny?: boolean | undefined
      readonly test: (value: unknown) => Outcome
    }

/** Matches every row. */
export const ALWAYS: Condition = { kind: 'constant', value: true }
/** Matches no row. */
export const NEVER: Condition = { kind: 'constant', value: false }

/** All of them; of one, that one. */
export function allOf(conditions: readonly Condition[]): Condition {
  const [only, ...rest] = conditions
  if (only === undefined) return ALWAYS
  return rest.length === 0 ? only : { kind: 'and', conditions }
}

/** Any of them; of one, that one. */
export function anyOf(conditions: readonly Condition[]): Condition {
  const [only, ...rest] = conditions
  if (only === undefined) return NEVER
  return rest.length === 0 ? only : { kind: 'or', conditions }
}

/** SQL's NOT: null stays null. */
export function negate(condition: Condition): Condition {
  if (condition.kind === 'not') return condition.condition
  if (condition.kind === 'constant') return condition.value ? NEVER : ALWAYS
  return { kind: 'not', condition }
}

/** The fields a condition reads. */
export function fieldsOf(condition: Condition): ReadonlySet<string> {
  const fields = new Set<string>()
  const visit = (part: Condition): void => {
    if ('conditions' in part) part.conditions.forEach(visit)
    else if (part.kind === 'not') visit(part.condition)
    else if (part.kind !== 'constant') fields.add(part.field)
  }
  visit(condition)
  return fields
}

/** The one answer of a condition that asks nothing of a row's values; null for one that does. */
export function constantOf(condition: Condition): boolean | null {
  switch (condition.kind) {
    case 'constant':
      return condition.value
    case 'and':
    case 'or': {
      const deciding = condition.kind === 'or'
      const answers = condition.conditions.map(constantOf)
      if (answers.includes(deciding)) return deciding
      return answers.includes(null) ? null : !deciding
    }
    case 'not': {
      const answer = constantOf(condition.condition)
      return answer === null ? null : !answer
    }
    case 'test':
      return condition.isTrueOfAny === true ? true : null
    default:
      return null
  }
}

/** What it costs to judge a row: the sum of all conditions, where comparing a value costs 1. */
export function costOf(condition: Condition): number {
  if ('conditions' in condition) return condition.conditions.reduce((sum, part) => sum + costOf(part), 0)
  if (condition.kind === 'not') return costOf(condition.condition)
  if (condition.kind === 'constant') return 0
  return condition.kind === 'test' ? condition.cost : 1
}
