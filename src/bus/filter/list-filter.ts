/** Stage 6, bus. The filter of a list: `{ has }`, `{ hasSome }`, `{ hasEvery }`, `{ isEmpty }` or `{ equals }`. */
import { isNullList } from '../../catalog/values/null-list.ts'
import { badFilter, shownName } from './bad-filter.ts'
import type { Condition } from './condition.ts'
import type { FieldContext } from './field-filter.ts'
import { isFilterObject } from './filter-object.ts'
import { NULL, outcomeOf, UNKNOWN } from './outcome.ts'
import { rowKeyOf, type ValueDomain, type ValueKey } from './value-domain.ts'

const OPERATORS = 'equals, has, hasSome, hasEvery, isEmpty'

/** The keys of a row's list, in order and as a set. */
interface ListKeys {
  readonly keys: readonly ValueKey[]
  readonly set: ReadonlySet<ValueKey>
}

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
    isTrueOfAny: operator === 'hasEvery' && Array.isArray(operand) && operand.length === 0,
    test(list) {
      if (list === undefined) return UNKNOWN
      return list === null ? NULL : outcomeOf(test(list as ListKeys))
    },
  }
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
  switch (operator) {
    case 'has': {
      const wanted = parseElement(context, operand, path)
      return { test: ({ set }) => set.has(wanted()), cost: 1 }
    }
    case 'hasSome': {
      const wanted = parseElements(context, operand, path)
      return { test: ({ set }) => wanted.some((key) => set.has(key())), cost: costOfValues(wanted.length) }
    }
    case 'hasEvery': {
      const wanted = parseElements(context, operand, path)
      return { test: ({ set }) => wanted.every((key) => set.has(key())), cost: costOfValues(wanted.length) }
    }
    case 'equals': {
      const wanted = parseElements(context, operand, path)
      return {
        test: ({ keys }) =>
          keys.length === wanted.length && keys.every((key, index) => isSameKey(key, wanted[index]?.())),
        cost: costOfValues(wanted.length),
      }
    }
    case 'isEmpty': {
      if (typeof operand !== 'boolean') throw badFilter(path, 'takes a Boolean.', 'Give true or false.')
      return { test: ({ keys }) => (keys.length === 0) === operand, cost: 1 }
    }
    default:
      throw badFilter(path, 'a list has no such operator.', `Use one of ${OPERATORS}.`)
  }
}

function isSameKey(a: ValueKey, b: ValueKey | undefined): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b))
}

/** The key of a filter's value, which some values have only once a row is there. */
type WantedKey = () => ValueKey

function parseElements(context: FieldContext, operand: unknown, path: string): readonly WantedKey[] {
  if (!Array.isArray(operand)) {
    const mend =
      operand === null
        ? 'Use `isEmpty` for an empty list; one that is NULL cannot be asked for.'
        : 'Give a list of values.'
    throw badFilter(path, 'takes a list.', mend)
  }
  context.budget.checkListLength(path, operand.length)
  context.budget.spendValues(path, operand.length)
  return operand.map((value, index) => parseElement(context, value, `${path}[${index}]`))
}

function parseElement({ domain }: FieldContext, operand: unknown, path: string): WantedKey {
  const parsed = operand === null || operand === undefined ? undefined : domain.parse(operand)
  if (parsed === undefined) throw badFilter(path, 'this is no value of the list.', `Give ${domain.wanted}.`)
  const { roundLate } = domain
  if (roundLate !== undefined) return () => domain.keyOf(roundLate(parsed))
  const key = domain.keyOf(parsed)
  return () => key
}
