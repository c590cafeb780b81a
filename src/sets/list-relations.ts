/** Beside the spine, sets. Relations that the rows of a list show: by which values a related row is found to belong to a row. Pure. */

import type { Delivery } from '../bus/bus.ts'
import type { ChangeFilter } from '../bus/filter/change-filter.ts'
import { domainOf } from '../bus/filter/field-domain.ts'
import { relatedKeyOf } from '../bus/filter/related-keys.ts'
import type { ValueDomain, ValueKey } from '../bus/filter/value-domain.ts'
import { inverseOf } from '../catalog/foreign-key.ts'
import type { ModelCatalog, ModelSpec, RelationSpec } from '../catalog/model-catalog.ts'
import type { IncludedRelation } from './included-relation.ts'

/** A relation whose changes patch the rows of a list. */
export interface ShownRelation extends IncludedRelation {
  /** Equal for viewers who see the same related rows; null where that is not known. */
  readonly seen: string | null
}

/** It; null where its changes do not say whose they are: a join table has the keys, or they are of types that are not compared. */
export function shownRelation(
  { catalog, model, relation }: { catalog: ModelCatalog; model: ModelSpec; relation: RelationSpec },
  { filter, seen }: { readonly filter: ChangeFilter | null; readonly seen: string | null },
): ShownRelation | null {
  const related: ModelSpec | undefined = catalog.models[relation.model]
  const inverse = inverseOf(catalog, model, relation)
  const [fields, toFields] =
    relation.fields.length > 0 ? [relation.fields, relation.references] : [inverse.references, inverse.fields]
  const domains = domainsOf(catalog, model, fields)
  const toDomains = related === undefined ? null : domainsOf(catalog, related, toFields)
  if (related === undefined || fields.length === 0 || domains === null || toDomains === null) return null
  if (domains.some(({ name }, index) => name !== toDomains[index]?.name)) return null
  const { name } = relation
  return {
    name,
    filter,
    seen,
    fields,
    domains,
    related: { model: related, fields: toFields, domains: toDomains },
  }
}

/** How the values of these fields are compared; null where one of them is not. */
export function domainsOf(catalog: ModelCatalog, model: ModelSpec, names: readonly string[]) {
  const domains = names.map((name): ValueDomain | null => {
    const field = model.fields.find((each) => each.name === name)
    return field === undefined || field.isList ? null : domainOf(field, catalog)
  })
  return domains.includes(null) ? null : (domains as readonly ValueDomain[])
}

/** The keys of the rows that a related row belonged to, and belongs to; null where every row is concerned, or may be. */
export function concernedKeys(
  { change, hidesOld, hidesNew }: Delivery,
  { related: { fields, domains } }: Pick<IncludedRelation, 'related'>,
): ReadonlySet<ValueKey> | null {
  const { action } = change
  if (action === 'TRUNCATE') return null
  const was = action !== 'INSERT' && !hidesOld
  const is = action !== 'DELETE' && !hidesNew
  if (was && change.old === null) return null
  const images = [was ? change.old : null, is ? change.new : null]
  const keys = images.map((row) => (row === null ? null : relatedKeyOf(row, fields, domains)))
  return keys.includes(undefined) ? null : new Set(keys.filter((key): key is ValueKey => key != null))
}
