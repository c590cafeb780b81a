/**
 * Stage 6, bus. What a condition can be of a row, whatever the row has. Each field that is asked more than once is tried with every value that makes
 * a difference: null, each of the values that are named, and another one; and so is each set of keys that is asked more than once, with the row's key
 * in it and not. Of comparisons and texts anything is taken for possible.
 */
import type { FieldSpec, ModelSpec } from '../../catalog/model-catalog.ts'
import { ANY_RELATED, type Condition, type KeySetSpec, relatedTests } from './condition.ts'
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
} from './outcome.ts'
import type { ValueKey } from './value-domain.ts'

type ValuesCondition = Extract<Condition, { kind: 'in' }>
type RelatedCondition = Extract<Condition, { kind: 'related' }>

/** What a row has in a field: null, or a value that is among these. */
interface Possible {
  readonly isNull: boolean
  readonly among: ReadonlySet<ValuesCondition>
}

/** Of what is not there nothing is known. */
interface Assumed {
  readonly byField: ReadonlyMap<string, Possible>
  /** Whether the row's key is in it, by `nameOf` the test. */
  readonly bySet: ReadonlyMap<string, boolean>
}

/** Of related rows: the same for each row that is tried, and found out once. */
type OutcomesOfSets = Map<KeySetSpec, Outcome>

const EITHER = TRUE | FALSE
/** Rows that are tried; of further fields nothing is assumed, so that more is possible than is. */
const ROWS_MAX = 256
/** Lists of values that one field is asked for. */
const LISTS_MAX = 8

/** All that is possible, where every row has related ones: that there is one leaves nobody out, unless that alone is asked. */
export function possibleOutcomes(condition: Condition, model: ModelSpec): Outcome {
  let possible: Outcome = 0
  const sets: OutcomesOfSets = new Map()
  for (const row of rowsToTry(condition, model)) possible |= outcomeFor(condition, model, row, sets)
  return possible
}

function outcomeFor(condition: Condition, model: ModelSpec, row: Assumed, sets: OutcomesOfSets): Outcome {
  const of = (part: Condition): Outcome => outcomeFor(part, model, row, sets)
  switch (condition.kind) {
    case 'constant':
      return condition === ANY_RELATED ? EITHER : outcomeOf(condition.value)
    case 'and':
      return condition.conditions.reduce((sum, part) => andOutcomes(sum, of(part)), TRUE)
    case 'or':
      return condition.conditions.reduce((sum, part) => orOutcomes(sum, of(part)), FALSE)
    case 'not':
      return notOutcome(of(condition.condition))
    case 'null': {
      const has = row.byField.get(condition.field)
      if (has !== undefined) return outcomeOf(has.isNull)
      return fieldOf(model, condition.field)?.isRequired === true ? FALSE : EITHER
    }
    case 'in': {
      const has = row.byField.get(condition.field)
      if (has === undefined) return UNKNOWN
      return has.isNull ? NULL : outcomeOf(has.among.has(condition))
    }
    case 'test':
      return condition.ofAny === undefined ? UNKNOWN : outcomeOf(condition.ofAny)
    case 'related': {
      const { set } = condition
      const asked = sets.get(set) ?? possibleOutcomes(set.condition, set.model)
      sets.set(set, asked)
      const counting = set.counts === 'true' ? TRUE : TRUE | NULL
      if ((asked & counting) === 0) return FALSE
      if ((asked & ~counting) === 0) return TRUE
      const isIn = row.bySet.get(nameOf(condition) ?? '')
      return isIn === undefined ? EITHER : outcomeOf(isIn)
    }
  }
}

/** Equal for tests of the same key and set: `some` and `none` of the same are each other's negation. Null where that is not known. */
function nameOf({ fields, set }: RelatedCondition): string | null {
  return set.text === null ? null : JSON.stringify([fields, set.text])
}

function fieldOf(model: ModelSpec, name: string): FieldSpec | undefined {
  return model.fields.find((field) => field.name === name)
}

/** What a condition asks of one field. */
interface Asked {
  readonly lists: ValuesCondition[]
  count: number
}

/** Rows that have every combination of what makes a difference. */
function rowsToTry(condition: Condition, model: ModelSpec): readonly Assumed[] {
  const asked = new Map<string, Asked>()
  collect(condition, asked)
  let rows: readonly Assumed[] = [{ byField: new Map(), bySet: new Map() }]
  for (const [name, { lists, count }] of asked) {
    if (count < 2 || lists.length > LISTS_MAX) continue
    const values = valuesToTry(fieldOf(model, name), lists)
    if (rows.length * values.length > ROWS_MAX) continue
    rows = rows.flatMap(({ byField, bySet }) =>
      values.map((value) => ({ byField: new Map(byField).set(name, value), bySet })),
    )
  }
  for (const name of askedTwice(condition)) {
    if (rows.length * 2 > ROWS_MAX) break
    rows = rows.flatMap(({ byField, bySet }) =>
      [true, false].map((isIn) => ({ byField, bySet: new Map(bySet).set(name, isIn) })),
    )
  }
  return rows
}

/** The sets that it asks more than once. */
function askedTwice(condition: Condition): ReadonlySet<string> {
  const once = new Set<string>()
  const twice = new Set<string>()
  for (const name of relatedTests(condition).map(nameOf)) {
    if (name === null) continue
    if (once.has(name)) twice.add(name)
    once.add(name)
  }
  return twice
}

function collect(condition: Condition, asked: Map<string, Asked>): void {
  if ('conditions' in condition) for (const part of condition.conditions) collect(part, asked)
  else if (condition.kind === 'not') collect(condition.condition, asked)
  else if (condition.kind === 'null' || condition.kind === 'in') {
    const of = asked.get(condition.field) ?? { lists: [], count: 0 }
    asked.set(condition.field, of)
    of.count += 1
    if (condition.kind === 'in') of.lists.push(condition)
  }
}

/** One of those values that are in the same lists. */
function valuesToTry(field: FieldSpec | undefined, lists: readonly ValuesCondition[]): readonly Possible[] {
  const listsOf = new Map<ValueKey, ValuesCondition[]>()
  for (const list of lists) for (const key of list.keys) listsOf.set(key, [...(listsOf.get(key) ?? []), list])
  const kinds = new Map<string, Possible>()
  for (const among of listsOf.values())
    kinds.set(among.map((list) => lists.indexOf(list)).join(), { isNull: false, among: new Set(among) })
  const isNamedWhole = field?.type === 'Boolean' && listsOf.size >= 2
  return [
    ...kinds.values(),
    ...(isNamedWhole ? [] : [{ isNull: false, among: new Set<ValuesCondition>() }]),
    ...(field?.isRequired === true ? [] : [{ isNull: true, among: new Set<ValuesCondition>() }]),
  ]
}
