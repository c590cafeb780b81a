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
  /** @default null */
  readonly key?: AnyRow | null
  /** @default null, the same as after */
  readonly oldKey?: AnyRow | null | undefined
}

/** A change of model Thing. */
export function buildChange(parts: ChangeParts): AnyChange {
  const { action, old = null, new: after = null, unavailable = [], isOldMissing = false, key = null } = parts
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
    key,
    changed: action === 'INSERT' ? fields : differing,
    unavailable,
    oldKey: 'oldKey' in parts ? parts.oldKey : null,
    operation: { action, old, new: after },
    cursor: '',
    fresh() {
      return this
    },
  }
}
