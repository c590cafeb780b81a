/**
 * Sets, between stages 6 and 7. Which rows a change of other rows may concern. The keys that a transaction put into a set or took out of it
 * name them: the rows that have one of these keys, whatever they are otherwise.
 */
import type { Condition, KeySetSpec, RelatedTest } from '../bus/filter/condition.ts'
import { relatedKeyOf } from '../bus/filter/related-keys.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyRow } from '../changes/change.ts'
import type { KeyMap } from './counted-keys.ts'
import type { KeyedRows } from './keyed-rows.ts'

/** Rows of a model that somebody has to look at: all that have a key of any of these. Null for all rows. */
export interface RowRequest {
  readonly model: ModelSpec
  readonly keyed: readonly KeyedRows[] | null
  /** Whether a transaction has moved them, and no condition asks for all that it has. @default false */
  readonly areMoved?: boolean | undefined
  /** Rows of which it is not true need not come, though they may. @default null: all have to */
  readonly narrowedBy?: Condition | null | undefined
  /** What is needed of the rows, beside their primary key. @default null: all */
  readonly fields?: Iterable<string> | null | undefined
}

/** Where the keys of sets are, by transaction. */
export interface TransactionKeys {
  /** Those that were put in or taken out. */
  toggledBy(set: KeySetSpec, at: number): KeyMap
  /** All that were in after it. */
  keysAt(set: KeySetSpec, at: number): KeyMap
}

/** The rows that a transaction may have moved into conditions with these tests or out of them without writing them; null for none. */
export function rowsConcerned(
  model: ModelSpec,
  tests: readonly RelatedTest[],
  keys: TransactionKeys,
  at: number,
): RowRequest | null {
  const keyed: KeyedRows[] = []
  for (const { fields, domains, set } of tests) {
    const toggled = keys.toggledBy(set, at)
    if (toggled.size > 0) keyed.push({ fields, domains, keys: toggled })
  }
  return keyed.length === 0 ? null : { model, keyed, areMoved: true }
}

/** Whether the request is for this row. */
export function isRequested({ keyed }: RowRequest, row: AnyRow): boolean {
  if (keyed === null) return true
  return keyed.some(({ fields, domains, keys }) => {
    const key = relatedKeyOf(row, fields, domains)
    return key !== null && key !== undefined && keys.has(key)
  })
}
