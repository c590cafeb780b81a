/** Stage 6, bus. The filter of one field that holds one value: `{ equals, not, in, lt, contains, … }`, or the value. */
import type { FieldSpec } from '../../catalog/model-catalog.ts'
import { badFilter, shownName, withoutOperator } from './bad-filter.ts'
import { allOf, type Condition, NEVER, negate } from './condition.ts'
import type { FilterBudget } from './filter-budget.ts'
import { type FilterObject, isFilterObject } from './filter-object.ts'
import { isPattern } from './like-pattern.ts'
import { type OrderTest, SCALAR_OPERATORS, type ScalarOperator, type ScalarOperatorRow } from './operators.ts'
import { outcomeOf, UNKNOWN } from './outcome.ts'
import { patternTest } from './pattern-filter.ts'
import type { Preparation } from './prepared-values.ts'
import { answerOfAnyText, lowerCase } from './text-order.ts'
import type { PatternText, ValueDomain } from './value-domain.ts'

/** What the filters of a field are parsed with. */
export interface FieldContext {
  readonly field: FieldSpec
  readonly domain: ValueDomain
  readonly budget: FilterBudget
}

/** One field's filter, with the mode it is read in. */
interface Reading extends FieldContext {
  readonly isInsensitive: boolean
}

/**
 * The condition of one field.
 * @throws BAD_FILTER for an operator or a value that the field does not take, and for no operator at all.
 */
export function parseFieldFilter(context: FieldContext, input: unknown, path: string): Condition {
  if (!isFilterObject(input) || isValueObject(context.domain, input)) {
    context.budget.spendTerm(path)
    return equalTo({ ...context, isInsensitive: false }, input, path)
  }
  const reading = { ...context, isInsensitive: parseMode(context, input['mode'], `${path}.mode`) }
  return parseOperators(reading, input, path, 1)
}

/** `mode`; true when insensitive. */
function parseMode({ domain }: FieldContext, mode: unknown, path: string): boolean {
  if (mode === undefined || mode === 'default') return false
  if (mode !== 'insensitive') {
    throw badFilter(path, 'there is no such mode.', 'Use `default` or `insensitive`.')
  }
  if (domain.pattern?.insensitive !== undefined && domain.pattern.insensitive !== null) return true
  const hint = domain.name === 'uuid' ? 'Leave it out: the case of a UUID never counts.' : 'Leave `mode` out.'
  throw badFilter(path, 'PostgreSQL compares values of this type in one way only.', hint)
}

/** All operators of one object, as `not` nests them: each is inverted by itself, then all have to hold. */
function parseOperators(reading: Reading, input: FilterObject, path: string, depth: number): Condition {
  reading.budget.checkDepth(path, depth)
  const conditions: Condition[] = []
  for (const [operator, operand] of Object.entries(input)) {
    const at = `${path}.${shownName(operator)}`
    if (operator === 'mode' && depth === 1) continue
    checkOperator(reading.domain, operator, at)
    conditions.push(parseOperator(reading, operator, operand, { path: at, depth }))
  }
  if (conditions.length === 0) throw withoutOperator(path)
  return allOf(conditions)
}

function parseOperator(
  reading: Reading,
  operator: ScalarOperator,
  operand: unknown,
  { path, depth }: { readonly path: string; readonly depth: number },
): Condition {
  if (operator === 'not' && isFilterObject(operand) && !isValueObject(reading.domain, operand)) {
    return parseOperators(reading, operand, path, depth + 1)
  }
  reading.budget.spendTerm(path)
  // As Prisma has it: the value of a `not` is not inverted again by a `not` around it.
  const isInverted = operator !== 'not' && depth % 2 === 0
  const condition = parseLeaf(reading, operator, operand, path)
  return isInverted ? negate(condition) : condition
}

function parseLeaf(reading: Reading, operator: ScalarOperator, operand: unknown, path: string): Condition {
  const row: ScalarOperatorRow = SCALAR_OPERATORS[operator]
  if (row.isInOrder !== undefined) return compared(reading, row.isInOrder, operand, path)
  if (row.toPattern !== undefined) return matching(reading, row.toPattern(textOf(operand, path)), path)
  const condition = row.operand === 'values' ? oneOf(reading, operand, path) : equalTo(reading, operand, path)
  return row.isNegated === true ? negate(condition) : condition
}

function equalTo(reading: Reading, operand: unknown, path: string): Condition {
  const { field, isInsensitive, domain } = reading
  if (operand === null) return isNull(field, path)
  const isIlike = isInsensitive && typeof operand === 'string'
  // PostgreSQL has no equality that ignores case; Prisma sends ILIKE, to which `%` and `_` are wildcards.
  if (isIlike && (isPattern(operand) || domain.name === 'char')) return matching(reading, operand, path)
  return valueIn(reading, [parseValue(reading, operand, path)])
}

