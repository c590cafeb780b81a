/** Stage 7, graphql. The inputs that filter one field: `StringFilter`, `RoleFilter`, `StringListFilter`, `JSONFilter`. */
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
import { listKey, schemaNames } from '../schema-names.ts'
import type { ArgumentDefinition, EnumDefinition, InputDefinition } from '../type-definition.ts'

/** What the input for a field depends on: fields of one shape share one. */
export interface FieldShape {
  /** GraphQL type of one value. */
  readonly typeName: string
  readonly isList: boolean
  /** Null for Json. */
  readonly domain: ValueDomain | null
}

/** Name of the input for a field. */
export function fieldFilterName(catalog: ModelCatalog, shape: FieldShape): string {
  const base = shape.domain?.name === 'address' ? 'Address' : shape.typeName
  const name = schemaNames(catalog).filters.get(shape.isList ? listKey(base) : base)
  invariant(name !== undefined, `Values of type ${base} have no filter.`)
  return name
}

/** The input for fields of one shape, and the enums that it has. */
export function fieldFilterTypes(
  name: string,
  shape: FieldShape,
): readonly (InputDefinition | EnumDefinition)[] {
  if (shape.isList) return [listFilter(name, shape.typeName)]
  return shape.typeName === 'JSON' ? [jsonFilter(name), QUERY_MODE, JSON_NULL] : scalarFilter(name, shape)
}

function scalarFilter(
  name: string,
  { typeName, domain }: FieldShape,
): readonly (InputDefinition | EnumDefinition)[] {
  const operators = operatorsOf(typeName, domain)
  const hasMode = operators.some((operator) => SCALAR_OPERATORS[operator].needs === 'pattern')
  const fields = operators.map((operator) => {
    const { operand, description } = SCALAR_OPERATORS[operator]
    const type = operand === 'value or operators' ? name : operandType(operand, typeName)
    return [operator, { type, description }] as const
  })
  const mode: Readonly<Record<string, ArgumentDefinition>> = hasMode
    ? { mode: { type: QUERY_MODE.name, description: 'Whether upper and lower case differ.' } }
    : {}
  const input: InputDefinition = {
    kind: 'input',
    name,
    description: `What a value of type ${typeName} has to be: all that is said has to hold.`,
    fields: { ...Object.fromEntries(fields), ...mode },
  }
  return hasMode ? [input, QUERY_MODE] : [input]
}

function operatorsOf(typeName: string, domain: ValueDomain | null): readonly ScalarOperator[] {
  // An ID may be text, a number or a UUID: what they have in common.
  return typeName === 'ID' ? ORDER : (domain?.operators ?? EQUALITY)
}

function listFilter(name: string, typeName: string): InputDefinition {
  return {
    kind: 'input',
    name,
    description: `What a list of ${typeName} has to be. Exactly one of these.`,
    fields: Object.fromEntries(
      Object.entries(LIST_OPERATORS).map(([operator, { operand, description }]) => [
        operator,
        { type: operandType(operand, typeName), description },
      ]),
    ),
  }
}

function jsonFilter(name: string): InputDefinition {
  return {
    kind: 'input',
    name,
    description:
      'What a Json document, or what stands at `path` in it, has to be: all that is said has to hold.',
    fields: {
      path: {
        type: '[String!]',
        description: 'Names and positions that lead to the value; the whole when left out.',
      },
      mode: { type: QUERY_MODE.name, description: 'For the string operators, with `path`.' },
      ...Object.fromEntries(
        Object.entries(JSON_OPERATORS).map(([operator, { operand, description }]) => [
          graphqlOperatorName(operator),
          { type: operandType(operand, 'JSON'), description },
        ]),
      ),
    },
  }
}

/** The type of what an operator takes, of values of one type. */
function operandType(operand: OperandShape, typeName: string): string {
  const types: Readonly<Record<OperandShape, string>> = {
    value: typeName,
    'value or operators': typeName,
    values: `[${typeName}!]`,
    text: 'String',
    boolean: 'Boolean',
    json: 'JSON',
    'null kind': JSON_NULL.name,
  }
  return types[operand]
}

/** Prisma's enum of the same name; its values are written as GraphQL's are. */
const QUERY_MODE: EnumDefinition = {
  kind: 'enum',
  name: 'QueryMode',
  description: 'How text is compared.',
  values: {
    DEFAULT: { value: 'default', description: 'As it is.' },
    INSENSITIVE: { value: 'insensitive', description: 'Upper and lower case are the same.' },
  },
}

/** Prisma's enum of the same name; its values are written as GraphQL's are. */
const JSON_NULL: EnumDefinition = {
  kind: 'enum',
  name: 'JsonNullValueFilter',
  description: 'Which of the nulls that a Json column can show.',
  values: {
    DB_NULL: { value: 'DbNull', description: 'The column is NULL.' },
    JSON_NULL: { value: 'JsonNull', description: 'The document has null there.' },
    ANY_NULL: { value: 'AnyNull', description: 'Either.' },
  } satisfies Record<string, { readonly value: JsonNullKind; readonly description: string }>,
}
