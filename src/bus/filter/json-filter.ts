/** Stage 6, bus. The filter of a Json field: `{ path, equals, not, string_contains, array_contains, lt, … }`. */
import type { FieldSpec } from '../../catalog/model-catalog.ts'
import { compareExactNumber, exactJsonOf, isUnsafe } from '../../catalog/values/exact-json.ts'
import { isSameValue } from '../../catalog/values/same-value.ts'
import { UnrepresentableValue } from '../../catalog/values/unrepresentable-value.ts'
import { badFilter, inexactNumber, shownName, withoutOperator } from './bad-filter.ts'
import { allOf, type Condition, NEVER, negate } from './condition.ts'
import type { FilterBudget } from './filter-budget.ts'
import { type FilterObject, isFilterObject } from './filter-object.ts'
import { JSON_NULL_KINDS, type JsonNullKind, jsonNullKindOf } from './json-null.ts'
import { costOfPart, parseJsonOperand } from './json-operand.ts'
import {
  createJsonList,
  extractJson,
  type Json,
  type JsonKind,
  type JsonList,
  jsonKindOf,
  listContains,
} from './json-value.ts'
import {
  graphqlOperatorName,
  isOperator,
  JSON_OPERATORS,
  type JsonOperator,
  type JsonOperatorRow,
  type LikeForm,
  type OrderTest,
  operatorNames,
} from './operators.ts'
import { NULL, type Outcome, outcomeOf, UNKNOWN } from './outcome.ts'
import { patternTest } from './pattern-filter.ts'
import { answerOfAnyText, compareCodePoints, lowerCase } from './text-order.ts'

/** What the filter of one Json field is parsed with. */
export interface JsonContext {
  readonly field: FieldSpec
  readonly budget: FilterBudget
  /** Whether an odd number of NOTs stands around the filter. */
  readonly isNegated: boolean
}

/** One filter, with what its operators share. */
interface Reading extends JsonContext {
  /** Null where the filter has none: the whole document. */
  readonly path: readonly string[] | null
  readonly isInsensitive: boolean
}

/** What stands at the path: undefined where nothing does, or the column is NULL. */
type JsonTest = (value: Json | undefined) => Outcome

/** What a filter of Json may have: its operators, and how they are to be read. */
const KEYS = ['path', 'mode', ...operatorNames(JSON_OPERATORS)].join(', ')

const BY_GRAPHQL_NAME: ReadonlyMap<string, JsonOperator> = new Map(
  operatorNames(JSON_OPERATORS).map((name) => [graphqlOperatorName(name), name]),
)

/**
 * The condition of one Json field.
 * @throws BAD_FILTER for an operator or a value that the field does not take, and for no operator at all.
 */
export function parseJsonFilter(context: JsonContext, input: unknown, at: string): Condition {
  if (!isFilterObject(input)) {
    throw badFilter(at, 'Json has no shorthand.', 'Write `{ equals: … }`, or `{ path: […], equals: … }`.')
  }
  const reading = { ...context, path: parsePath(input, at), isInsensitive: parseMode(input, `${at}.mode`) }
  const conditions: Condition[] = []
  for (const [operator, operand] of Object.entries(input)) {
    if (operator === 'path' || operator === 'mode') continue
    const place = `${at}.${shownName(operator)}`
    context.budget.spendTerm(place)
    conditions.push(parseOperator(reading, BY_GRAPHQL_NAME.get(operator) ?? operator, operand, place))
  }
  if (conditions.length > 0) return allOf(conditions)
  if (reading.path === null) throw withoutOperator(at)
  throw badFilter(at, '`path` alone asks nothing.', 'Add an operator, `equals` for instance.')
}

function parseOperator(reading: Reading, operator: string, operand: unknown, at: string): Condition {
  if (!isOperator(JSON_OPERATORS, operator)) throw badFilter(at, 'Json has no such operator.', `Use ${KEYS}.`)
  const row: JsonOperatorRow = JSON_OPERATORS[operator]
  const { isInOrder, toPattern, elementAt } = row
  if (toPattern !== undefined) return matching(reading, toPattern, operand, at)
  if (isInOrder !== undefined) return compared(reading, isInOrder, operand, at)
  if (elementAt !== undefined) {
    const wanted = parseJsonOperand(reading.budget, operand, at)
    const check = (list: unknown) => elementIs((list as readonly Json[]).at(elementAt), wanted)
    return typed(reading, { kind: 'array', at, check })
  }
  if (operator === 'array_contains') return containing(reading, operand, at)
  const condition =
    row.operand === 'null kind'
      ? equalToNull(reading, parseNullKind(operand, at), at)
      : equalTo(reading, operand, at)
  return row.isNegated === true ? negate(condition) : condition
}

