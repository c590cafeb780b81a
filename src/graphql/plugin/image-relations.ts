/**
 * Stage 7, graphql. Loads what a selection asks of an image beyond its own columns: relations and counts,
 * found by the image's keys. The row itself is never read again: it may be gone, or have changed since.
 */
import type { ModelCatalog, ModelSpec, RelationSpec } from '../../catalog/model-catalog.ts'
import type { AnyRow } from '../../changes/change.ts'
import { invariant } from '../../errors.ts'
import { inverseOf } from '../foreign-key.ts'
import { delegateOf, type PrismaClientLike } from '../prisma-delegate.ts'
import { extendImage, sentRow } from './image-rows.ts'
import type { RelationBatches } from './relation-batches.ts'

/** A Prisma query without `where` of its own rows: what Pothos plans for a selection set. */
export interface Selection {
  readonly select?: Readonly<Record<string, unknown>> | undefined
  readonly include?: Readonly<Record<string, unknown>> | undefined
}

/** Where related rows come from. */
export interface RelationSource {
  readonly catalog: ModelCatalog
  readonly client: PrismaClientLike
  /** The rows of a model that the viewer may see, as a Prisma `where`. @default all */
  readonly visible?: ((model: string) => Promise<object | null>) | undefined
  /** Puts the queries of many images together. @default a query for each */
  readonly batches?: RelationBatches | undefined
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
        : await loadRelation(source, model, relationOf(model, name), image, toQuery(query))
    return [name, value] as const
  })
  return loads.length === 0 ? image : extendImage(image, Object.fromEntries(await Promise.all(loads)))
}

async function loadRelation(
  source: RelationSource,
  model: ModelSpec,
  relation: RelationSpec,
  image: AnyRow,
  query: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  const where = relatedWhere(source.catalog, model, relation, image)
  if (where === null) return relation.isList ? [] : null
  const { batches = UNBATCHED } = source
  const delegate = delegateOf(source.client, relation.model)
  const { model: name } = relation
  const isOfColumns =
    relation.fields.length > 0 || inverseOf(source.catalog, model, relation).fields.length > 0
  if (relation.isList) {
    const visible = (await source.visible?.(name)) ?? undefined
    const condition = query['where'] === undefined ? visible : both(query['where'], visible)
    const readAlone = () => delegate.findMany({ ...query, where: both(both(where, query['where']), visible) })
    const read = { delegate, model: name, key: where, readAlone }
    const conditional = condition === undefined ? query : { ...query, where: condition }
    if (isOfColumns) return batches.readList({ ...read, query: conditional })
    // Implicit many-to-many: whose a row is, only the row that the image is of can say.
    const key = equalities(model.primaryKey, model.primaryKey, image) ?? {}
    const nested = { delegate: delegateOf(source.client, model.name), key, nestedAs: relation.name }
    return batches.readList({ ...read, ...nested, query: conditional })
  }
  const filtered = { ...query, where: both(where, query['where']) }
  const isByUnique = query['where'] === undefined && isUniqueKey(source.catalog, relation, Object.keys(where))
  const readAlone = () => (isByUnique ? delegate.findUnique(filtered) : delegate.findFirst(filtered))
  const read = { delegate, model: name, key: where, query, readAlone }
  return isByUnique ? batches.readOne(read) : batches.readAlone(read)
}

/** What is read by itself at once, for who has no batches. */
const UNBATCHED: Pick<RelationBatches, 'readList' | 'readOne' | 'readAlone'> = {
  readList: ({ readAlone }) => readAlone(),
  readOne: ({ readAlone }) => readAlone(),
  readAlone: ({ readAlone }) => readAlone(),
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
    const relation = relationOf(model, name)
    const where = relatedWhere(source.catalog, model, relation, image)
    const delegate = delegateOf(source.client, relation.model)
    if (where === null) return [name, 0] as const
    const visible = (await source.visible?.(relation.model)) ?? undefined
    const readAlone = () => delegate.count({ where: both(both(where, toQuery(filter)['where']), visible) })
    const read = { delegate, model: relation.model, key: where, query: {}, readAlone }
    return [name, await (source.batches ?? UNBATCHED).readAlone(read)] as const
  })
  return Object.fromEntries(await Promise.all(counts))
}

/** What singles out the rows that the image's relation leads to; null when its key is null: there are none. */
function relatedWhere(
  catalog: ModelCatalog,
  model: ModelSpec,
  relation: RelationSpec,
  image: AnyRow,
): Readonly<Record<string, unknown>> | null {
  if (relation.fields.length > 0) return equalities(relation.references, relation.fields, image)
  const inverse = inverseOf(catalog, model, relation)
  if (inverse.fields.length > 0) return equalities(inverse.fields, inverse.references, image)
  // Implicit many-to-many: only Prisma knows the join table.
  const key = equalities(model.primaryKey, model.primaryKey, image)
  return key === null ? null : { [inverse.name]: { some: key } }
}

function equalities(
  columns: readonly string[],
  imageFields: readonly string[],
  image: AnyRow,
): Readonly<Record<string, unknown>> | null {
  const row = sentRow(image)
  const values = imageFields.map((field) => row[field] ?? null)
  if (values.includes(null)) return null
  return Object.fromEntries(columns.map((column, position) => [column, values[position]]))
}

function isUniqueKey(catalog: ModelCatalog, relation: RelationSpec, columns: readonly string[]): boolean {
  const [column] = columns
  const target = catalog.models[relation.model]
  if (target === undefined || column === undefined || columns.length > 1) return false
  const isId = target.primaryKey.length === 1 && target.primaryKey[0] === column
  return isId || target.fields.some((field) => field.name === column && field.isUnique)
}

function relationOf(model: ModelSpec, name: string): RelationSpec {
  const relation = model.relations.find((candidate) => candidate.name === name)
  invariant(relation !== undefined, `Model ${model.name} has no relation "${name}".`)
  return relation
}

function both(where: unknown, more: unknown): object {
  return more === undefined ? (where as object) : { AND: [where, more] }
}

/** Prisma writes `true` for a query without arguments. */
function toQuery(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}
