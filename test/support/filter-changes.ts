/** Changes for tests of filters: nothing but an action and two images. */

import { isSameValue } from '../../src/catalog/values/same-value.ts'
import type { AnyChange, AnyRow, ChangeAction } from '../../src/changes/change.ts'
import { parseLsn } from '../../src/wire/lsn.ts'

/** What differs from one test to the next. */
export interface ChangeParts {
  readonly action: ChangeAction
  /** Absent for UPDATE and DELETE: the replica identity is not FULL. */
  readonly old?: AnyRow | null
  readonly new?: AnyRow | null
  readonly unavailable?: readonly string[]
  /** The row before did not come, though the table is to log it. */
  readonly isOldMissing?: boolean
}

/** A change of model Thing. */
export function buildChange({
  action,
  old = null,
  new: after = null,
  unavailable = [],
  isOldMissing = false,
}: ChangeParts): AnyChange {
  const fields = Object.keys(after ?? {})
  const differing = old === null ? [] : fields.filter((field) => !isSameValue(old[field], after?.[field]))
  return {
    model: 'Thing',
    action,
    transaction: { xid: 1, commitLsn: parseLsn('0/1'), committedAt: new Date(0), epoch: null as never },
    index: 0,
    old,
    isOldMissing,
    new: after,
    key: null,
    changed: action === 'INSERT' ? fields : differing,
    unavailable,
    oldKey: null,
    operation: { action, old, new: after },
    cursor: '',
    fresh() {
      return this
    },
  }
}
