/**
 * Stage 6, bus. The type of a `where` for rows of a model: Prisma's shape, derived from the row's own type, so that
 * a field or an operator that does not exist does not compile.
 */
import type { Decimal } from '../../catalog/prisma-runtime.ts'

type DecimalValue = InstanceType<typeof Decimal>

/** `mode` of text filters, as Prisma's QueryMode. */
export type QueryMode = 'default' | 'insensitive'

/** Any value of a Json filter: a document, or `Prisma.DbNull`, `Prisma.JsonNull`, `Prisma.AnyNull`. */
type JsonOperand = string | number | boolean | null | object

/** Conditions on a row's own columns. */
export type FieldFilters<Row> = { readonly [Field in keyof Row]?: FieldFilter<Row[Field]> }

/** Which rows: all that is said has to hold. */
export type Where<Row> = FieldFilters<Row> & {
  readonly AND?: Where<Row> | readonly Where<Row>[]
  /** At least one of these; of an empty list none. */
  readonly OR?: readonly Where<Row>[]
  /** None of these. */
  readonly NOT?: Where<Row> | readonly Where<Row>[]
}

/** The filter of a field with values of this type: a value, or operators. */
export type FieldFilter<Value> =
  IsJson<Value> extends true
    ? JsonFilter
    : NonNullable<Value> extends Uint8Array
      ? BytesFilter<Value> | Operand<Value>
      : NonNullable<Value> extends readonly (infer Element)[]
        ? ListFilter<Element>
        : ScalarFilter<Value> | Operand<Value>

/** Of Prisma's types only Json is both text and number. */
type IsJson<Value> = string extends Value ? (number extends Value ? true : false) : false

/** What a filter takes for a value, null included where the field is optional. */
type Operand<Value> = Accepted<NonNullable<Value>> | Extract<Value, null>

/** What a filter takes for a value. */
type Accepted<Value> = Value extends Date
  ? Date | string
  : Value extends bigint
    ? bigint | number
    : Value extends DecimalValue
      ? DecimalValue | number | string
      : Value

/** Text has patterns, enums have no order. */
type ScalarFilter<Value> =
  NonNullable<Value> extends boolean
    ? BooleanFilter<Value>
    : NonNullable<Value> extends string
      ? string extends NonNullable<Value>
        ? TextFilter<Value> & { readonly mode?: QueryMode }
        : EnumFilter<Value>
      : OrderFilter<Value>

interface BooleanFilter<Value> {
  readonly equals?: Operand<Value>
  readonly not?: Operand<Value> | BooleanFilter<Value>
}

interface EqualityOperators<Value> {
  readonly equals?: Operand<Value>
  readonly in?: readonly Accepted<NonNullable<Value>>[] | Extract<Value, null>
  readonly notIn?: readonly Accepted<NonNullable<Value>>[] | Extract<Value, null>
}

interface OrderOperators<Value> extends EqualityOperators<Value> {
  readonly lt?: Accepted<NonNullable<Value>>
  readonly lte?: Accepted<NonNullable<Value>>
  readonly gt?: Accepted<NonNullable<Value>>
  readonly gte?: Accepted<NonNullable<Value>>
}

interface EnumFilter<Value> extends EqualityOperators<Value> {
  readonly not?: Operand<Value> | EnumFilter<Value>
}

interface BytesFilter<Value> extends EqualityOperators<Value> {
  readonly not?: Operand<Value> | BytesFilter<Value>
}

interface OrderFilter<Value> extends OrderOperators<Value> {
  readonly not?: Operand<Value> | OrderFilter<Value>
}

interface TextFilter<Value> extends OrderOperators<Value> {
  readonly contains?: string
  readonly startsWith?: string
  readonly endsWith?: string
  readonly not?: Operand<Value> | TextFilter<Value>
}

/** Exactly one of its operators. */
type ListFilter<Element> =
  | OneOf<'has', ElementOperand<Element>>
  | OneOf<'hasSome' | 'hasEvery' | 'equals', readonly ElementOperand<Element>[]>
  | OneOf<'isEmpty', boolean>

type ElementOperand<Element> = IsJson<Element> extends true ? JsonOperand : Accepted<Element>
type ListOperator = 'has' | 'hasSome' | 'hasEvery' | 'equals' | 'isEmpty'
type OneOf<Operators extends ListOperator, Value> = {
  [Operator in Operators]: { readonly [Key in Operator]: Value } & {
    readonly [Other in Exclude<ListOperator, Operator>]?: never
  }
}[Operators]

interface JsonFilter {
  /** Names and positions that lead to the value; the whole document when left out. */
  readonly path?: readonly string[]
  readonly mode?: QueryMode
  readonly equals?: JsonOperand
  readonly not?: JsonOperand
  readonly string_contains?: string
  readonly string_starts_with?: string
  readonly string_ends_with?: string
  readonly array_contains?: JsonOperand
  readonly array_starts_with?: JsonOperand
  readonly array_ends_with?: JsonOperand
  readonly lt?: string | number
  readonly lte?: string | number
  readonly gt?: string | number
  readonly gte?: string | number
}
