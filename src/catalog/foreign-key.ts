/** Stage 3, catalog. Which columns a relation goes by, and the same relation seen from its other end. */

import { invariant } from '../errors.ts'
import type { ModelCatalog, ModelSpec, RelationSpec } from './model-catalog.ts'

/** Columns that say which rows of two models belong together. */
export interface ForeignKey {
  /** The model that has them. */
  readonly model: string
  readonly fields: readonly string[]
}

/** The foreign key of a relation, whichever end has it; of an implicit many-to-many no model has one. */
export function foreignKeyOf(catalog: ModelCatalog, model: ModelSpec, relation: RelationSpec): ForeignKey {
  return relation.fields.length > 0
    ? { model: model.name, fields: relation.fields }
    : { model: relation.model, fields: inverseOf(catalog, model, relation).fields }
}

/** The same relation, seen from the other model (or the other end, where both are one). */
export function inverseOf(catalog: ModelCatalog, model: ModelSpec, relation: RelationSpec): RelationSpec {
  const inverse = catalog.models[relation.model]?.relations.find(
    (candidate) =>
      candidate.relationName === relation.relationName &&
      candidate.model === model.name &&
      !(relation.model === model.name && candidate.name === relation.name),
  )
  invariant(inverse !== undefined, `Relation ${model.name}.${relation.name} has no other end in the catalog.`)
  return inverse
}
