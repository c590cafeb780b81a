/** Changes for tests of filters: nothing but an action and two images. */

import { isSameValue } from '../../src/catalog/values/same-value.ts'
import type { AnyChange, AnyRow, ChangeAction } from '../../src/changes/change.ts'
import { plainTransaction } from './plain-change.ts'

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
    transaction: plainTransaction(1),
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
