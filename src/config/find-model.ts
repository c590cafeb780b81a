/** A model by its name. */
import type { ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
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
