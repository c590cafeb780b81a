/** Stage 7, graphql. By which values a row finds its related ones, and what they cost to find. */

import { inverseOf } from '../../catalog/foreign-key.ts'
import type { ModelCatalog, ModelSpec, RelationSpec } from '../../catalog/model-catalog.ts'
import type { AnyRow } from '../../changes/change.ts'
import { invariant } from '../../errors.ts'
import { memberOf } from '../../member-of.ts'

/** Field → value: which rows belong to a row. */
export type RelationKey = Readonly<Record<string, unknown>>

/** How the rows of two models belong together, seen from one of them. */
export interface RelationLink {
  /** The model that has the relation. */
  readonly parent: string
  readonly relation: RelationSpec
  /** Its fields, whose values are looked for. */
  readonly from: readonly string[]
  /** The fields of the other model that have them; null where a join table has: an implicit many-to-many. */
  readonly to: readonly string[] | null
  /** The same relation, as the other model calls it. */
  readonly inverse: string
}

/** The link of a relation. */
export function linkOf(catalog: ModelCatalog, model: ModelSpec, relation: RelationSpec): RelationLink {
  const inverse = inverseOf(catalog, model, relation)
  const both = { parent: model.name, relation, inverse: inverse.name }
  if (relation.fields.length > 0) return { ...both, from: relation.fields, to: relation.references }
  if (inverse.fields.length > 0) return { ...both, from: inverse.references, to: inverse.fields }
  return { ...both, from: model.primaryKey, to: null }
}

/** What singles out the related rows; null when a value of the key is null: there are none. */
export function keyOf({ from, to }: RelationLink, row: AnyRow): RelationKey | null {
  const values = from.map((field) => row[field] ?? null)
  if (values.includes(null)) return null
  return Object.fromEntries((to ?? from).map((field, index) => [field, values[index]]))
}

/** The key as Prisma's `where`. */
export function whereOf({ to, inverse }: RelationLink, key: RelationKey): RelationKey {
  return to === null ? { [inverse]: { some: key } } : key
}

/** The relation of a model. */
export function relationOf(model: ModelSpec, name: string): RelationSpec {
  const relation = model.relations.find((candidate) => candidate.name === name)
  invariant(relation !== undefined, `Model ${model.name} has no relation "${name}".`)
  return relation
}

/**
 * Both conditions, as far as there are two. An empty `OR` matches nothing at the root alone: below it Prisma leaves it out, and all
 * that the other condition allows would be there.
 */
export function both(where: unknown, more: unknown): object {
  if (more === undefined) return where as object
  const isNothing = [where, more].some(hasEmptyOr)
  return isNothing ? { AND: [where, more], OR: [] } : { AND: [where, more] }
}

function hasEmptyOr(where: unknown): boolean {
  const operands = memberOf(where, 'OR')
  return Array.isArray(operands) && operands.length === 0
}
