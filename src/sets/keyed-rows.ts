/**
 * Sets, between stages 6 and 7. Rows named by the values of some of their fields, and by which a condition names its own: the rows of one
 * viewer are read by the keys of the sets that it asks, and not the whole table. Pure.
 */
import type { Condition, KeySetSpec } from '../bus/filter/condition.ts'
import type { ValueDomain } from '../bus/filter/value-domain.ts'
import type { KeyMap } from './counted-keys.ts'

/** Rows by the values of some of their fields. */
export interface KeyedRows {
  readonly fields: readonly string[]
  readonly domains: readonly ValueDomain[]
  readonly keys: KeyMap
}

/** Ways to compare under which a key is the value itself, and no other value is equal to it: not those that take no account of case. */
export const EXACT_DOMAINS: ReadonlySet<string> = new Set(['int', 'bigint', 'text', 'uuid'])

/**
 * Rows by keys that every row has of which the condition is true; null where none are known: then all rows have to be looked at.
 * Where several of its parts would do, the one with the fewest keys.
 */
export function coverOf(
  condition: Condition,
  keysAt: (set: KeySetSpec) => KeyMap,
): readonly KeyedRows[] | null {
  switch (condition.kind) {
    case 'constant':
      return condition.value ? null : []
    case 'in': {
      const { field, domain, keys } = condition
      if (!EXACT_DOMAINS.has(domain.name)) return null
      return [
        { fields: [field], domains: [domain], keys: new Map([...keys].map((key) => [key, [key]] as const)) },
      ]
    }
    case 'related': {
      const { fields, domains, set } = condition
      return [{ fields, domains, keys: keysAt(set) }]
    }
    case 'and': {
      let best: readonly KeyedRows[] | null = null
      for (const part of condition.conditions) {
        const cover = coverOf(part, keysAt)
        if (cover !== null && (best === null || sizeOf(cover) < sizeOf(best))) best = cover
      }
      return best
    }
    case 'or': {
      const covers = condition.conditions.map((part) => coverOf(part, keysAt))
      return covers.some((cover) => cover === null) ? null : covers.flatMap((cover) => cover ?? [])
    }
    default:
      return null
  }
}

function sizeOf(cover: readonly KeyedRows[]): number {
  return cover.reduce((sum, { keys }) => sum + keys.size, 0)
}
