/**
 * Stage 5, source. The slot's name where none is configured. Slots belong to the whole server, and other than publications not to a
 * database: two projects on one server need two names. Pure but for the look at the former one.
 */
import { createHash } from 'node:crypto'
import { RowcastError } from '../../errors.ts'

/** What the default was, whatever the database, before it was made of its name. */
export const FORMER_SLOT = 'rowcast'

const NAME_LENGTH_MAX = 63
const HASH_LENGTH = 8

/**
 * `rowcast_<database>`: `rowcast_shop`, and `rowcast` for the database `rowcast`. Characters that a slot's name may not have become `_`; such a name, and one that is too long,
 * ends in a hash of the database's, so that `my-shop` and `my_shop` differ. At most 63 characters of [a-z0-9_].
 */
export function defaultSlot(database: string): string {
  if (database === FORMER_SLOT) return FORMER_SLOT
  const plain = `rowcast_${database}`
  if (/^[a-z0-9_]+$/.test(plain) && plain.length <= NAME_LENGTH_MAX) return plain
  const hash = createHash('sha256').update(database).digest('hex').slice(0, HASH_LENGTH)
  const readable = plain.toLowerCase().replace(/[^a-z0-9_]/g, '_')
  return `${readable.slice(0, NAME_LENGTH_MAX - HASH_LENGTH - 1)}_${hash}`
}

/** Finds the slot that an earlier version made for this database under the former default. */
export const FORMER_SLOT_SQL = `EXISTS (
  SELECT FROM pg_replication_slots WHERE slot_name = '${FORMER_SLOT}' AND database = current_database())`

/**
 * A second slot beside the former one would begin later and let that one hold WAL for nobody: which of the two is meant is for a person to
 * say. Null where somebody named the slot, also as the default would, or where there is no former slot.
 */
export function formerSlotProblem(
  { slot, isSlotDefault = false }: { readonly slot: string; readonly isSlotDefault?: boolean | undefined },
  { database, hasFormerSlot }: { readonly database: string; readonly hasFormerSlot: boolean },
): RowcastError | null {
  if (!hasFormerSlot || !isSlotDefault) return null
  return new RowcastError(
    'SOURCE_SLOT_RENAMED',
    `The slot of database ${database} is "${slot}" by default, and there is "${FORMER_SLOT}" of an earlier version.`,
  )
}
