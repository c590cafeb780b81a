/**
 * Beside the spine, generator. Prisma's DMMF → the model catalog. Pure: the same schema gives the same catalog.
 *
 * Models and enums are sorted by name, fields keep the order of the schema. Left out, because no change of
 * theirs can be decoded or will ever come: columns of an `Unsupported` type, whatever is marked `@ignore`,
 * and views (PostgreSQL does not replicate them) with the relations that lead to them.
 */
import type { DMMF } from '@prisma/generator-helper'
import type {
  EnumSpec,
  FieldSpec,
  JoinTableSpec,
  ModelCatalog,
  ModelSpec,
  RelationSpec,
} from '../catalog/model-catalog.ts'
import { CATALOG_VERSION } from '../catalog/parse-catalog.ts'
import {
  type Documentation,
  parseDocumentation,
  parseFieldDocumentation,
  parsePlainDocumentation,
} from './parse-documentation.ts'
import { parseSchemaText } from './parse-schema-text.ts'

/**
 * Builds the catalog from the DMMF's datamodel and the schema's text as Prisma formats it.
 * @throws GENERATOR_BAD_MARKER for a misspelt or misplaced `@rowcast.…` comment.
 */
export function catalogFromDmmf(datamodel: DMMF.Datamodel, schemaText: string): ModelCatalog {
  const { views, enumSchemas } = parseSchemaText(schemaText)
  const models = datamodel.models.filter((model) => !views.has(model.name)).sort(byName)
  const modelSpecs = models.map((model) => modelSpec(model, views))
  const enums = [...datamodel.enums].sort(byName)
  return {
    formatVersion: CATALOG_VERSION,
    models: Object.fromEntries(modelSpecs.map((model) => [model.name, model])),
    enums: Object.fromEntries(enums.map((item) => [item.name, enumSpec(item, enumSchemas.get(item.name))])),
    joinTables: joinTableSpecs(modelSpecs),
  }
}

/** By code unit, not by locale: the same on every machine, and Prisma's own order. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return compareText(a.name, b.name)
}

function modelSpec(model: DMMF.Model, views: ReadonlySet<string>): ModelSpec {
  const documentation = parseDocumentation(model.documentation, `model ${model.name}`)
  const fields = model.fields.flatMap((field) => fieldSpec(model, field) ?? [])
  const names = new Set(fields.map((field) => field.name))
  const isKnown = (key: readonly string[]): boolean => key.every((name) => names.has(name))
  const idFields = model.fields.filter((field) => field.isId).map((field) => field.name)
  const primaryKey = model.primaryKey?.fields ?? idFields
  const uniques = [
    ...fields.filter((field) => field.isUnique).map((field) => [field.name]),
    ...model.uniqueFields.map((key) => [...key]),
  ]
  return {
    name: model.name,
    schema: model.schema ?? null,
    table: model.dbName ?? model.name,
    fields,
    relations: model.fields.flatMap((field) => relationSpec(model, field, views) ?? []),
    primaryKey: isKnown(primaryKey) ? [...primaryKey] : [],
    uniques: uniques.filter(isKnown),
    isOmitted: documentation.isOmitted,
    ...described(documentation),
  }
}

function fieldSpec(model: DMMF.Model, field: DMMF.Field): FieldSpec | null {
  if (field.kind !== 'scalar' && field.kind !== 'enum') return null
  const documentation = parseFieldDocumentation(field.documentation, `${model.name}.${field.name}`)
  return {
    name: field.name,
    column: field.dbName ?? field.name,
    kind: field.kind,
    type: field.type,
    nativeType: field.nativeType?.[0] ?? null,
    ...nativeArguments(field.nativeType?.[1]),
    isList: field.isList,
    isRequired: field.isRequired,
    isUnique: field.isUnique,
    hasDefault: field.hasDefaultValue || field.isUpdatedAt === true,
    isOmitted: documentation.isOmitted,
    ...described(documentation),
  }
}

function described({ text, graphqlName, graphqlPlural }: Omit<Documentation, 'isOmitted'>) {
  return {
    ...(graphqlName === undefined ? {} : { graphqlName }),
    ...(graphqlPlural === undefined ? {} : { graphqlPlural }),
    documentation: text,
  }
}

function nativeArguments(values: readonly string[] | undefined): Pick<FieldSpec, 'nativeArguments'> {
  return values === undefined || values.length === 0 ? {} : { nativeArguments: [...values] }
}

function relationSpec(model: DMMF.Model, field: DMMF.Field, views: ReadonlySet<string>): RelationSpec | null {
  if (field.kind !== 'object' || views.has(field.type)) return null
  const documentation = parseFieldDocumentation(field.documentation, `${model.name}.${field.name}`)
  return {
    name: field.name,
    model: field.type,
    // Prisma names every relation, also where the schema does not.
    relationName: field.relationName ?? '',
    isList: field.isList,
    isRequired: field.isRequired,
    fields: [...(field.relationFromFields ?? [])],
    references: [...(field.relationToFields ?? [])],
    isOmitted: documentation.isOmitted,
    ...described(documentation),
  }
}

function enumSpec(item: DMMF.DatamodelEnum, schema: string | undefined): EnumSpec {
  return {
    name: item.name,
    schema: schema ?? null,
    dbName: item.dbName ?? item.name,
    // The comments of values are in the DMMF, but not in its types.
    values: item.values.map((value: DMMF.EnumValue & { readonly documentation?: string }) => ({
      name: value.name,
      label: value.dbName ?? value.name,
      ...described(parsePlainDocumentation(value.documentation, `enum value ${item.name}.${value.name}`)),
    })),
    ...described(parsePlainDocumentation(item.documentation, `enum ${item.name}`)),
  }
}

/**
 * A relation is an implicit many-to-many one when both of its ends are lists. Column `A` of its table
 * `_RelationName` points at the model whose name sorts first, and the table lies in that model's schema
 * (Prisma manual, "Many-to-many relations").
 */
function joinTableSpecs(models: readonly ModelSpec[]): readonly JoinTableSpec[] {
  const tables = new Map<string, JoinTableSpec>()
  for (const modelA of models) {
    for (const relation of modelA.relations) {
      if (!relation.isList || modelA.name > relation.model) continue
      const otherEnd = models
        .find((model) => model.name === relation.model)
        ?.relations.find(
          (other) =>
            other !== relation && other.relationName === relation.relationName && other.model === modelA.name,
        )
      if (otherEnd?.isList !== true) continue
      tables.set(relation.relationName, {
        relationName: relation.relationName,
        schema: modelA.schema,
        table: `_${relation.relationName}`,
        modelA: modelA.name,
        modelB: relation.model,
      })
    }
  }
  return [...tables.values()].sort((a, b) => compareText(a.relationName, b.relationName))
}
