/** Beside the spine, sets. What a change means to rows that are kept: one that was among them, one that is. Pure. */
import type { Delivery } from '../bus/bus.ts'
import type { AnyRow } from '../changes/change.ts'

/** A row, and its key. */
export interface KeyedRow {
  readonly key: AnyRow
  readonly row: AnyRow
}

/** One change of the rows that are asked for. */
export interface SetStep {
  /** Null where the row was none of them. */
  readonly before: KeyedRow | null
  /** Null where it is none of them any more. */
  readonly after: KeyedRow | null
}

/** The step; `emptied` where all rows are gone, `unknown` where the change does not say enough. */
export function stepOf({
  change,
  transition,
  hidesOld,
  hidesNew,
}: Delivery): SetStep | 'emptied' | 'unknown' {
  const { action, key } = change
  if (action === 'TRUNCATE') return 'emptied'
  if (change.isOldMissing === true || change.oldKey === undefined || change.unavailable.length > 0)
    return 'unknown'
  const { old, new: row } = change.fresh()
  const oldKey = change.oldKey ?? key
  const wasThere = action !== 'INSERT' && transition !== 'ENTERED' && !hidesOld
  const isThere = action !== 'DELETE' && transition !== 'LEFT' && !hidesNew
  if ((wasThere && (old === null || oldKey === null)) || (isThere && (row === null || key === null)))
    return 'unknown'
  return {
    before: wasThere && old !== null && oldKey !== null ? { key: oldKey, row: old } : null,
    after: isThere && row !== null && key !== null ? { key, row } : null,
  }
}
