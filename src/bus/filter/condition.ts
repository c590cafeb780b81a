/**
 * Stage 6, bus. A parsed and validated filter on one row. What can be looked up in an index (equality, `in`, null
 * tests, and how they combine) is spelled out; every other test is a function of one field's value.
 */
import type { ModelSpec } from '../../catalog/model-catalog.ts'
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
      /** What it is of whatever value there is, by what was written: of `contains: ''` true, of `hasSome: []` false. @default it depends */
      readonly ofAny?: boolean | undefined
      /** Whether PostgreSQL may judge it otherwise; see `ValueDomain`. @default false */
      readonly mayDiffer?: boolean | undefined
      readonly test: (value: unknown) => Outcome
    }
  /**
   * The values of these fields together are a key of the set. True or false, never null: a row with a null in one of
   * them has no key.
   */
  | {
      readonly kind: 'related'
      readonly fields: readonly string[]
      /** How the values are compared, in the order of `fields`. */
      readonly domains: readonly ValueDomain[]
      readonly set: KeySetSpec
    }

/**
 * The keys of some rows of a model: what a relation condition asks of other rows. `team: { members: { some: { userId: 7 } } }`
 * of a Post is `teamId ∈ K`, where K holds `id` of the teams whose `id ∈ K'`, and K' `teamId` of the memberships with
 * `userId = 7`.
 */
export interface KeySetSpec {
  /** The model, or the join table of an implicit many-to-many. */
  readonly model: ModelSpec
  /** The fields whose values together are the key. */
  readonly fields: readonly string[]
  /** How they are compared, in the order of `fields`. */
  readonly domains: readonly ValueDomain[]
  /** Which rows. */
  readonly condition: Condition
  /**
   * What the condition has to be of a row that counts. SQL's null is neither true nor false: a negated `is` has to find
   * the rows of which the condition is false, and so asks for all others.
   */
  readonly counts: 'true' | 'not false'
  /** Sets with the same text are the same set; null where that is not known. */
  readonly text: string | null
}

/** Matches every row. */
export const ALWAYS: Condition = { kind: 'constant', value: true }
/** The same of related rows, where it is meant: that there is one is what is asked. */
export const ANY_RELATED: Condition = { kind: 'constant', value: true }
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
    else if (part.kind === 'related') for (const field of part.fields) fields.add(field)
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
      return condition.ofAny ?? null
    case 'related':
      // No row has a key among those of no rows. Whether there are any is asked of the data.
      return constantOf(condition.set.condition) === false ? false : null
    default:
      return null
  }
}

/** What it costs to judge a row: the sum of all conditions, where comparing a value costs 1. */
export function costOf(condition: Condition): number {
  if ('conditions' in condition) return condition.conditions.reduce((sum, part) => sum + costOf(part), 0)
  if (condition.kind === 'not') return costOf(condition.condition)
  if (condition.kind === 'constant') return 0
  if (condition.kind === 'related') return condition.fields.length + costOf(condition.set.condition)
  return condition.kind === 'test' ? condition.cost : 1
}

/** The sets that a condition asks itself, without those that they ask in turn. */
export function keySetsOf(condition: Condition): readonly KeySetSpec[] {
  return relatedTests(condition).map(({ set }) => set)
}

/** The sets of a condition, and those that they ask. */
export function allSetsOf(condition: Condition): readonly KeySetSpec[] {
  return keySetsOf(condition).flatMap((set) => [set, ...allSetsOf(set.condition)])
}

/** A test of a row's own key. */
export type RelatedTest = Extract<Condition, { kind: 'related' }>

/** The tests of a row's own key that a condition makes itself. */
export function relatedTests(condition: Condition): readonly RelatedTest[] {
  if ('conditions' in condition) return condition.conditions.flatMap(relatedTests)
  if (condition.kind === 'not') return relatedTests(condition.condition)
  return condition.kind === 'related' ? [condition] : []
}
