/**
 * Stage 7, graphql. The one file that knows what Pothos' Prisma plugin (4.17) and Relay plugin keep in the extensions of types and
 * fields, and how the Prisma plugin reads a row again. `test/architecture.test.ts` holds that no other file names such an extension.
 * It imports nothing of Pothos: schemas without it read the same extensions, and find none.
 */
import { RowcastError } from '../errors.ts'
import { memberOf } from '../member-of.ts'

/** The `extensions` of a type or a field. */
type Extensions = Readonly<Record<string, unknown>>

/** The Prisma model whose rows an object type shows. */
export const modelOfPothos = (extensions: Extensions): unknown => extensions['pothosPrismaModel']

/** The property that a field shows as it is (`t.expose…`). */
export const exposedByPothos = (extensions: Extensions): unknown => extensions['pothosExposedField']

/** What a field says of the relation that it shows: `name`. */
export const relationOfPothos = (extensions: Extensions): unknown => extensions['pothosPrismaRelationField']

/** Whether the application has a resolver of its own for a relation that was not loaded (`t.relation({ resolve })`). */
export const hasOwnFallback = (extensions: Extensions): boolean =>
  typeof extensions['pothosPrismaFallback'] === 'function'

/** What a type's rows always carry: `include` or `select` of prismaObject. */
export const alwaysSelected = (extensions: Extensions): unknown => extensions['pothosPrismaTypeSelection']

/** What a field selects: `{ select }`, or a function that gives it. */
export const selectedByPothos = (extensions: Extensions): unknown => extensions['pothosPrismaSelect']

/** The extensions with another selection. */
export const withSelected = (extensions: Extensions, select: unknown): Extensions => ({
  ...extensions,
  pothosPrismaSelect: select,
})

/** Whether a type is a node: the Relay plugin notes with each how its id is read. */
export const isNodeOfPothos = (extensions: unknown): boolean => 'pothosParseGlobalID' in Object(extensions)

/** A Prisma query without `where` of its own rows: what Pothos plans for a selection set. */
export interface Selection {
  readonly select?: Extensions | undefined
  readonly include?: Extensions | undefined
}

/** A selection as Pothos planned it. */
interface PlayedPlan {
  readonly plan: { readonly adapter: { toQuery(node: unknown): Selection } }
  readonly root: unknown
}

/** `ModelLoader` of @pothos/plugin-prisma, src/model-loader.ts. */
export interface ModelLoader {
  readonly modelName: string
  /** Reads `row` again with what the plan selects. */
  stageQuery(played: PlayedPlan, row: object): Promise<object | null>
}

/** The row with what is selected of it, where it is not to be read again by its id; null for a row that is. */
type StageRow = (model: string, row: object, selection: () => Selection) => Promise<object> | null

/** What gives the loader of a type's rows for a context; undefined for a type without a model. */
export function loaderOfPothos(extensions: unknown): ((context: object) => ModelLoader) | undefined {
  return memberOf(extensions, LOADER) as ((context: object) => ModelLoader) | undefined
}

/** The extension that makes it the loader of a type. */
export const loaderExtension = (loaderOf: (context: object) => ModelLoader): Extensions => ({
  [LOADER]: loaderOf,
})

const LOADER = 'pothosPrismaLoader'

/**
 * The loader, but it asks `stage` first.
 * @throws GRAPHQL_BAD_SCHEMA when the Prisma plugin's loader is not the one this was written for.
 */
export function stagedLoader(loader: ModelLoader, stage: StageRow): ModelLoader {
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
        stage(loader.modelName, row, () => played.plan.adapter.toQuery(played.root)) ??
        loader.stageQuery(played, row),
    },
  }) as ModelLoader
}
