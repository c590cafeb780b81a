/**
 * Beside the spine, sets. In which order rows stand, as far as that is known here: of numbers, booleans, times and uuids; of equal values of
 * any type. The order of other text is that of its collation, of enums that of the database: there only the database knows. Pure.
 */
import { badFilter, shownName } from '../bus/filter/bad-filter.ts'
import { domainOf } from '../bus/filter/field-domain.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import { canonicalText } from '../catalog/values/canonical-text.ts'
import type { AnyRow } from '../changes/change.ts'
import { isSeekable, nullsOf, type OrderPart, prismaOrderOf, rowKeyOf } from './seek.ts'

/** Negative where the first stands before the second, positive behind it, 0 where they are equal; null where only the database knows. */
type Compare<Value> = (a: Value, b: Value) => number | null

/** The order of a list. */
export interface RowOrder {
  readonly compare: Compare<AnyRow>
  /** For Prisma Client. */
  readonly orderBy: readonly object[]
}

/** Text that two equal values have in common, and no order known here. */
const ORDERED_TYPES: ReadonlySet<string> = new Set([
  'Int',
  'BigInt',
  'Float',
  'Decimal',
  'DateTime',
  'Boolean',
])
/** Their values are not what a row shows, or not in its order. */
const UNORDERED_NATIVE_TYPES: ReadonlySet<string> = new Set(['Timetz', 'Money'])

/** How two values of a field stand to each other, none of them null. */
export function compareValues(catalog: ModelCatalog, field: FieldSpec): Compare<unknown> {
  const domain = domainOf(field, catalog)
  const { type, kind, nativeType } = field
  const isOrdered =
    kind === 'scalar' &&
    (ORDERED_TYPES.has(type) || nativeType === 'Uuid') &&
    !UNORDERED_NATIVE_TYPES.has(nativeType ?? '')
  // What a row rounds may differ where it looks the same. Of times that is known once the stream has described the table.
  const isExact = () => isSeekable(field, catalog['~timeDigits']) || !ORDERED_TYPES.has(type)
  return (a, b) => {
    const [left, right] = [domain?.normalize(a), domain?.normalize(b)]
    if (domain == null || left === undefined || right === undefined) return null
    if (domain.keyOf(left) === domain.keyOf(right)) return isExact() ? 0 : null
    return isOrdered ? domain.compare(left, right) || null : null
  }
}

/** The order of a list: what is asked for, then that of the key, so that no two rows are equal by it. */
export function rowOrderOf(model: ModelSpec, catalog: ModelCatalog, asked: readonly OrderPart[]): RowOrder {
  const parts = new Map<string, OrderPart>()
  const key = rowKeyOf(model).map((field): OrderPart => ({ field, direction: 'asc' }))
  for (const part of [...asked, ...key]) if (!parts.has(part.field.name)) parts.set(part.field.name, part)
  const compares = [...parts.values()].map((part) => compareBy(catalog, part))
  return {
    orderBy: prismaOrderOf(parts.values()),
    compare(a, b) {
      for (const compare of compares) {
        const order = compare(a, b)
        if (order !== 0) return order
      }
      return 0
    },
  }
}

function compareBy(catalog: ModelCatalog, part: OrderPart): Compare<AnyRow> {
  const { field, direction } = part
  const compare = compareValues(catalog, field)
  const sign = direction === 'asc' ? 1 : -1
  const isFirst = nullsOf(part) === 'first'
  return (a, b) => {
    const [left, right] = [a[field.name], b[field.name]]
    if (left === undefined || right === undefined) return null
    if (left === null || right === null) {
      if (left === right) return 0
      return (left === null) === isFirst ? -1 : 1
    }
    const order = compare(left, right)
    return order === null ? null : sign * order
  }
}

/** Reads an order in the shape of Prisma's `orderBy`: one object for each field, or a list of them. @throws BAD_FILTER */
export function parseOrderBy(
  model: ModelSpec,
  catalog: ModelCatalog,
  orderBy: unknown,
): readonly OrderPart[] {
  if (orderBy === undefined || orderBy === null) return []
  const list: readonly unknown[] = Array.isArray(orderBy) ? orderBy : [orderBy]
  return list.map((part, index) => {
    const path = `orderBy[${index}]`
    const [entry, ...more] = Object.entries(Object(part))
    if (entry === undefined || more.length > 0)
      throw badFilter(path, 'it does not name one field.', "Write [{ createdAt: 'desc' }, { id: 'asc' }].")
    const [name, order] = entry
    return { field: sortableField(model, catalog, path, name), ...directionOf(`${path}.${name}`, order) }
  })
}

/** The field of this name, if rows can be ordered by it. @throws BAD_FILTER */
export function sortableField(
  model: ModelSpec,
  catalog: ModelCatalog,
  path: string,
  name: string,
): FieldSpec {
  const field = model.fields.find((each) => each.name === name)
  if (field !== undefined && !field.isList && field.type !== 'Json' && domainOf(field, catalog) !== null)
    return field
  throw badFilter(
    path,
    `rows of ${model.name} have no order by "${shownName(name)}".`,
    'Name a field with one value of a type that is compared.',
  )
}

function directionOf(path: string, order: unknown): Pick<OrderPart, 'direction' | 'nulls'> {
  const { sort, nulls } = typeof order === 'string' ? { sort: order } : (Object(order) as SortObject)
  const isDirection = sort === 'asc' || sort === 'desc'
  const isNulls = nulls === undefined || nulls === 'first' || nulls === 'last'
  if (isDirection && isNulls) return { direction: sort, nulls }
  throw badFilter(path, 'it is no direction.', "Write 'asc', 'desc' or { sort: 'desc', nulls: 'last' }.")
}

interface SortObject {
  readonly sort?: unknown
  readonly nulls?: unknown
}

/** Equal for orders that are the same. */
export function orderText(order: RowOrder): string {
  return canonicalText(order.orderBy) ?? ''
}
