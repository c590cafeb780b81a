/**
 * Stage 7, graphql. The part of Prisma's DMMF that Pothos' Prisma plugin reads, derived from the catalog, so
 * that the service needs no second generator (`prisma-pothos-types`).
 */
import type { ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'

/** One field as the plugin reads it: @pothos/plugin-prisma, `DMMFField`. */
export interface PothosField {
  readonly name: string
  readonly kind: 'scalar' | 'enum' | 'object'
  readonly type: string
  readonly isList: boolean
  readonly isRequired: boolean
  readonly isUnique: boolean
  readonly isId: boolean
  readonly hasDefaultValue: boolean
  readonly relationName?: string
  readonly relationFromFields?: readonly string[]
}

/** A composite key; without a name Prisma joins the fields with `_`. */
export interface PothosIndex {
  readonly name: string | null
  readonly fields: readonly string[]
}

/** One model as the plugin reads it. */
export interface PothosModel {
  readonly fields: readonly PothosField[]
  readonly primaryKey: PothosIndex | null
  readonly uniqueIndexes: readonly PothosIndex[]
}

/** What goes into `prisma: { dmmf: { datamodel } }`. */
export interface PothosDatamodel {
  readonly models: Readonly<Record<string, PothosModel>>
}

/** The catalog in the shape of `getDatamodel()` of `prisma-pothos-types`. */
export function pothosDatamodel(catalog: ModelCatalog): PothosDatamodel {
  const models = Object.values(catalog.models).map((model) => [model.name, toPothosModel(model)] as const)
  return { models: Object.fromEntries(models) }
}

function toPothosModel(model: ModelSpec): PothosModel {
  const [idField] = model.primaryKey.length === 1 ? model.primaryKey : []
  const scalars = model.fields.map(
    (field): PothosField => ({
      name: field.name,
      kind: field.kind,
      type: field.type,
      isList: field.isList,
      isRequired: field.isRequired,
      isUnique: field.isUnique,
      isId: field.name === idField,
      hasDefaultValue: field.hasDefault,
    }),
  )
  const relations = model.relations.map(
    (relation): PothosField => ({
      name: relation.name,
      kind: 'object',
      type: relation.model,
      isList: relation.isList,
      isRequired: relation.isRequired,
      isUnique: false,
      isId: false,
      hasDefaultValue: false,
      relationName: relation.relationName,
      relationFromFields: relation.fields,
    }),
  )
  return {
    fields: [...scalars, ...relations],
    primaryKey: model.primaryKey.length > 1 ? { name: null, fields: model.primaryKey } : null,
    uniqueIndexes: model.uniques
      .filter((fields) => fields.length > 1)
      .map((fields) => ({ name: null, fields })),
  }
}
