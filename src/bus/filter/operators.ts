/**
 * Stage 6, bus. The operators of filters, one row each: what it asks, what it takes and how it decides. The parser, the inputs in
 * GraphQL, the table in docs/filters.md and the random filters of the tests follow from these rows; those of lists are in list-operators.ts.
 */

/**
 * What an operator takes: a value of the field, a list of them, a value or operators (`not`), text, a Boolean, a JSON
 * document, the name of a null.
 */
export type OperandShape =
  | 'value'
  | 'values'
  | 'value or operators'
  | 'text'
  | 'boolean'
  | 'json'
  | 'null kind'

/** What every operator says of itself. */
export interface OperatorRow {
  readonly operand: OperandShape
  /** For the schema: a sentence about the value. */
  readonly description: string
  /** Whether it is true where the row's test is not. @default false */
  readonly isNegated?: boolean
}

/** How a comparison with the operand has to end: negative where the row's value is the lesser one. */
export type OrderTest = (order: number) => boolean
/** The pattern of LIKE that the operand becomes. */
export type LikeForm = (text: string) => string

/** An operator of one value. */
export interface ScalarOperatorRow extends OperatorRow {
  /** What a type has to have: a notion of the same value, an order, or text that patterns match. */
  readonly needs: 'equality' | 'order' | 'pattern'
  readonly isInOrder?: OrderTest
  readonly toPattern?: LikeForm
}

/** Operators of a field that holds one value. */
export const SCALAR_OPERATORS = {
  equals: {
    needs: 'equality',
    operand: 'value',
    description: 'The value is this one; null asks for no value, where the field is optional.',
  },
  not: {
    needs: 'equality',
    operand: 'value or operators',
    isNegated: true,
    description: 'None of these hold; `not: null` asks for any value.',
  },
  in: {
    needs: 'equality',
    operand: 'values',
    description: 'The value is one of these.',
  },
  notIn: {
    needs: 'equality',
    operand: 'values',
    isNegated: true,
    description: 'There is a value, and it is none of these.',
  },
  lt: {
    needs: 'order',
    operand: 'value',
    description: 'Less than this.',
    isInOrder: (order) => order < 0,
  },
  lte: {
    needs: 'order',
    operand: 'value',
    description: 'At most this.',
    isInOrder: (order) => order <= 0,
  },
  gt: {
    needs: 'order',
    operand: 'value',
    description: 'Greater than this.',
    isInOrder: (order) => order > 0,
  },
  gte: {
    needs: 'order',
    operand: 'value',
    description: 'At least this.',
    isInOrder: (order) => order >= 0,
  },
  contains: {
    needs: 'pattern',
    operand: 'value',
    description: 'Has this in it; `%`, `_` and `\\` mean what they mean to LIKE.',
    toPattern: (text) => `%${text}%`,
  },
  startsWith: {
    needs: 'pattern',
    operand: 'value',
    description: 'Begins with this; `%`, `_` and `\\` mean what they mean to LIKE.',
    toPattern: (text) => `${text}%`,
  },
  endsWith: {
    needs: 'pattern',
    operand: 'value',
    description: 'Ends with this; `%`, `_` and `\\` mean what they mean to LIKE.',
    toPattern: (text) => `%${text}`,
  },
} as const satisfies Readonly<Record<string, ScalarOperatorRow>>

/** Name of an operator of one value; lists and Json have their own. */
export type ScalarOperator = keyof typeof SCALAR_OPERATORS

/** An operator of Json, by Prisma's name; in GraphQL it is written in camel case. */
export interface JsonOperatorRow extends OperatorRow {
  readonly isInOrder?: OrderTest
  readonly toPattern?: LikeForm
  /** Which element of an array it is about. */
  readonly elementAt?: 0 | -1
}

const { lt, lte, gt, gte, contains, startsWith, endsWith } = SCALAR_OPERATORS

/** Operators of a Json document, or of what stands at `path` in it. */
export const JSON_OPERATORS = {
  equals: { operand: 'json', description: 'Is this; null is the null of JSON.' },
  not: {
    operand: 'json',
    isNegated: true,
    description: 'Is there, and is not this.',
  },
  equalsNull: { operand: 'null kind', description: 'Is this kind of null.' },
  notNull: {
    operand: 'null kind',
    isNegated: true,
    description: 'Is not this kind of null.',
  },
  string_contains: {
    operand: 'text',
    description: 'Is a string with this in it.',
    toPattern: contains.toPattern,
  },
  string_starts_with: {
    operand: 'text',
    description: 'Is a string that begins with this.',
    toPattern: startsWith.toPattern,
  },
  string_ends_with: {
    operand: 'text',
    description: 'Is a string that ends with this.',
    toPattern: endsWith.toPattern,
  },
  array_contains: { operand: 'json', description: 'Is an array with this, or with all of this array.' },
  array_starts_with: {
    operand: 'json',
    description: 'Is an array whose first element is this.',
    elementAt: 0,
  },
  array_ends_with: {
    operand: 'json',
    description: 'Is an array whose last element is this.',
    elementAt: -1,
  },
  lt: {
    operand: 'json',
    description: 'Is a number or string less than this.',
    isInOrder: lt.isInOrder,
  },
  lte: {
    operand: 'json',
    description: 'Is a number or string at most this.',
    isInOrder: lte.isInOrder,
  },
  gt: {
    operand: 'json',
    description: 'Is a number or string greater than this.',
    isInOrder: gt.isInOrder,
  },
  gte: {
    operand: 'json',
    description: 'Is a number or string at least this.',
    isInOrder: gte.isInOrder,
  },
} as const satisfies Readonly<Record<string, JsonOperatorRow>>

/** Name of an operator of Json. */
export type JsonOperator = keyof typeof JSON_OPERATORS

/** Names of a table's operators, in its order. */
export function operatorNames<Name extends string>(
  table: Readonly<Record<Name, OperatorRow>>,
): readonly Name[] {
  return Object.keys(table) as Name[]
}

/** Whether a table has the operator. */
export function isOperator<Name extends string>(
  table: Readonly<Record<Name, OperatorRow>>,
  name: string,
): name is Name {
  return Object.hasOwn(table, name)
}

/** `string_contains` as GraphQL writes it: `stringContains`. */
export function graphqlOperatorName(name: string): string {
  return name
    .split('_')
    .map((word, index) => (index === 0 ? word : word.charAt(0).toUpperCase() + word.slice(1)))
    .join('')
}

function needing(...needs: readonly ScalarOperatorRow['needs'][]): readonly ScalarOperator[] {
  return operatorNames(SCALAR_OPERATORS).filter((name) => needs.includes(SCALAR_OPERATORS[name].needs))
}

/** Operators of what can be equal. */
export const EQUALITY = needing('equality')
/** Operators of what has an order. */
export const ORDER = needing('equality', 'order')
/** Operators of text. */
export const TEXT = needing('equality', 'order', 'pattern')
