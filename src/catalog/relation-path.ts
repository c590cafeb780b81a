/**
 * Stage 3, catalog. How a relation is followed from one model's rows to another's: by the values of which fields, and
 * through the join table that an implicit many-to-many has.
 */
import { invariant } from '../errors.ts'
import { inverseOf } from './foreign-key.ts'
import type { FieldSpec, JoinTableSpec, ModelCatalog, ModelSpec, RelationSpec } from './model-catalog.ts'

/** One step: the rows of `model` whose `to` have the values that a row has in `from`. */
export interface RelationStep {
  readonly from: readonly string[]
  readonly model: ModelSpec
  readonly to: readonly string[]
}

/** The steps of a relation: one, or two where a join table stands between. */
export function relationSteps(
  catalog: ModelCatalog,
  model: ModelSpec,
  relation: RelationSpec,
): readonly RelationStep[] {
  const related = catalog.models[relation.model]
  invariant(
    related !== undefined,
    `Relation ${model.name}.${relation.name} leads to no model of the catalog.`,
  )
  if (relation.fields.length > 0) {
    return [{ from: relation.fields, model: related, to: relation.references }]
  }
  const inverse = inverseOf(catalog, model, relation)
  if (inverse.fields.length > 0) return [{ from: inverse.references, model: related, to: inverse.fields }]
  const table = catalog.joinTables.find(({ relationName }) => relationName === relation.relationName)
  invariant(table !== undefined, `Relation ${model.name}.${relation.name} has no join table in the catalog.`)
  // Where both ends are one model, Prisma gives column A to the end whose field comes first by name.
  const isA = model.name === related.name ? relation.name < inverse.name : table.modelA === model.name
  return [
    { from: model.primaryKey, model: joinTableModel(catalog, table), to: [isA ? 'A' : 'B'] },
    { from: [isA ? 'B' : 'A'], model: related, to: related.primaryKey },
  ]
}

/** Whether it is a join table. */
export function isJoinTable({ name }: Pick<ModelSpec, 'name'>): boolean {
  return name.startsWith('_')
}

/** The join table of an implicit many-to-many, as a model. No model of a Prisma schema begins with an underscore. */
export function joinTableModel(catalog: Pick<ModelCatalog, 'models'>, table: JoinTableSpec): ModelSpec {
  return {
    name: table.table,
    schema: table.schema,
    table: table.table,
    fields: [columnOf(catalog, table.modelA, 'A'), columnOf(catalog, table.modelB, 'B')],
    relations: [],
    primaryKey: ['A', 'B'],
    uniques: [],
    isOmitted: true,
    documentation: null,
  }
}

function columnOf(catalog: Pick<ModelCatalog, 'models'>, modelName: string, column: string): FieldSpec {
  const model = catalog.models[modelName]
  const field = model?.fields.find(({ name }) => name === model.primaryKey[0])
  invariant(field !== undefined, `Model ${modelName} of a join table has no primary key.`)
  return { ...field, name: column, column, isUnique: false, hasDefault: false }
}
