/** Stage 7, graphql. Which GraphQL type a field of a Prisma model has, and which fields there are to see. */
import type { FieldSpec, ModelCatalog, ModelSpec, RelationSpec } from '../catalog/model-catalog.ts'
import { invariant } from '../errors.ts'
import { schemaNames } from './schema-names.ts'

const SCALAR_NAMES: Readonly<Record<string, string>> = {
  String: 'String',
  Int: 'Int',
  BigInt: 'BigInt',
  Float: 'Float',
  Decimal: 'Decimal',
  DateTime: 'DateTime',
  Json: 'JSON',
  Bytes: 'Bytes',
  Boolean: 'Boolean',
}

/** What is in a DateTime column that holds less than an instant. A timetz keeps no zone: docs/types.md. */
const DATE_TIME_PARTS: Readonly<Record<string, string>> = { Date: 'Date', Time: 'Time', Timetz: 'Time' }

const ID_TYPES: ReadonlySet<string> = new Set(['String', 'Int', 'BigInt'])

/**
 * Name of the GraphQL type of one value of the field (lists are the caller's matter). `ID` for what only
 * identifies: a primary key of one column, a foreign key to one, a UUID. Clients compare those and hand them
 * back, whatever their type in the database.
 */
export function graphqlTypeName(catalog: ModelCatalog, model: ModelSpec, field: FieldSpec): string {
  if (field.kind === 'enum') return schemaNames(catalog).enums.get(field.type)?.type ?? field.type
  if (!field.isList && isIdentifier(catalog, model, field, new Set())) return 'ID'
  const part = field.type === 'DateTime' ? DATE_TIME_PARTS[field.nativeType ?? ''] : undefined
  const name = part ?? SCALAR_NAMES[field.type]
  invariant(name !== undefined, `Field ${model.name}.${field.name} has the unknown type ${field.type}.`)
  return name
}

function isIdentifier(
  catalog: ModelCatalog,
  model: ModelSpec,
  field: FieldSpec,
  seen: Set<FieldSpec>,
): boolean {
  if (field.kind !== 'scalar' || !ID_TYPES.has(field.type) || seen.has(field)) return false
  seen.add(field)
  if (field.nativeType === 'Uuid') return true
  if (model.primaryKey.length === 1 && model.primaryKey[0] === field.name) return true
  return model.relations.some((relation) => {
    const target = catalog.models[relation.model]
    const reference = relation.references[relation.fields.indexOf(field.name)]
    const referenced = target?.fields.find((candidate) => candidate.name === reference)
    return target !== undefined && referenced !== undefined && isIdentifier(catalog, target, referenced, seen)
  })
}

/** Fields that may be seen: not marked `@rowcast.omit`, and not in `omit`. */
export function visibleFields(model: ModelSpec, omit: readonly string[] = []): readonly FieldSpec[] {
  return model.fields.filter((field) => !field.isOmitted && !omit.includes(field.name))
}

/** Relations that may be seen: neither they, nor the model they lead to, nor their name in `omit` is omitted. */
export function visibleRelations(
  catalog: ModelCatalog,
  model: ModelSpec,
  omit: readonly string[] = [],
): readonly RelationSpec[] {
  return model.relations.filter(
    (relation) =>
      !relation.isOmitted &&
      !omit.includes(relation.name) &&
      catalog.models[relation.model]?.isOmitted === false,
  )
}

/** Fields of the primary key, in the order of the key. */
export function keyFields(model: ModelSpec): readonly FieldSpec[] {
  return model.primaryKey.flatMap((name) => model.fields.filter((field) => field.name === name))
}
