/** Stage 7, graphql. From a column's value, as Prisma Client has it, to what the field's GraphQL type takes. */
import type { FieldSpec, ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyRow } from '../changes/change.ts'
import { passJson } from './json-document.ts'
import { formlessValues } from './nullability.ts'
import { unrepresentable } from './unrepresentable.ts'

/** Reads a field of a row for a GraphQL type. What that has no form for is an error with its reason, alone or in a list. */
export function valueResolver(
  model: ModelSpec,
  field: FieldSpec,
  typeName: string,
): (row: AnyRow) => unknown {
  const { name } = field
  // GraphQL's ID takes text and whole numbers, but no bigint.
  if (typeName === 'ID' && field.type === 'BigInt') return (row) => row[name]?.toString()
  const scale = scaleOf(field)
  if (scale !== null) return (row) => withScale(row[name], scale)
  const formless = formlessValues(field, typeName)
  if (field.type === 'Json') return (row) => passJson(row[name])
  if (formless === null || formless.includes === null) return (row) => row[name]
  const { includes, reason } = formless
  const showOne = (value: unknown) =>
    includes(value) ? unrepresentable(`${model.name}.${name}`, reason) : value
  return (row) => {
    const value = row[name]
    // GraphQL takes an Error that is returned for one that is thrown, of elements too.
    return Array.isArray(value) && value.some(includes) ? value.map(showOne) : showOne(value)
  }
}

/** Digits after the point of a Decimal column, where the schema says how many; `1.50` is 1.5 to Prisma Client. */
export function scaleOf({ type, nativeType, nativeArguments }: FieldSpec): number | null {
  if (type !== 'Decimal' || nativeType !== 'Decimal' || nativeArguments === undefined) return null
  const [precision, scale = '0'] = nativeArguments
  const digits = Number(scale)
  return precision === undefined || !Number.isInteger(digits) || digits < 0 ? null : digits
}

/** Decimals, alone or in lists, as text; whatever else is there stays. */
export function withScale(value: unknown, scale: number): unknown {
  if (Array.isArray(value)) return value.map((item) => withScale(item, scale))
  // More digits than the column has: somebody altered it, and nothing is to be rounded away.
  return isDecimal(value) && value.isFinite() && value.decimalPlaces() <= scale ? value.toFixed(scale) : value
}

/** Prisma's Decimal (decimal.js), by what it can do: several copies of the class may be loaded. */
interface DecimalLike {
  isFinite(): boolean
  decimalPlaces(): number
  toFixed(digits: number): string
}

function isDecimal(value: unknown): value is DecimalLike {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['isFinite', 'decimalPlaces', 'toFixed'].every((name) => typeof Reflect.get(value, name) === 'function')
  )
}
