/** A model, or a join table, by its name. */
import type { ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import { joinTableModel } from '../catalog/relation-path.ts'
import { RowcastError } from '../errors.ts'
import { nearestName } from '../nearest-name.ts'

/** The model of that name. @throws CATALOG_UNKNOWN_MODEL, with the name that may have been meant */
export function findModel(catalog: Pick<ModelCatalog, 'models'>, name: string): ModelSpec {
  const spec = Object.hasOwn(catalog.models, name) ? catalog.models[name] : undefined
  if (spec !== undefined) return spec
  const nearest = nearestName(name, Object.keys(catalog.models))
  throw new RowcastError('CATALOG_UNKNOWN_MODEL', `The Prisma schema has no model "${name}".`, {
    hint:
      nearest === null
        ? undefined
        : `Did you mean "${nearest}"? If the model is new, run \`prisma generate\`.`,
  })
}

/** What can be followed: a model, or the join table of an implicit many-to-many. */
export function tableNamed(
  catalog: Pick<ModelCatalog, 'models' | 'joinTables'>,
  name: string,
): ModelSpec | undefined {
  const table = catalog.joinTables.find((each) => each.table === name)
  if (table !== undefined) return joinTableModel(catalog, table)
  return Object.hasOwn(catalog.models, name) ? catalog.models[name] : undefined
}