function containing(reading: Reading, operand: unknown, at: string): Condition {
  const part = parseJsonOperand(reading.budget, operand, at)
  const cost = costOfPart(part, at)
  const prepare = (list: Json) => createJsonList(list as readonly Json[])
  const check = (list: unknown) => outcomeOf(listContains(list as JsonList, part))
  const ofAny = Array.isArray(part) && part.length === 0 ? true : undefined
  return typed(reading, { kind: 'array', at, cost, name: 'as a set', prepare, check, ofAny })
}

function equalTo(reading: Reading, operand: unknown, at: string): Condition {
  const kind = jsonNullKindOf(operand)
  if (kind !== null) return equalToNull(reading, kind, at)
  if (operand === null) return equalToNull(reading, 'JsonNull', at)
  if (reading.isInsensitive) {
    throw badFilter(
      at,
      'Json documents are compared as they are.',
      'Leave `mode` out, or use string_contains.',
    )
  }
  return equalToJson(reading, parseJsonOperand(reading.budget, operand, at))
}

function equalToJson(reading: Reading, wanted: Json): Condition {
  return test(reading, (value) => elementIs(value, wanted))
}

function equalToNull(reading: Reading, kind: JsonNullKind, at: string): Condition {
  const { field, path } = reading
  const isWhole = path === null || path.length === 0
  if (isWhole && field.isRequired)
    return kind === 'DbNull' ? NEVER : test(reading, (v) => outcomeOf(v === null))
  if (isWhole) {
    if (kind === 'AnyNull') return { kind: 'null', field: field.name }
    throw badFilter(at, 'a row shows both nulls of an optional Json field as null.', 'Use AnyNull.')
  }
  if (kind === 'JsonNull') return equalToJson(reading, null)
  const isAny = kind === 'AnyNull'
  return test(reading, (value) => outcomeOf(value === undefined || (isAny && value === null)))
}

function elementIs(value: Json | undefined, wanted: Json): Outcome {
  return value === undefined ? NULL : outcomeOf(isSameValue(value, wanted))
}

function matching(reading: Reading, toPattern: LikeForm, operand: unknown, at: string): Condition {
  const { isInsensitive, path } = reading
  if (typeof operand !== 'string') throw badFilter(at, 'takes text.', 'Give text.')
  if (isInsensitive && path === null) {
    throw badFilter(at, 'PostgreSQL has no lower() of jsonb.', 'Add `path: []`.')
  }
  const pattern = toPattern(operand)
  const { test, cost, ofAny } = patternTest(isInsensitive ? lowerCase(pattern) : pattern, at)
  const prepare = (value: Json) => {
    // Without a path Prisma matches the document's text, which has the quotes of the string.
    const text = path === null ? JSON.stringify(value) : String(value)
    return isInsensitive ? lowerCase(text) : text
  }
  const name = `${path === null ? 'quoted text' : 'text'}${isInsensitive ? ', insensitive' : ''}`
  const check = (text: unknown) => test(text as string)
  return typed(reading, { kind: 'string', cost, at, name, prepare, check, ofAny, mayDiffer: isInsensitive })
}

function compared(reading: Reading, isInOrder: OrderTest, operand: unknown, at: string): Condition {
  if (typeof operand === 'number' && Number.isFinite(operand)) {
    if (isUnsafe(operand)) throw inexactNumber(at)
    const check = (value: unknown) => outcomeOf(isInOrder(compareExactNumber(value, operand)))
    return typed(reading, { kind: 'number', at, check })
  }
  if (typeof operand === 'string') {
    const check = (value: unknown) => outcomeOf(isInOrder(compareCodePoints(String(value), operand)))
    const ofAny = answerOfAnyText(isInOrder, operand)
    return typed(reading, { kind: 'string', at, check, ofAny, mayDiffer: true })
  }
  throw badFilter(at, 'only numbers and strings have an order.', 'Give a number or a string.')
}

