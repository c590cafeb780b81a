/** Stage 7, graphql. The inputs that filter one field: `StringFilter`, `RoleFilter`, `StringListFilter`, `JSONFilter`. */
import type { EnumRef, InputObjectRef, InputRef, SchemaTypes } from '@pothos/core'
import type { JsonNullKind } from '../../bus/filter/json-null.ts'
import { LIST_OPERATORS } from '../../bus/filter/list-operators.ts'
import {
  EQUALITY,
  graphqlOperatorName,
  JSON_OPERATORS,
  type OperandShape,
  ORDER,
  SCALAR_OPERATORS,
  type ScalarOperator,
} from '../../bus/filter/operators.ts'
import type { ValueDomain } from '../../bus/filter/value-domain.ts'
import type { ModelCatalog } from '../../catalog/model-catalog.ts'
import { invariant } from '../../errors.ts'
import { type AnyBuilder, stateOf } from '../builder/builder-state.ts'
import { listKey, schemaNames } from '../schema-names.ts'

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
  const operators = operatorsOf(typeName, domain)
  const mode = operators.some((operator) => SCALAR_OPERATORS[operator].needs === 'pattern')
    ? queryMode(builder)
    : null
  const ref = builder.inputRef<object>(name)
  ref.implement({
    description: `What a value of type ${typeName} has to be: all that is said has to hold.`,
    fields: (t) => {
      const fields = operators.map((operator) => {
        const { operand, description } = SCALAR_OPERATORS[operator]
        const type = operand === 'value or operators' ? ref : typeOf(builder, operand, typeName)
        return [operator, t.field({ type: type as NamedType, description })]
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
  const ref = builder.inputRef<object>(name)
  ref.implement({
    description: `What a list of ${typeName} has to be. Exactly one of these.`,
    fields: (t) =>
      Object.fromEntries(
        Object.entries(LIST_OPERATORS).map(([operator, { operand, description }]) => [
          operator,
          t.field({ type: typeOf(builder, operand, typeName), description }),
        ]),
      ),
  })
  return ref
}

function defineJsonFilter(builder: AnyBuilder, name: string): FilterRef {
  const ref = builder.inputRef<object>(name)
  ref.implement({
    description:
      'What a Json document, or what stands at `path` in it, has to be: all that is said has to hold.',
    fields: (t) => ({
      path: t.stringList({
        description: 'Names and positions that lead to the value; the whole when left out.',
      }),
      mode: t.field({ type: queryMode(builder), description: 'For the string operators, with `path`.' }),
      ...Object.fromEntries(
        Object.entries(JSON_OPERATORS).map(([operator, { operand, description }]) => [
          graphqlOperatorName(operator),
          t.field({ type: typeOf(builder, operand, 'JSON'), description }),
        ]),
      ),
    }),
  })
  return ref
}

/** The type of what an operator takes, of values of one type. */
function typeOf(builder: AnyBuilder, operand: OperandShape, typeName: string): NamedType {
  const types: Readonly<Record<OperandShape, () => unknown>> = {
    value: () => typeName,
    'value or operators': () => typeName,
    values: () => [typeName],
    text: () => 'String',
    boolean: () => 'Boolean',
    json: () => 'JSON',
    'null kind': () => jsonNull(builder),
  }
  return types[operand]() as NamedType
}

/** Prisma's enum of the same name; its values are written as GraphQL's are. */
function queryMode(builder: AnyBuilder): EnumRef<SchemaTypes, string> {
  return filterEnum(builder, 'QueryMode', {
    description: 'How text is compared.',
    values: {
      DEFAULT: { value: 'default', description: 'As it is.' },
      INSENSITIVE: { value: 'insensitive', description: 'Upper and lower case are the same.' },
    },
  })
}

/** Prisma's enum of the same name; its values are written as GraphQL's are. */
function jsonNull(builder: AnyBuilder): EnumRef<SchemaTypes, string> {
  return filterEnum(builder, 'JsonNullValueFilter', {
    description: 'Which of the nulls that a Json column can show.',
    values: {
      DB_NULL: { value: 'DbNull', description: 'The column is NULL.' },
      JSON_NULL: { value: 'JsonNull', description: 'The document has null there.' },
      ANY_NULL: { value: 'AnyNull', description: 'Either.' },
    } satisfies Record<string, { readonly value: JsonNullKind; readonly description: string }>,
  })
}

/** An enum of a builder, made when it is first needed. */
function filterEnum(
  builder: AnyBuilder,
  name: string,
  options: {
    readonly description: string
    readonly values: Readonly<Record<string, { value: string; description: string }>>
  },
): EnumRef<SchemaTypes, string> {
  const { filterEnums } = stateOf(builder)
  const ref = filterEnums.get(name) ?? (builder.enumType(name, options) as EnumRef<SchemaTypes, string>)
  filterEnums.set(name, ref)
  return ref
}
