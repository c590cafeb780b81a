/** Stage 6, bus. The keys that rows of a model have, and that other rows are tested against. */
import type { AnyRow } from '../../changes/change.ts'
import type { KeySetSpec } from './condition.ts'
import { FALSE, type Outcome, TRUE } from './outcome.ts'
import { rowKeyOf, type ValueDomain, type ValueKey } from './value-domain.ts'

/** Whether a key is in a set. */
export type KeyTest = (key: ValueKey) => boolean

/** Gives the keys of each set that a condition asks, at one moment; undefined where they are not known. */
export type KeySource = (set: KeySetSpec) => KeyTest | undefined

/** A row's key; null where a value of it is null, undefined where one is not known. */
export function relatedKeyOf(
  row: AnyRow,
  fields: readonly string[],
  domains: readonly ValueDomain[],
): ValueKey | null | undefined {
  const keys: ValueKey[] = []
  let isKnown = true
  for (const [index, field] of fields.entries()) {
    const value = row[field]
    if (value === null) return null
    const key = value === undefined ? undefined : rowKeyOf(domains[index] as ValueDomain, value)
    if (key === undefined) isKnown = false
    else keys.push(key)
  }
  if (!isKnown) return undefined
  return keys.length === 1 ? keys[0] : JSON.stringify(keys.map(String))
}

/** Whether a row with this outcome of the set's condition counts; undefined where a value decides that was not sent. */
export function isCounted({ counts }: KeySetSpec, outcome: Outcome): boolean | undefined {
  const never = counts === 'true' ? outcome & ~TRUE : outcome & FALSE
  return never === 0 ? true : never === outcome ? false : undefined
}
