/**
 * Stage 7, graphql. Loads what a selection asks of an image beyond its own columns: relations and counts,
 * found by the image's keys. The row itself is never read again: it may be gone, or have changed since.
 */
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import type { AnyRow } from '../../changes/change.ts'
import type { Selection } from '../pothos-internals.ts'
import type { BoundedReader } from '../reading/bounded-reader.ts'
import type { OperationReads } from '../reading/read-pool.ts'
import { both, keyOf, linkOf, type RelationLink, relationOf } from '../reading/relation-link.ts'
import { toQuery } from '../reading/split-query.ts'
import { extendImage, sentRow } from '../subscription/image-rows.ts'

/** Where related rows come from. */
export interface RelationSource {
  readonly catalog: ModelCatalog
  readonly reader: Pick<BoundedReader, 'readRelation' | 'countRelation'>
  /** What is read for the image, all of its relations together. */
  readonly reads: OperationReads
  /** The rows of a model that the viewer may see, as a Prisma `where`. @default all */
  readonly visible?: ((model: string) => Promise<object | null>) | undefined
}

/** Relation name → filter, as in Prisma's `_count: { select }`. */
type CountSelection = Readonly<Record<string, unknown>>

/** The relations and `_count` of a selection; the other keys are columns, and the image has those. */
export function relationsOf(model: ModelSpec, selection: Selection): ReadonlyMap<string, unknown> {
  const isRelation = (name: string) => model.relations.some((relation) => relation.name === name)
  const entries = Object.entries({ ...selection.select, ...selection.include })
  return new Map(entries.filter(([name, query]) => Boolean(query) && (name === '_count' || isRelation(name))))
}

/** The image with the selection's relations and counts in it, as Prisma would have nested them. */
export async function loadRelations(
  source: RelationSource,
  model: ModelSpec,
  image: AnyRow,
  selection: Selection,
): Promise<AnyRow> {
  const loads = [...relationsOf(model, selection)].map(async ([name, query]) => {
    const value =
      name === '_count'
        ? await countRelations(source, model, image, query)
        : await loadRelation(
            source,
            linkOf(source.catalog, model, relationOf(model, name)),
            image,
            toQuery(query),
          )
    return [name, value] as const
  })
  return loads.length === 0 ? image : extendImage(image, Object.fromEntries(await Promise.all(loads)))
}

async function loadRelation(
  source: RelationSource,
  link: RelationLink,
  image: AnyRow,
  query: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const { relation } = link
  const key = keyOf(link, sentRow(image))
  if (key === null) return relation.isList ? [] : null
  const visible = relation.isList ? ((await source.visible?.(relation.model)) ?? undefined) : undefined
  const where = query['where'] === undefined ? visible : both(query['where'], visible)
  return source.reader.readRelation(
    link,
    key,
    where === undefined ? query : { ...query, where },
    source.reads,
  )
}

async function countRelations(
  source: RelationSource,
  model: ModelSpec,
  image: AnyRow,
  query: unknown,
): Promise<AnyRow> {
  const lists = model.relations.filter((relation) => relation.isList)
  const asked: CountSelection =
    query === true
      ? Object.fromEntries(lists.map((relation) => [relation.name, true]))
      : (toQuery(toQuery(query)['select']) satisfies CountSelection)
  const counts = Object.entries(asked).map(async ([name, filter]) => {
    const link = linkOf(source.catalog, model, relationOf(model, name))
    const key = keyOf(link, sentRow(image))
    if (key === null) return [name, 0] as const
    const visible = (await source.visible?.(link.relation.model)) ?? undefined
    const condition = toQuery(filter)['where']
    const where = condition === undefined ? visible : both(condition, visible)
    const counted = where === undefined ? {} : { where }
    return [name, await source.reader.countRelation(link, key, counted, source.reads)] as const
  })
  return Object.fromEntries(await Promise.all(counts))
}
