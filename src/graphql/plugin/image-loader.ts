/**
 * Stage 7, graphql. Where Pothos' Prisma plugin reads a parent row again, by id, because a field selects more than it has, an image
 * would become the wrong row, or none. Images get the relations of their own keys; Pothos goes on planning, batching and nesting as
 * ever, and rows of queries never notice.
 */
import { createContextCache, type PothosTypeConfig } from '@pothos/core'
import { loaderExtension, loaderOfPothos, type Selection, stagedLoader } from '../pothos-internals.ts'
import { isImage } from '../subscription/image-rows.ts'

/** Completes an image of the model with what is selected. */
export type LoadImage = (
  model: string,
  image: object,
  selection: Selection,
  context: object,
) => Promise<object>

/**
 * The type's configuration with a loader that knows images; types without a model stay as they are.
 * @throws GRAPHQL_BAD_SCHEMA when the Prisma plugin's loader is not the one this was written for.
 */
export function withImageLoader(config: PothosTypeConfig, load: LoadImage): PothosTypeConfig {
  const loaderOf = loaderOfPothos(config.extensions)
  if (loaderOf === undefined) return config
  const imageLoaderOf = createContextCache((context: object) =>
    stagedLoader(loaderOf(context), (model, row, selection) =>
      isImage(row) ? load(model, row, selection(), context) : null,
    ),
  )
  return { ...config, extensions: { ...config.extensions, ...loaderExtension(imageLoaderOf) } }
}
