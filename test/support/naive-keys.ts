/** The keys of every set by looking at all rows: what key sets that follow the data have to agree with. */
import { compileCondition } from '../../src/bus/filter/compile-condition.ts'
import type { Condition } from '../../src/bus/filter/condition.ts'
import { TRUE } from '../../src/bus/filter/outcome.ts'
import { isCounted, type KeySource, type KeyTest, relatedKeyOf } from '../../src/bus/filter/related-keys.ts'
import type { ValueKey } from '../../src/bus/filter/value-domain.ts'
import type { AnyRow } from '../../src/changes/change.ts'

/** Model or join table → its rows. */
export type Tables = Readonly<Record<string, readonly AnyRow[]>>

/** The keys at this state of all tables. */
export function naiveKeys(tables: Tables): KeySource {
  const known = new Map<object, KeyTest>()
  const source: KeySource = (set) => {
    const before = known.get(set)
    if (before !== undefined) return before
    const test = compileCondition(set.condition, source)
    const keys = new Set<ValueKey>()
    for (const row of tables[set.model.name] ?? []) {
      const key = relatedKeyOf(row, set.fields, set.domains)
      if (key !== null && key !== undefined && isCounted(set, test(row)) === true) keys.add(key)
    }
    const hasKey: KeyTest = (key) => keys.has(key)
    known.set(set, hasKey)
    return hasKey
  }
  return source
}

/** The rows of a model that a condition finds. */
export function naiveFind(tables: Tables, model: string, condition: Condition): readonly AnyRow[] {
  const test = compileCondition(condition, naiveKeys(tables))
  return (tables[model] ?? []).filter((row) => test(row) === TRUE)
}
