/**
 * Stage 7, graphql. The one place that knows the inside of Pothos' Prisma plugin (4.17): every object type
 * of a model carries a `ModelLoader`, which reads a parent row again, by id, when a field selects more than
 * it has. For images that is the wrong row, or none. Here they get the relations of their own keys; Pothos
 * goes on planning, batching and nesting as ever, and rows of queries never notice.
 */
import { createContextCache, type PothosTypeConfig } from '@pothos/core'
import { RowcastError } from '../../errors.ts'
import { isImage } from '../subscription/image-rows.ts'
import type { Selection } from './image-relations.ts'

/** A selection as Pothos planned it. */
interface PlayedPlan {
  readonly plan: { readonly adapter: { toQuery(node: unknown): Selection } }
  readonly root: unknown
}

/** `ModelLoader` of @pothos/plugin-prisma, src/model-loader.ts. */
interface ModelLoader {
  readonly modelName: string
  /** Reads `row` again with what the plan selects. */
  stageQuery(played: PlayedPlan, row: object): Promise<object | null>
}

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
  const loaderOf = config.extensions?.['pothosPrismaLoader'] as ((context: object) => ModelLoader) | undefined
  if (loaderOf === undefined) return config
  const imageLoaderOf = createContextCache((context: object) => {
    const loader = loaderOf(context)
    if (typeof loader.stageQuery !== 'function') {
      throw new RowcastError(
        'GRAPHQL_BAD_SCHEMA',
        'The loader of @pothos/plugin-prisma is not the one this rowcast was written for.',
        { hint: 'Install @pothos/plugin-prisma 4.17, or a rowcast that knows your version.' },
      )
    }
    return Object.create(loader, {
      stageQuery: {
        value: (played: PlayedPlan, row: object) =>
          isImage(row)
            ? load(loader.modelName, row, played.plan.adapter.toQuery(played.root), context)
            : loader.stageQuery(played, row),
      },
    }) as ModelLoader
  })
  return { ...config, extensions: { ...config.extensions, pothosPrismaLoader: imageLoaderOf } }
}
