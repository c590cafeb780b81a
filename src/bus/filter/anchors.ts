/**
 * Stage 6, bus. What to look a filter up by. Anchors are pairs of a field and a value, or of a field and a set of keys, such that a row
 * for which the condition holds has at least one of them: whoever has none of a row's values cannot match it.
 */
import type { ModelSpec } from '../../catalog/model-catalog.ts'
import { type Condition, negate } from './condition.ts'
import type { ValueDomain, ValueKey } from './value-domain.ts'

/** A value of a field. */
export interface Anchor {
  readonly field: string
  /** How the value is compared; null for SQL's NULL. */
  readonly domain: ValueDomain | null
  readonly key: ValueKey
}

/** The row's own key is one of a set. */
export type RelatedAnchor = Extract<Condition, { kind: 'related' }>

/** All anchors of a condition, and which share of rows is presumed to have one. */
export interface Anchors {
  readonly anchors: readonly Anchor[]
  readonly related: readonly RelatedAnchor[]
  readonly share: number
}

/** Presumed shares of rows that have one given value of a field. */
const SHARE = { unique: 0.000_1, value: 0.01, keys: 0.05, enum: 0.2, null: 0.3, boolean: 0.5 } as const

/**
 * The anchors of a condition; null where it has none, and every row has to be tested.
 * @param followsKeys whether rows can be looked up by the keys of sets. @default false
 */
export function anchorsOf(condition: Condition, model: ModelSpec, followsKeys = false): Anchors | null {
  const partsOf = (conditions: readonly Condition[]) =>
    conditions.map((part) => anchorsOf(part, model, followsKeys))
  switch (condition.kind) {
    case 'constant':
      return condition.value ? null : { anchors: [], related: [], share: 0 }
    case 'in': {
      const { field, domain, keys } = condition
      const anchors = [...keys].map((key) => ({ field, domain, key }))
      return { anchors, related: [], share: shareOf(model, field, domain) * anchors.length }
    }
    case 'null':
      return {
        anchors: [{ field: condition.field, domain: null, key: '' }],
        ...{ related: [], share: SHARE.null },
      }
    case 'and':
      return fewest(partsOf(condition.conditions))
    case 'or':
      return together(partsOf(condition.conditions))
    case 'not':
      return anchorsOfNegation(condition.condition, partsOf)
    case 'related':
      return followsKeys ? { anchors: [], related: [condition], share: SHARE.keys } : null
    case 'test':
      return null
  }
}

/** The best of several that each would do. */
export function fewest(candidates: readonly (Anchors | null)[]): Anchors | null {
  let best: Anchors | null = null
  for (const candidate of candidates) {
    if (candidate !== null && (best === null || candidate.share < best.share)) best = candidate
  }
  return best
}

function together(parts: readonly (Anchors | null)[]): Anchors | null {
  const known = parts.filter((part) => part !== null)
  if (known.length < parts.length) return null
  return {
    anchors: known.flatMap((part) => part.anchors),
    related: known.flatMap((part) => part.related),
    share: known.reduce((sum, part) => sum + part.share, 0),
  }
}

/** By De Morgan, as far as a NOT can be pushed inwards; "has not this value" cannot be looked up. */
function anchorsOfNegation(
  condition: Condition,
  partsOf: (conditions: readonly Condition[]) => readonly (Anchors | null)[],
): Anchors | null {
  switch (condition.kind) {
    case 'and':
      return together(partsOf(condition.conditions.map(negate)))
    case 'or':
      return fewest(partsOf(condition.conditions.map(negate)))
    case 'not':
      return fewest(partsOf([condition.condition]))
    default:
      return null
  }
}

function shareOf(model: ModelSpec, name: string, domain: ValueDomain): number {
  if (domain.name === 'boolean') return SHARE.boolean
  if (domain.name === 'enum') return SHARE.enum
  const isKey = model.primaryKey.length === 1 && model.primaryKey[0] === name
  const isUnique = model.fields.some((field) => field.name === name && field.isUnique)
  return isKey || isUnique ? SHARE.unique : SHARE.value
}