/** A test of values of one kind. */
interface KindTest {
  readonly kind: JsonKind
  readonly at: string
  readonly cost?: number
  /** What is made of the value once for each row, and how it is called. */
  readonly name?: string
  readonly prepare?: (value: Json) => unknown
  readonly check: (prepared: unknown) => Outcome
  /** What it is of whatever value of the kind there is. @default it depends */
  readonly ofAny?: boolean | undefined
  /** Whether PostgreSQL may judge it otherwise. @default false */
  readonly mayDiffer?: boolean | undefined
}

/** Stands for a value of another kind. */
const OTHER_KIND = Symbol('rowcast.otherKind')

/** Of values of other kinds neither the test holds nor its negation, as Prisma has it. */
function typed(
  reading: Reading,
  { kind, at, cost = 1, name = 'value', prepare, check, ofAny, mayDiffer }: KindTest,
): Condition {
  if (reading.field.nativeType === 'Json' && reading.path === null) {
    throw badFilter(at, 'PostgreSQL has no such operator for json, only for jsonb.', 'Add `path: []`.')
  }
  const otherwise = outcomeOf(reading.isNegated)
  return prepared(reading, {
    ...{ cost, ofAny, mayDiffer },
    name: `${kind}: ${name}`,
    prepare: (value) => {
      if (value === undefined) return undefined
      if (jsonKindOf(value) !== kind) return OTHER_KIND
      return prepare === undefined ? value : prepare(value)
    },
    check(value) {
      if (value === undefined) return NULL
      return value === OTHER_KIND ? otherwise : check(value)
    },
  })
}

function test(reading: Reading, check: JsonTest): Condition {
  return prepared(reading, {
    cost: 2,
    name: 'value',
    prepare: (value) => value,
    check: (value) => check(value as Json | undefined),
  })
}

/** A test of what is made of the value at the path. */
interface PreparedTest {
  readonly cost: number
  readonly name: string
  readonly prepare: (value: Json | undefined) => unknown
  readonly check: (made: unknown) => Outcome
  readonly ofAny?: boolean | undefined
  readonly mayDiffer?: boolean | undefined
}

function prepared({ field, path }: Reading, made: PreparedTest): Condition {
  const { cost, name, prepare, check, ofAny, mayDiffer = false } = made
  // Of an optional field's null nobody knows which null it is; it is taken for the column's.
  const nullRoot = field.isRequired ? null : undefined
  const steps = path ?? []
  return {
    kind: 'test',
    field: field.name,
    takesNull: true,
    preparation: {
      name: `${name} at ${JSON.stringify(steps)}`,
      prepare(value) {
        if (value instanceof UnrepresentableValue) return value
        return prepare(extractJson(value === null ? nullRoot : (exactJsonOf(value) as Json), steps))
      },
    },
    ...{ cost, ofAny },
    // Of an optional document's two nulls a row shows one.
    mayDiffer: mayDiffer || (!field.isRequired && steps.length === 0),
    test: (made) => (made instanceof UnrepresentableValue ? UNKNOWN : check(made)),
  }
}

function parsePath(input: FilterObject, at: string): readonly string[] | null {
  const path = input['path']
  if (path === undefined && !Object.hasOwn(input, 'path')) return null
  if (Array.isArray(path) && path.length <= 64 && path.every((step) => typeof step === 'string')) return path
  throw badFilter(`${at}.path`, 'takes a list of up to 64 names or positions.', "Write `path: ['a', '0']`.")
}

function parseMode(input: FilterObject, at: string): boolean {
  const mode = input['mode']
  if (mode === undefined || mode === 'default' || mode === 'insensitive') return mode === 'insensitive'
  throw badFilter(at, 'there is no such mode.', 'Use `default` or `insensitive`.')
}

function parseNullKind(operand: unknown, at: string): JsonNullKind {
  const kind = JSON_NULL_KINDS.find((candidate) => candidate === operand)
  if (kind !== undefined) return kind
  throw badFilter(at, 'there is no such null.', `Use ${JSON_NULL_KINDS.join(', ')}.`)
}
