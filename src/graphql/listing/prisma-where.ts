/**
 * Stage 7, graphql. A `where` as GraphQL has coerced it → the same as Prisma Client takes it. Both have the same shape and meaning;
 * what differs is how values are written: an `ID` of a number is text, operators of Json are in camel case, nulls of Json have names.
 */
import { isFilterObject } from '../../bus/filter/filter-object.ts'
import type { JsonNullKind } from '../../bus/filter/json-null.ts'
import {
  graphqlOperatorName,
  JSON_OPERATORS,
  type JsonOperator,
  operatorNames,
} from '../../bus/filter/operators.ts'
import type { FieldSpec, ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { AnyNull, DbNull, JsonNull } from '../../catalog/prisma-runtime.ts'
import { relatedModelOf } from '../where/where-names.ts'

const JSON_NULLS: Readonly<Record<JsonNullKind, unknown>> = { AnyNull, DbNull, JsonNull }

/** Operators that take no value of the field. */
const PLAIN_OPERATORS: ReadonlySet<string> = new Set(['mode', 'isEmpty'])

/**
 * For Prisma's `where`.
 * @param where with Prisma's names of fields; it was parsed, and so has only what the model has
 */
export function toPrismaWhere(
  catalog: ModelCatalog,
  model: ModelSpec,
  where: unknown,
): Readonly<Record<string, unknown>> {
  const entries = Object.entries(Object(where)).map(([name, value]) => {
    const field = model.fields.find((each) => each.name === name)
    if (field !== undefined) return [name, fieldFilterOf(field, value)]
    const related = relatedModelOf(catalog, model, name)
    if (related === null) return [name, groupOf(catalog, model, value)]
    if (value === null) return [name, null]
    const operators = Object.entries(Object(value)).map(([operator, operand]) => [
      operator,
      operand === null ? null : toPrismaWhere(catalog, related, operand),
    ])
    return [name, Object.fromEntries(operators)]
  })
  return Object.fromEntries(entries)
}

function groupOf(catalog: ModelCatalog, model: ModelSpec, value: unknown): unknown {
  return Array.isArray(value)
    ? value.map((part) => toPrismaWhere(catalog, model, part))
    : toPrismaWhere(catalog, model, value)
}

function fieldFilterOf(field: FieldSpec, filter: unknown): unknown {
  if (!isFilterObject(filter)) return filter
  const isJson = field.type === 'Json' && field.kind === 'scalar' && !field.isList
  const entries = Object.entries(filter).map(([operator, operand]): [string, unknown] => {
    if (isJson) return jsonOperator(operator, operand)
    if (PLAIN_OPERATORS.has(operator)) return [operator, operand]
    return [operator, operandOf(field, operand)]
  })
  return Object.fromEntries(entries)
}

function operandOf(field: FieldSpec, operand: unknown): unknown {
  if (Array.isArray(operand)) return operand.map((value) => prismaValue(field, value))
  return isFilterObject(operand) && field.type !== 'Json'
    ? fieldFilterOf(field, operand)
    : prismaValue(field, operand)
}

/** A value of the field; an `ID` of a number comes as text. */
function prismaValue({ type, kind }: FieldSpec, value: unknown): unknown {
  if (typeof value !== 'string' || kind !== 'scalar') return value
  if (type === 'Int') return Number(value)
  return type === 'BigInt' ? BigInt(value) : value
}

const JSON_BY_GRAPHQL_NAME: ReadonlyMap<string, JsonOperator> = new Map(
  operatorNames(JSON_OPERATORS).map((name) => [graphqlOperatorName(name), name]),
)

function jsonOperator(operator: string, operand: unknown): [string, unknown] {
  if (operator === 'equalsNull') return ['equals', JSON_NULLS[operand as JsonNullKind]]
  if (operator === 'notNull') return ['not', JSON_NULLS[operand as JsonNullKind]]
  const isEquality = operator === 'equals' || operator === 'not'
  return [JSON_BY_GRAPHQL_NAME.get(operator) ?? operator, isEquality && operand === null ? JsonNull : operand]
}
