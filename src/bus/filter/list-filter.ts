/** Stage 6, bus. The filter of a list: `{ has }`, `{ hasSome }`, `{ hasEvery }`, `{ isEmpty }` or `{ equals }`. */
import { isNullList } from '../../catalog/values/null-list.ts'
import { badFilter, shownName } from './bad-filter.ts'
import type { Condition } from './condition.ts'
import type { FieldContext } from './field-filter.ts'
import { isFilterObject } from './filter-object.ts'
import { NULL, outcomeOf, UNKNOWN } from './outcome.ts'
import type { ValueKey } from './value-domain.ts'

const OPERATORS = 'equals, has, hasSome, hasEvery, isEmpty'

/** The keys of a row's list; undefined where it holds what is no value of the type. */
type KeysTest = (keys: readonly ValueKey[]) => boolean

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
  const isMatch = parseOperator(context, operator, operand, `${path}.${shownName(operator)}`)
  const { domain } = context
  return {
    kind: 'test',
    field: context.field.name,
    takesNull: false,
    test(value) {
      if (!Array.isArray(value)) return UNKNOWN
      if (isNullList(value)) return NULL
      const normal = value.map((element) => (element === null ? undefined : domain.normalize(element)))
      return normal.includes(undefined) ? UNKNOWN : outcomeOf(isMatch(normal.map(domain.keyOf)))
    },
  }
}

function parseOperator(context: FieldContext, operator: string, operand: unknown, path: string): KeysTest {
  switch (operator) {
    case 'has': {
      const wanted = parseElement(context, operand, path)
      return (keys) => keys.includes(wanted)
    }
    case 'hasSome': {
      const wanted = new Set(parseElements(context, operand, path))
      return (keys) => keys.some((key) => wanted.has(key))
    }
    case 'hasEvery': {
      const wanted = parseElements(context, operand, path)
      return (keys) => wanted.every((key) => keys.includes(key))
    }
    case 'equals': {
      const wanted = parseElements(context, operand, path)
      return (keys) =>
        keys.length === wanted.length && keys.every((key, index) => isSameKey(key, wanted[index]))
    }
    case 'isEmpty': {
      if (typeof operand !== 'boolean') throw badFilter(path, 'takes a Boolean.', 'Give true or false.')
      return (keys) => (keys.length === 0) === operand
    }
    default:
      throw badFilter(path, 'a list has no such operator.', `Use one of ${OPERATORS}.`)
  }
}

function isSameKey(a: ValueKey, b: ValueKey | undefined): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b))
}

function parseElements(context: FieldContext, operand: unknown, path: string): readonly ValueKey[] {
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

function parseElement({ domain }: FieldContext, operand: unknown, path: string): ValueKey {
  const parsed = operand === null || operand === undefined ? undefined : domain.parse(operand)
  if (parsed === undefined) throw badFilter(path, 'this is no value of the list.', `Give ${domain.wanted}.`)
  return domain.keyOf(parsed)
}
