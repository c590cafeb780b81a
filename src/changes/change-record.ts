/**
 * Stage 4, changes. A change as seven numbers beside its bytes:
 *
 *     0  index in its transaction
 *     1  index of its reader in the list's readers
 *     2  flags: old kind, what PostgreSQL did, what it is reported as; two bits each
 *     3  index of its slab in the list's slabs
 *     4  offset of the old tuple in the slab, 0 for none
 *     5  offset of the new tuple, 0 for none
 *     6  offset past the last tuple
 */
import type { RowMessage } from '../catalog/writing-tables.ts'
import type { OldKind } from '../pgoutput/messages.ts'
import type { ChangeAction } from './change.ts'

/** What a row's change may be reported as. */
export type RowAction = Exclude<ChangeAction, 'TRUNCATE'>

export const RECORD_LENGTH = 7
export const FIELD_INDEX = 0
export const FIELD_READER = 1
export const FIELD_FLAGS = 2
export const FIELD_SLAB = 3
export const FIELD_OLD = 4
export const FIELD_NEW = 5
export const FIELD_END = 6

/** Bytes before a tuple's first column: the number of columns. They are kept with it, so no offset of a tuple is 0. */
export const COUNT_BYTES = 2

/** Flags of a truncation, which no row's change has. */
export const TRUNCATED = -1

const OLD_KINDS: readonly OldKind[] = ['none', 'key', 'full']
const OLD_KIND_CODES: Readonly<Record<OldKind, number>> = { none: 0, key: 1, full: 2 }
const ACTIONS: readonly RowAction[] = ['INSERT', 'UPDATE', 'DELETE']
const ACTION_CODES: Readonly<Record<RowAction, number>> = { INSERT: 0, UPDATE: 1, DELETE: 2 }
const DONE_CODES: Readonly<Record<RowMessage['kind'], number>> = { insert: 0, update: 1, delete: 2 }
const DONE_SHIFT = 2
const REPORTED_SHIFT = 4

/** Flags of a row's change that is reported as `reported`. */
export function formatFlags({ kind, oldKind }: RowMessage, reported: RowAction): number {
  return (
    OLD_KIND_CODES[oldKind] | (DONE_CODES[kind] << DONE_SHIFT) | (ACTION_CODES[reported] << REPORTED_SHIFT)
  )
}

/** What flags say: how much of the old row there is, what PostgreSQL did, what it is reported as. */
export function parseFlags(flags: number): {
  readonly oldKind: OldKind
  readonly done: RowAction
  readonly reported: RowAction
} {
  return {
    oldKind: OLD_KINDS[flags & 3] as OldKind,
    done: ACTIONS[(flags >> DONE_SHIFT) & 3] as RowAction,
    reported: ACTIONS[flags >> REPORTED_SHIFT] as RowAction,
  }
}
