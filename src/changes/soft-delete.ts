/**
 * Stage 4, changes. Models whose rows are marked as deleted instead of deleted: what a write to such a row means
 * to those who do not see marked rows.
 */
import type { RowReader } from '../catalog/row-reader.ts'
import type { RowMessage } from '../catalog/writing-tables.ts'
import { RowcastError } from '../errors.ts'
import type { ChangeAction } from './change.ts'

/** Model name → the field that marks a row as deleted when it is neither NULL nor false. */
export type SoftDeleteFields = ReadonlyMap<string, string>

/** What a write is reported as: nothing at all for one to a row that nobody sees; `unknown` without the old row. */
export type Visibility = Exclude<ChangeAction, 'TRUNCATE'> | 'hidden' | 'unknown'

/**
 * | row before → after   | visible      | marked   | gone     |
 * |----------------------|--------------|----------|----------|
 * | none                 | INSERT       | hidden   |          |
 * | visible              | UPDATE       | DELETE   | DELETE   |
 * | marked               | INSERT       | hidden   | hidden   |
 */
export function judgeVisibility(reader: RowReader, field: string, message: RowMessage): Visibility {
  const isMarked = message.new === null ? null : reader.isSet(field, message.new)
  if (message.kind === 'insert') return isMarked === null ? 'unknown' : isMarked ? 'hidden' : 'INSERT'
  const wasMarked =
    message.oldKind === 'full' && message.old !== null ? reader.isSet(field, message.old) : null
  if (wasMarked === null) return 'unknown'
  if (message.kind === 'delete') return wasMarked ? 'hidden' : 'DELETE'
  if (isMarked === null) return 'unknown'
  if (wasMarked) return isMarked ? 'hidden' : 'INSERT'
  return isMarked ? 'DELETE' : 'UPDATE'
}

/** Why the changes of a model with `softDelete` cannot be delivered. */
export function createUnknownMarkError(model: string, field: string): RowcastError {
  return new RowcastError(
    'CATALOG_SOFT_DELETE_UNKNOWN',
    `A change of ${model} came without the row before, so whether ${field} was set is not known.`,
    { details: { model, field } },
  )
}
