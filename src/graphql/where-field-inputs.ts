/** Stage 7, graphql. The inputs that filter one field: `StringFilter`, `RoleFilter`, `StringListFilter`, `JSONFilter`. */
import type { EnumRef, InputObjectRef, InputRef, SchemaTypes } from '@pothos/core'
import type { JsonNullKind } from '../bus/filter/json-null.ts'
import { EQUALITY, ORDER, type ScalarOperator, type ValueDomain } from '../bus/filter/value-domain.ts'
import type { ModelCatalog } from '../catalog/model-catalog.ts'
import { invariant } from '../errors.ts'
import type { AnyBuilder } from './plugin/shared-change-types.ts'
import { listKey, schemaNames } from './schema-names.ts'

/** What the input for a field depends on: fields of one shape share one. */
export interface FieldShape {
  /** GraphQL type of one value. */
  readonly typeName: string
  readonly isList: boolean
  /** Null for Json. */
  readonly domain: ValueDomain | null
}

type FilterRef = InputObjectRef<SchemaTypes, object>
/** A type by its name, which Pothos resolves when the schema is built. */
type NamedType = InputRef<object>

const DESCRIPTIONS: Readonly<Record<ScalarOperator, string>> = {
  equals: 'The value is this one; null asks for no value, where the field is optional.',
  not: 'None of these hold; `not: null` asks for any value.',
  in: 'The value is one of these.',
  notIn: 'There is a value, and it is none of these.',
  lt: 'Less than this.',
  lte: 'At most this.',
  gt: 'Greater than this.',
  gte: 'At least this.',
  contains: 'Has this in it; `%`, `_` and `\\` mean what they mean to LIKE.',
  startsWith: 'Begins with this; `%`, `_` and `\\` mean what they mean to LIKE.',
  endsWith: 'Ends with this; `%`, `_` and `\\` mean what they mean to LIKE.',
}

/** Name of the input for a field. */
export function fieldFilterName(catalog: ModelCatalog, shape: FieldShape): string {
  const base = shape.domain?.name === 'address' ? 'Address' : shape.typeName
  const name = schemaNames(catalog).filters.get(shape.isList ? listKey(base) : base)
  invariant(name !== undefined, `Values of type ${base} have no filter.`)
  return name
}

/** Adds the input for fields of one shape. */
export function defineFieldFilter(builder: AnyBuilder, name: string, shape: FieldShape): FilterRef {
  if (shape.isList) return defineListFilter(builder, name, shape.typeName)
  return shape.typeName === 'JSON'
    ? defineJsonFilter(builder, name)
    : defineScalarFilter(builder, name, shape)
}

function defineScalarFilter(builder: AnyBuilder, name: string, { typeName, domain }: FieldShape): FilterRef {
  const ref = builder.inputRef<object>(name)
  const value = typeName as unknown as NamedType
  const operators = operatorsOf(typeName, domain)
  const mode = operators.includes('contains') ? queryMode(builder) : null
  ref.implement({
    description: `What a value of type ${typeName} has to be: all that is said has to hold.`,
    fields: (t) => {
      const fields = operators.map((operator) => {
        const isMany = operator === 'in' || operator === 'notIn'
        const type = operator === 'not' ? ref : isMany ? [value] : value
        return [operator, t.field({ type: type as NamedType, description: DESCRIPTIONS[operator] })]
      })
      const modes = mode && {
        mode: t.field({ type: mode, description: 'Whether upper and lower case differ.' }),
      }
      return { ...Object.fromEntries(fields), ...modes }
    },
  })
  return ref
}

function operatorsOf(typeName: string, domain: ValueDomain | null): readonly ScalarOperator[] {
  // An ID may be text, a number or a UUID: what they have in common.
  return typeName === 'ID' ? ORDER : (domain?.operators ?? EQUALITY)
}

