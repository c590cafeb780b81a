/** Beside the spine, sets. What a subscription gets while its first rows come, and what a change of the stream is until then. Pure. */

import type { Delivery } from '../bus/bus.ts'
import type { Transition } from '../bus/filter/judge-change.ts'
import { cannotGoOn } from '../bus/resync-required.ts'
import type { AnyRow, TransactionInfo } from '../changes/change.ts'
import type { ReadRanges } from './read-ranges.ts'

/** A row that no write brought: it is among the rows that are asked for, or is none of them any more. */
export interface RowRead {
  readonly kind: 'read'
  readonly transition: Transition
  readonly key: AnyRow
  /** Null where it left. */
  readonly row: AnyRow | null
  /** The transaction that wrote it, where it is of the stream: whoever reads what belongs to the row waits for that. */
  readonly writtenBy: TransactionInfo | null
}

/**
 * What a change means to somebody who has been given the rows of the ranges. Of a row that was read without it, it is delivered; of
 * one that was read with it, it is not. An UPDATE of the key from one range to another may be a leaving alone, or an entering.
 * @throws RESYNC_REQUIRED where that cannot be said
 */
export function readsOf(
  { change, transition, hidesOld, hidesNew }: Delivery,
  ranges: ReadRanges,
): readonly RowRead[] {
  const { action, transaction, key } = change
  if (action === 'TRUNCATE') {
    if (ranges.seenBy(transaction) === 'all') return []
    throw cannotGoOn('the table was truncated while its first rows were read')
  }
  if (change.isOldMissing === true || change.oldKey === undefined || change.unavailable.length > 0)
    throw cannotGoOn('the row before a change was not logged while the first rows were read')
  // What the viewer may not see was not read for it.
  const before = action === 'INSERT' || transition === 'ENTERED' || hidesOld ? null : (change.oldKey ?? key)
  const after = action === 'DELETE' || transition === 'LEFT' || hidesNew ? null : key
  const isNews = (at: AnyRow | null) => at !== null && !ranges.fenceOf(at).sees(transaction)
  const [isGone, isThere] = [isNews(before), isNews(after)]
  const row = change.fresh().new
  const read = { kind: 'read', writtenBy: transaction } as const
  if (isGone && isThere && change.oldKey === null)
    return [{ ...read, transition: 'STAYED', key: after as AnyRow, row }]
  return [
    ...(isGone ? [{ ...read, transition: 'LEFT', key: before as AnyRow, row: null } as const] : []),
    ...(isThere ? [{ ...read, transition: 'ENTERED', key: after as AnyRow, row } as const] : []),
  ]
}
