/**
 * Stage 7, graphql. Which columns may hold a value that Prisma Client returns and GraphQL has no form for. Their fields are
 * nullable even where the column is required: GraphQL puts null in the place of a field that fails, and where that may
 * not be null it takes the row, and the list around it, instead. GraphQL specification, 6.4.4 "Handling Execution Errors".
 */
import type { FieldSpec, ModelCatalog } from '../catalog/model-catalog.ts'

/** Values of a column that GraphQL cannot show. */
export interface FormlessValues {
  /** What `extensions.reason` of their error says, in queries and in subscriptions. */
  readonly reason: string
  /** What they are, as docs/types.md says it. */
  readonly examples: string
  /** Whether a value is one; a scalar that decides itself has none. */
  readonly includes: ((value: unknown) => boolean) | null
}

const NOT_FINITE: FormlessValues = {
  reason: 'not-finite',
  examples: '`NaN`, `Infinity`, `-Infinity`',
  includes: (value) => typeof value === 'number' && !Number.isFinite(value),
}
const isInvalidDate = (value: unknown): boolean => value instanceof Date && Number.isNaN(value.getTime())
/** Prisma Client returns the same Invalid Date for all of them. */
const DATE_OUT_OF_RANGE: FormlessValues = {
  reason: 'date-out-of-range',
  examples: '`infinity`, `-infinity`, years before 1 and after 9999',
  includes: isInvalidDate,
}
const OFFSET_WITH_SECONDS: FormlessValues = {
  reason: 'offset-with-seconds',
  examples: 'an offset with seconds, `12:34:56+02:30:15`',
  includes: isInvalidDate,
}
const INT32_MAX = 2 ** 31 - 1
const INT_OUT_OF_RANGE: FormlessValues = {
  reason: 'int-out-of-range',
  examples: 'from 2147483648 on',
  includes: (value) => typeof value === 'number' && Math.abs(value) > INT32_MAX,
}
/** The JSON null is null in GraphQL, as SQL's is. */
const JSON_DOCUMENT: FormlessValues = {
  reason: 'too-deep',
  examples: 'nested more than 1,000 levels deep; and JSON’s own `null` is null, without an error',
  includes: null,
}

/** By Prisma's type, and where that does not decide, by native type. */
const BY_TYPE: Readonly<Record<string, FormlessValues>> = {
  Float: NOT_FINITE,
  DateTime: DATE_OUT_OF_RANGE,
  Json: JSON_DOCUMENT,
}
const BY_NATIVE_TYPE: Readonly<Record<string, FormlessValues | null>> = {
  'DateTime Time': null,
  'DateTime Timetz': OFFSET_WITH_SECONDS,
  'Int Oid': INT_OUT_OF_RANGE,
}

/** The values of a column that its GraphQL type has no form for; null where it has one for all that Prisma Client returns. */
export function formlessValues(
  { kind, type, nativeType }: Pick<FieldSpec, 'kind' | 'type' | 'nativeType'>,
  typeName: string,
): FormlessValues | null {
  // ID takes every whole number.
  if (kind === 'enum' || typeName === 'ID') return null
  const byNativeType = BY_NATIVE_TYPE[`${type} ${nativeType}`]
  return byNativeType === undefined ? (BY_TYPE[type] ?? null) : byNativeType
}

/** What Pothos takes for `nullable`, of a field and of what is in its list. */
export type Nullability = boolean | { readonly list: boolean; readonly items: boolean }

/**
 * Whether the field of a column may be null. `alwaysRequired` of the config keeps required columns required where
 * only an error makes them null; JSON's null is a value.
 */
export function nullability(catalog: ModelCatalog, field: FieldSpec, typeName: string): Nullability {
  const formless = formlessValues(field, typeName)
  const isJson = formless === JSON_DOCUMENT
  const mayFail = formless !== null && (isJson || catalog['~alwaysRequired'] !== true)
  // What is wrong with one document of a list is found when the list is read.
  if (field.isList) return { list: isJson, items: mayFail }
  return mayFail || !field.isRequired
}
