/**
 * Beside the spine, generator. Relations that go by columns which are not read (of an extension's type, ignored): they fall away at both ends, and
 * all else stays.
 */
import type { JoinTableSpec, ModelSpec } from '../catalog/model-catalog.ts'

/** What is left, and what fell away, a sentence for each end. */
export interface ReadableRelations {
  readonly models: readonly ModelSpec[]
  readonly joinTables: readonly JoinTableSpec[]
  readonly leftOut: readonly string[]
}

/** Leaves them out. Pure. */
export function readableRelations(
  models: readonly ModelSpec[],
  joinTables: readonly JoinTableSpec[],
): ReadableRelations {
  const byName = new Map(models.map((model) => [model.name, model]))
  const hasAll = (model: string, names: readonly string[]): boolean =>
    names.every((name) => byName.get(model)?.fields.some((field) => field.name === name))
  const unread = new Set<string>()
  for (const { name, relations } of models) {
    for (const { relationName, model, fields, references } of relations)
      if (!hasAll(name, fields) || !hasAll(model, references)) unread.add(relationName)
  }
  // A join table goes by the primary keys.
  for (const { relationName, modelA, modelB } of joinTables)
    if ([modelA, modelB].some((model) => byName.get(model)?.primaryKey.length !== 1)) unread.add(relationName)
  const isRead = ({ relationName }: { readonly relationName: string }): boolean => !unread.has(relationName)
  return {
    models: models.map((model) => ({ ...model, relations: model.relations.filter(isRead) })),
    joinTables: joinTables.filter(isRead),
    leftOut: models.flatMap(({ name, relations }) =>
      relations
        .filter((relation) => !isRead(relation))
        .map((relation) => `${name}.${relation.name}: it goes by a column that is not read`),
    ),
  }
}