function defineListFilter(builder: AnyBuilder, name: string, typeName: string): FilterRef {
  const value = typeName as unknown as NamedType
  const ref = builder.inputRef<object>(name)
  ref.implement({
    description: `What a list of ${typeName} has to be. Exactly one of these.`,
    fields: (t) => ({
      has: t.field({ type: value, description: 'Has this value.' }),
      hasSome: t.field({ type: [value], description: 'Has at least one of these.' }),
      hasEvery: t.field({ type: [value], description: 'Has all of these.' }),
      equals: t.field({ type: [value], description: 'Is this list, in this order.' }),
      isEmpty: t.boolean({ description: 'Has no value, or has one.' }),
    }),
  })
  return ref
}

function defineJsonFilter(builder: AnyBuilder, name: string): FilterRef {
  const json = 'JSON' as unknown as NamedType
  const nullKind = jsonNull(builder)
  const ref = builder.inputRef<object>(name)
  ref.implement({
    description:
      'What a Json document, or what stands at `path` in it, has to be: all that is said has to hold.',
    fields: (t) => ({
      path: t.stringList({
        description: 'Names and positions that lead to the value; the whole when left out.',
      }),
      mode: t.field({ type: queryMode(builder), description: 'For the string operators, with `path`.' }),
      equals: t.field({ type: json, description: 'Is this; null is the null of JSON.' }),
      not: t.field({ type: json, description: 'Is there, and is not this.' }),
      equalsNull: t.field({ type: nullKind, description: 'Is this kind of null.' }),
      notNull: t.field({ type: nullKind, description: 'Is not this kind of null.' }),
      stringContains: t.string({ description: 'Is a string with this in it.' }),
      stringStartsWith: t.string({ description: 'Is a string that begins with this.' }),
      stringEndsWith: t.string({ description: 'Is a string that ends with this.' }),
      arrayContains: t.field({
        type: json,
        description: 'Is an array with this, or with all of this array.',
      }),
      arrayStartsWith: t.field({ type: json, description: 'Is an array whose first element is this.' }),
      arrayEndsWith: t.field({ type: json, description: 'Is an array whose last element is this.' }),
      lt: t.field({ type: json, description: 'Is a number or string less than this.' }),
      lte: t.field({ type: json, description: 'Is a number or string at most this.' }),
      gt: t.field({ type: json, description: 'Is a number or string greater than this.' }),
      gte: t.field({ type: json, description: 'Is a number or string at least this.' }),
    }),
  })
  return ref
}

const modes = new WeakMap<AnyBuilder, EnumRef<SchemaTypes, string>>()
const nulls = new WeakMap<AnyBuilder, EnumRef<SchemaTypes, string>>()

/** Prisma's enum of the same name; its values are written as GraphQL's are. */
function queryMode(builder: AnyBuilder): EnumRef<SchemaTypes, string> {
  const ref =
    modes.get(builder) ??
    builder.enumType('QueryMode', {
      description: 'How text is compared.',
      values: {
        DEFAULT: { value: 'default', description: 'As it is.' },
        INSENSITIVE: { value: 'insensitive', description: 'Upper and lower case are the same.' },
      },
    })
  modes.set(builder, ref as EnumRef<SchemaTypes, string>)
  return ref as EnumRef<SchemaTypes, string>
}

/** Prisma's enum of the same name; its values are written as GraphQL's are. */
function jsonNull(builder: AnyBuilder): EnumRef<SchemaTypes, string> {
  const ref =
    nulls.get(builder) ??
    builder.enumType('JsonNullValueFilter', {
      description: 'Which of the nulls that a Json column can show.',
      values: {
        DB_NULL: { value: 'DbNull', description: 'The column is NULL.' },
        JSON_NULL: { value: 'JsonNull', description: 'The document has null there.' },
        ANY_NULL: { value: 'AnyNull', description: 'Either.' },
      } satisfies Record<string, { readonly value: JsonNullKind; readonly description: string }>,
    })
  nulls.set(builder, ref as EnumRef<SchemaTypes, string>)
  return ref as EnumRef<SchemaTypes, string>
}
