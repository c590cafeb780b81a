/** A catalog as a few lines of text that a person can check against the schema. */
import type { FieldSpec, ModelCatalog, ModelSpec, RelationSpec } from '../../src/catalog/model-catalog.ts'

/** One line per model, field, relation, enum and join table; documentation is left out. */
export function outline(catalog: ModelCatalog): string {
  return [
    ...Object.values(catalog.models).flatMap((model) => [
      modelLine(model),
      ...model.fields.map((field) => `  ${fieldLine(field)}`),
      ...model.relations.map((relation) => `  ${relationLine(relation)}`),
    ]),
    ...Object.values(catalog.enums).map(
      ({ name, schema, dbName, values }) =>
        `enum ${name} = ${schema ?? '-'}.${dbName}: ${values.map((value) => mapped(value.name, value.label)).join(' ')}`,
    ),
    ...catalog.joinTables.map(
      ({ relationName, schema, table, modelA, modelB }) =>
        `join ${relationName} = ${schema ?? '-'}.${table}: A ${modelA}, B ${modelB}`,
    ),
  ].join('\n')
}

function modelLine(model: ModelSpec): string {
  const uniques = model.uniques.map((fields) => ` unique(${fields.join(', ')})`).join('')
  const key = model.primaryKey.length === 0 ? 'no key' : `key(${model.primaryKey.join(', ')})`
  return `model ${model.name} = ${model.schema ?? '-'}.${model.table} ${key}${uniques}${omitted(model)}`
}

function fieldLine(field: FieldSpec): string {
  const { name, column, kind, type, nativeType, isUnique, hasDefault } = field
  return (
    [
      mapped(name, column),
      `${kind === 'enum' ? 'enum ' : ''}${type}${arity(field)}${nativeType === null ? '' : ` @${nativeType}`}`,
      ...(isUnique ? ['unique'] : []),
      ...(hasDefault ? ['default'] : []),
    ].join(' ') + omitted(field)
  )
}

function relationLine(relation: RelationSpec): string {
  const { name, model, relationName, fields, references } = relation
  const key = fields.length === 0 ? '' : ` (${fields.join(', ')}) -> (${references.join(', ')})`
  return `${name} -> ${model}${arity(relation)} "${relationName}"${key}${omitted(relation)}`
}

function mapped(name: string, dbName: string): string {
  return name === dbName ? name : `${name}/${dbName}`
}

function arity(spec: { readonly isList: boolean; readonly isRequired: boolean }): string {
  return spec.isList ? '[]' : spec.isRequired ? '' : '?'
}

function omitted(spec: { readonly isOmitted: boolean }): string {
  return spec.isOmitted ? ' OMITTED' : ''
}
