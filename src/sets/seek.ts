/**
 * Beside the spine, sets. Pages by key: the rows that follow a row in an order, as a `where` of Prisma. What says where a page begins are
 * the values of the last row before it, so it does not matter whether that row is still there.
 */
import type { FieldSpec, ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import { uniqueFieldsOf } from '../catalog/row-key.ts'
import { hidesDigits } from '../catalog/time-digits.ts'
import { noRowOf } from './no-row.ts'

/** Where rows without a value stand. */
export type NullsOrder = 'first' | 'last'

/** One part of an order. */
export interface OrderPart {
  readonly field: FieldSpec
  readonly direction: 'asc' | 'desc'
  /** @default PostgreSQL's: last where it ascends, first where it descends */
  readonly nulls?: NullsOrder | undefined
}

/** Where nulls stand. PostgreSQL manual, 7.5 "Sorting Rows (ORDER BY)". */
export function nullsOf({ direction, nulls }: Pick<OrderPart, 'direction' | 'nulls'>): NullsOrder {
  return nulls ?? (direction === 'asc' ? 'last' : 'first')
}

/** One part of Prisma's `orderBy`. */
export type PrismaOrder = Readonly<
  Record<string, 'asc' | 'desc' | { readonly sort: 'asc' | 'desc'; readonly nulls: NullsOrder }>
>

/** The order as Prisma Client takes it, which knows `nulls` of fields that may be null alone. */
export function prismaOrderOf(order: Iterable<OrderPart>): readonly PrismaOrder[] {
  return [...order].map(({ field, direction, nulls }) => ({
    [field.name]: nulls === undefined || field.isRequired ? direction : { sort: direction, nulls },
  }))
}

type Where = Readonly<Record<string, unknown>>

/** Types whose values a row shows exactly, with their own order among Prisma's operators, by `@db.…`; null is the default. */
const EXACT_TYPES: Readonly<Record<string, ReadonlySet<string | null>>> = {
  String: new Set([null, 'Text', 'VarChar', 'Uuid']),
  Int: new Set([null, 'Integer', 'SmallInt']),
  BigInt: new Set([null, 'BigInt']),
  Decimal: new Set([null, 'Decimal']),
  DateTime: new Set([null, 'Timestamp', 'Timestamptz', 'Date']),
  Boolean: new Set([null, 'Boolean']),
}

/**
 * Whether the rows behind a value can be asked for by the value that a row shows. Not of what it rounds (microseconds, floating
 * point, money), nor of what Prisma cannot compare (enums, bytes).
 */
export function isSeekable(field: FieldSpec, digitsOf?: ModelCatalog['~timeDigits']): boolean {
  const { type, kind, nativeType, isList } = field
  if (isList || kind !== 'scalar' || EXACT_TYPES[type]?.has(nativeType) !== true) return false
  return !hidesDigits(field, digitsOf)
}

/** The fields that distinguish any two rows of the model, none of them null; empty where there are none. */
export function rowKeyOf(model: ModelSpec): readonly FieldSpec[] {
  return uniqueFieldsOf(model).flatMap((name) => model.fields.find((field) => field.name === name) ?? [])
}

/** The rows behind the one with these values, in the order; its fields are seekable. */
export function rowsBehind(order: readonly OrderPart[], values: Where): Where {
  const choices = order.flatMap((part, index) => {
    const behind = valuesBehind(part, values[part.field.name])
    if (behind === null) return []
    const same = order.slice(0, index).map(({ field }) => ({ [field.name]: values[field.name] ?? null }))
    return [{ AND: [...same, behind] }]
  })
  return choices.length === 0 ? noRowOf(order.map(({ field }) => field)) : { OR: choices }
}

/** The values behind one; null where there are none. */
function valuesBehind(part: OrderPart, value: unknown): Where | null {
  const { name, isRequired } = part.field
  const areNullsLast = nullsOf(part) === 'last'
  if (value === null || value === undefined) return areNullsLast ? null : { [name]: { not: null } }
  const beyond = beyondValue(part.field, part.direction === 'asc', value)
  if (isRequired || !areNullsLast) return beyond
  return beyond === null ? { [name]: null } : { OR: [beyond, { [name]: null }] }
}

function beyondValue({ name, type }: FieldSpec, isAscending: boolean, value: unknown): Where | null {
  // Prisma has no order of Booleans; PostgreSQL has false before true.
  if (type === 'Boolean') return value === isAscending ? null : { [name]: isAscending }
  return { [name]: { [isAscending ? 'gt' : 'lt']: value } }
}
