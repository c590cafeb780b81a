/** Sets, between stages 6 and 7. Rows that a transaction has moved without writing them, one by one: they are counted until they have been taken. */
import { cannotGoOn } from '../bus/resync-required.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { primaryKeyOf } from '../catalog/row-key.ts'
import { formatCursor, INDEX_AFTER_ALL } from '../changes/cursor.ts'
import type { PageHolder } from './held-pages.ts'
import type { MovedRow } from './live-rows.ts'
import type { LogTransaction } from './log-transactions.ts'
import type { MovedEvent } from './related-event.ts'
import type { RelatedReading } from './related-request.ts'

/** All writes of a transaction have come, and not all that they moved. */
const INDEX_AFTER_WRITES = INDEX_AFTER_ALL - 1

/** What has moved, and for whom. */
export interface MovedRows {
  readonly model: ModelSpec
  readonly moved: readonly MovedRow[]
  readonly transaction: LogTransaction
  readonly holder: PageHolder
}

/** @throws RESYNC_REQUIRED where there is no room for them, SUBSCRIBER_TOO_SLOW where the client has left too much waiting */
export function* movedEventsOf(
  { held, bytesOf }: Pick<RelatedReading, 'held' | 'bytesOf'>,
  { model, moved, transaction, holder }: MovedRows,
): Generator<MovedEvent, void, void> {
  // Nothing takes no room, and lets nobody else go.
  if (moved.length === 0) return
  const late = holder.account?.isFull === true ? holder.whenLate?.() : null
  if (late != null) throw late
  const { info, endIndex } = transaction
  const rows = moved.map(({ row }) => row)
  const bytes = bytesOf(rows)
  if (!held.fits(bytes))
    throw cannotGoOn('there is no room for the rows that other rows have moved', model.name)
  held.hold(holder, { rows, bytes })
  for (const [place, each] of moved.entries()) {
    const index = place === moved.length - 1 ? INDEX_AFTER_ALL : INDEX_AFTER_WRITES
    const cursor = formatCursor(info.origin, info.commitLsn, index)
    yield {
      ...{ kind: 'moved', ...each, key: primaryKeyOf(model, each.row), cursor },
      ...{ index: endIndex + place, transaction: info },
    }
    held.move(holder)
  }
  held.letGo(holder)
}