function oneOf(reading: Reading, operand: unknown, path: string): Condition {
  if (operand === null) return isNull(reading.field, path)
  if (!Array.isArray(operand)) throw badFilter(path, 'takes a list.', 'Give a list of values.')
  reading.budget.checkListLength(path, operand.length)
  reading.budget.spendValues(path, operand.length)
  if (operand.length === 0) return NEVER
  return valueIn(
    reading,
    operand.map((value, index) => parseValue(reading, value, `${path}[${index}]`)),
  )
}

function valueIn(reading: Reading, values: readonly unknown[]): Condition {
  const domain = readingDomain(reading)
  if (domain.roundLate !== undefined) return sameAsAny(reading.field, domain, values)
  return { kind: 'in', field: reading.field.name, domain, keys: new Set(values.map(domain.keyOf)) }
}

function sameAsAny(field: FieldSpec, domain: ValueDomain, values: readonly unknown[]): Condition {
  return {
    kind: 'test',
    field: field.name,
    takesNull: false,
    preparation: null,
    cost: values.length,
    test(value) {
      const normal = domain.normalize(value)
      if (normal === undefined) return UNKNOWN
      return outcomeOf(values.some((wanted) => domain.compare(normal, wanted) === 0))
    },
  }
}

function compared(reading: Reading, isInOrder: OrderTest, operand: unknown, path: string): Condition {
  const domain = readingDomain(reading)
  const bound = parseValue(reading, operand, path)
  const { isCostly = false } = domain
  return {
    kind: 'test',
    field: reading.field.name,
    takesNull: false,
    preparation: isCostly ? { name: domain.name, prepare: domain.normalize } : null,
    cost: 1,
    ofAny: answerOfAnyText(isInOrder, bound),
    mayDiffer: domain.mayDiffer !== undefined,
    test(value) {
      const normal = isCostly ? value : domain.normalize(value)
      return normal === undefined ? UNKNOWN : outcomeOf(isInOrder(domain.compare(normal, bound)))
    },
  }
}

function matching(reading: Reading, pattern: string, path: string): Condition {
  const { isInsensitive, domain, field } = reading
  const { test, cost, ofAny } = patternTest(isInsensitive ? lowerCase(pattern) : pattern, path)
  return {
    kind: 'test',
    field: field.name,
    takesNull: false,
    preparation: isInsensitive || domain.isCostly ? matchedText(domain.pattern, isInsensitive) : null,
    ...{ cost, ofAny },
    mayDiffer: isInsensitive || domain.mayDiffer === 'all',
    test: (text) => (typeof text === 'string' ? test(text) : UNKNOWN),
  }
}

/** The text that patterns are matched against; undefined where the row does not hold it. */
function matchedText(text: PatternText | undefined, isInsensitive: boolean): Preparation {
  const strip = (isInsensitive ? text?.insensitive : text?.plain) ?? ((value: string) => value)
  return {
    name: isInsensitive ? 'matched text, insensitive' : 'matched text',
    prepare(value) {
      if (typeof value !== 'string') return undefined
      return isInsensitive ? lowerCase(strip(value)) : strip(value)
    },
  }
}

function isNull(field: FieldSpec, path: string): Condition {
  if (field.isRequired) throw badFilter(path, `${field.name} is never null.`, 'Leave the test out.')
  return { kind: 'null', field: field.name }
}

function readingDomain({ domain, isInsensitive }: Reading): ValueDomain {
  return isInsensitive && domain.insensitive !== undefined ? domain.insensitive : domain
}

function parseValue(reading: Reading, operand: unknown, path: string): unknown {
  const domain = readingDomain(reading)
  const parsed = operand === null || operand === undefined ? undefined : domain.parse(operand)
  if (parsed !== undefined) return parsed
  if (operand === null)
    throw badFilter(path, 'null is not a value here.', 'Use `equals: null` to test for null.')
  throw badFilter(path, 'this is no value of the field.', `Give ${reading.domain.wanted}.`)
}

function textOf(operand: unknown, path: string): string {
  if (typeof operand === 'string') return operand
  throw badFilter(path, 'takes text.', 'Give text.')
}

function checkOperator(
  domain: ValueDomain,
  operator: string,
  path: string,
): asserts operator is ScalarOperator {
  if ((domain.operators as readonly string[]).includes(operator)) return
  const mode = domain.pattern === undefined ? '' : ', mode'
  throw badFilter(path, 'the field has no such operator.', `Use ${domain.operators.join(', ')}${mode}.`)
}

/** decimal.js of another make, as a plain object. */
function isValueObject(domain: ValueDomain, input: FilterObject): boolean {
  return (domain.name === 'decimal' || domain.name === 'money') && typeof input['toFixed'] === 'function'
}
