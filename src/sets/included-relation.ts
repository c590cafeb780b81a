/**
 * Sets, between stages 6 and 7. A relation whose changes are heard of: rows that belong to others, and by which of their values. Pure.
 */
import type { ChangeFilter } from '../bus/filter/change-filter.ts'
import { ALWAYS, allOf, anyOf, type Condition } from '../bus/filter/condition.ts'
import type { ValueDomain } from '../bus/filter/value-domain.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyRow, ChangeAction } from '../changes/change.ts'

/** A to-many relation of a subscription's model. */
export interface IncludedRelation {
  readonly name: string
  /** Which rows of it may be seen; null for all. */
  readonly filter: ChangeFilter | null
  /** What the foreign key of a related row points at. */
  readonly fields: readonly string[]
  readonly domains: readonly ValueDomain[]
  readonly related: {
    readonly model: ModelSpec
    /** The foreign key. */
    readonly fields: readonly string[]
    readonly domains: readonly ValueDomain[]
  }
}

/** What they cost of the budgets of filters: looking up whose a related row is. */
export function costOfIncluded(relations: readonly IncludedRelation[] = []): number {
  return relations.reduce((sum, { fields }) => sum + fields.length, 0)
}

/** A change of a related row. */
export interface Via {
  /** Name of the relation. */
  readonly relation: string
  readonly action: ChangeAction
  /** The primary key of the related row; null for TRUNCATE. */
  readonly key: AnyRow | null
  /** The row that has this key, where it is to be judged once more who may hear of it; nobody is shown it. Null for TRUNCATE. */
  readonly image: AnyRow | null
}

/** What a row hears of: the first changes of its related rows in their order, and how many there are of them. */
export interface HeardOf {
  readonly via: readonly Via[]
  readonly viaCount: number
}

/** What is true of related rows where the condition may be true of the row that they belong to. */
export function ofRelatedRows(condition: Condition, relation: IncludedRelation): Condition {
  const { fields, related } = relation
  const places = (names: readonly string[]) => names.map((name) => fields.indexOf(name))
  switch (condition.kind) {
    case 'and':
      return allOf(condition.conditions.map((part) => ofRelatedRows(part, relation)))
    case 'or':
      return anyOf(condition.conditions.map((part) => ofRelatedRows(part, relation)))
    case 'in': {
      const place = fields.indexOf(condition.field)
      const [field, domain] = [related.fields[place], related.domains[place]]
      return field === undefined || domain === undefined ? ALWAYS : { ...condition, field, domain }
    }
    case 'related': {
      const found = places(condition.fields)
      if (found.includes(-1)) return ALWAYS
      const named = found.flatMap((place) => related.fields[place] ?? [])
      const domains = found.flatMap((place) => related.domains[place] ?? [])
      return { ...condition, fields: named, domains }
    }
    default:
      return ALWAYS
  }
}
