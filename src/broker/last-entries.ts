/**
 * Beside the bus, broker. The last entry of each model, kept beside the stream and written with it: a cursor that is older
 * than what the stream has kept goes on all the same where nothing of its model came after it. As many fields as models.
 */

import type { EmittedMessage } from '../changes/emitted-message.ts'
import { parseBarrier } from '../source/published/barrier-message.ts'
import { toLsn } from '../wire/lsn.ts'
import { compareEntryIds, type EntryId, formatEntryId, parseEntryId } from './entry-id.ts'
import type { RedisConnection } from './redis-connection.ts'
import type { EpochKeys } from './stream-keys.ts'

/** Says that what an epoch has of all models is here, from its first entry on. */
const COMPLETE_FIELD = ''

/** Begins them, with the epoch. */
export function beginLastEntries({ lasts }: EpochKeys): readonly string[] {
  return ['HSET', lasts, COMPLETE_FIELD, '1']
}

/** Notes them, with the entries or before them. */
export function noteLastEntries(
  { lasts }: EpochKeys,
  entries: ReadonlyMap<string, EntryId>,
): readonly string[] {
  return ['HSET', lasts, ...[...entries].flatMap(([model, id]) => [model, formatEntryId(id)])]
}

/**
 * Where the gaps end that a barrier of the slot's reports: no cursor from before is good any more, also once the barrier's
 * entry is gone. Empty where the message is none, or cuts nothing. Of the models given alone: whoever may write to the database
 * may write a barrier with any number of names, and a model that comes to them later begins with a gap of its own.
 */
export function endsOfGaps(
  message: EmittedMessage,
  slot: string,
  models: ReadonlySet<string>,
): ReadonlyMap<string, EntryId> {
  const cut = parseBarrier(message, slot)?.cut ?? []
  const { transaction } = message
  if (transaction === null) return new Map()
  const end = { lsn: toLsn(transaction.commitLsn + 1n), sequence: 0 }
  return new Map(cut.filter((model) => models.has(model)).map((model) => [model, end]))
}

/** Whether an epoch that the position is in has had nothing of the model after it, of what has been read of it before. */
export async function hasNothingAfter(
  connection: RedisConnection,
  { lasts }: EpochKeys,
  { model, position }: { readonly model: string; readonly position: EntryId },
): Promise<boolean> {
  const reply = await connection.send(['HMGET', lasts, COMPLETE_FIELD, model])
  const [isComplete = null, last = null] = Array.isArray(reply) ? reply : []
  if (isComplete === null) return false
  return last === null || compareEntryIds(parseEntryId(String(last)), position) <= 0
}
