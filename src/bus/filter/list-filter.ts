/** Stage 6, bus. The filter of a list: `{ has }`, `{ hasSome }`, `{ hasEvery }`, `{ isEmpty }` or `{ equals }`. */
import { isNullList } from '../../catalog/values/null-list.ts'
import { badFilter, shownName } from './bad-filter.ts'
import type { Condition } from './condition.ts'
import type { FieldContext } from './field-filter.ts'
import { isFilterObject } from './filter-object.ts'
import { LIST_OPERATORS, type ListKeys, type ListOperatorRow } from './list-operators.ts'
import { isOperator, operatorNames } from './operators.ts'
import { NULL, outcomeOf, UNKNOWN } from './outcome.ts'
import { rowKeyOf, type ValueDomain, type ValueKey } from './value-domain.ts'

const OPERATORS = operatorNames(LIST_OPERATORS).join(', ')

/** A test of them, and what it costs. */
interface KeysTest {
  readonly test: (list: ListKeys) => boolean
  readonly cost: number
}

/** Look-ups that take as long as a condition on one value. */
const LOOK_UPS_A_TERM = 8

/**
 * The condition of one list. Of a NULL, which a row shows as an empty list, it is neither true nor false, as in SQL.
 * @throws BAD_FILTER for an operator or a value that the field does not take.
 */
export function parseListFilter(context: FieldContext, input: unknown, path: string): Condition {
  const entries = isFilterObject(input) ? Object.entries(input) : []
  const [operator, operand] = entries[0] ?? []
  if (operator === undefined || entries.length > 1) {
    throw badFilter(path, 'the filter of a list takes exactly one operator.', `Use one of ${OPERATORS}.`)
  }
  context.budget.spendTerm(path)
  const { test, cost } = parseOperator(context, operator, operand, `${path}.${shownName(operator)}`)
  const { domain } = context
  return {
    kind: 'test',
    field: context.field.name,
    takesNull: false,
    preparation: { name: `list of ${domain.name}`, prepare: (value) => listKeysOf(domain, value) },
    cost,
    ofAny: isEmptyList(operand) ? OF_NO_VALUES[operator] : undefined,
    mayDiffer: domain.mayDiffer === 'all',
    test(list) {
      if (list === undefined) return UNKNOWN
      return list === null ? NULL : outcomeOf(test(list as ListKeys))
    },
  }
}

/** What is so of every list, where no values are asked for. */
const OF_NO_VALUES: Readonly<Record<string, boolean>> = { hasEvery: true, hasSome: false }

function isEmptyList(operand: unknown): boolean {
  return Array.isArray(operand) && operand.length === 0
}

/** Null for the list that stands for NULL; undefined where the row does not hold all values themselves. */
function listKeysOf(domain: ValueDomain, value: unknown): ListKeys | null | undefined {
  if (!Array.isArray(value)) return undefined
  if (isNullList(value)) return null
  const keys: ValueKey[] = []
  for (const element of value) {
    const key = element === null ? undefined : rowKeyOf(domain, element)
    if (key === undefined) return undefined
    keys.push(key)
  }
  return { keys, set: new Set(keys) }
}

function costOfValues(count: number): number {
  return 1 + Math.ceil(count / LOOK_UPS_A_TERM)
}

function parseOperator(context: FieldContext, operator: string, operand: unknown, path: string): KeysTest {
  if (!isOperator(LIST_OPERATORS, operator)) {
    throw badFilter(path, 'a list has no such operator.', `Use one of ${OPERATORS}.`)
  }
  const { operand: shape, test }: ListOperatorRow = LIST_OPERATORS[operator]
  switch (shape) {
    case 'boolean': {
      if (typeof operand !== 'boolean') throw badFilter(path, 'takes a Boolean.', 'Give true or false.')
      return { test: (list) => test(list, []) === operand, cost: 1 }
    }
    case 'value': {
      const wanted = keysOf(context.domain, [parseElement(context, operand, path)])
      return { test: (list) => test(list, wanted()), cost: 1 }
    }
    default: {
      const elements = parseElements(context, operand, path)
      const wanted = keysOf(context.domain, elements)
      return { test: (list) => test(list, wanted()), cost: costOfValues(elements.length) }
    }
  }
}

/** The keys of a filter's values, which some values have only once a row is there. */
function keysOf({ roundLate, keyOf }: ValueDomain, values: readonly unknown[]): () => readonly ValueKey[] {
  if (roundLate !== undefined) return () => values.map((value) => keyOf(roundLate(value)))
  const keys = values.map(keyOf)
  return () => keys
}

function parseElements(context: FieldContext, operand: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(operand)) {
    const hint =
      operand === null
        ? 'Use `isEmpty` for an empty list; one that is NULL cannot be asked for.'
        : 'Give a list of values.'
    throw badFilter(path, 'takes a list.', hint)
  }
  context.budget.checkListLength(path, operand.length)
  context.budget.spendValues(path, operand.length)
  return operand.map((value, index) => parseElement(context, value, `${path}[${index}]`))
}

function parseElement({ domain }: FieldContext, operand: unknown, path: string): unknown {
  const parsed = operand === null || operand === undefined ? undefined : domain.parse(operand)
  if (parsed === undefined) throw badFilter(path, 'this is no value of the list.', `Give ${domain.wanted}.`)
  return parsed
}
