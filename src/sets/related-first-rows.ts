/** Sets, between stages 6 and 7. The rows that a subscription begins with whose conditions ask other rows: as they were behind one transaction. */
import type { ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyRow } from '../changes/change.ts'
import { partialCursorOf } from '../changes/cursor.ts'
import { RowcastError } from '../errors.ts'
import { toLsn } from '../wire/lsn.ts'
import type { PageHolder } from './held-pages.ts'
import type { LiveRows } from './live-rows.ts'
import { passedOrdinalOf } from './log-transactions.ts'
import type { RelatedEvent } from './related-event.ts'
import type { RelatedHost, RelatedReading } from './related-request.ts'

/** What is read, and for whom. */
export interface RelatedFirstRows {
  readonly live: LiveRows
  readonly ordinal: number
  /** Behind that transaction. */
  readonly cursor: string
  readonly keyOf: (row: AnyRow) => AnyRow
  /** Its rows are counted until they have been taken. */
  readonly holder: PageHolder & { readonly isEnded: boolean }
}

/** The transaction behind which rows are read: whatever had committed when it was asked for is in them. Null where there is no stream. */
export async function firstMoment(
  host: RelatedHost,
  model: ModelSpec,
  begun: number,
): Promise<{ readonly ordinal: number; readonly cursor: string } | null> {
  // Whoever has written before has the row among the first.
  await host.whenCurrent(model)
  const { history, graph } = host
  if (history === null) return null
  // What was not published meanwhile is in the rows, and the stream has gone past it without a transaction.
  const ordinal = Math.max(begun, graph?.ordinal ?? 0, passedOrdinalOf(history.log))
  await host.whenCome(ordinal)
  return { ordinal, cursor: history.cursorBehind(toLsn(BigInt(ordinal))) }
}

/** The rows, one by one, then READY. @throws RESYNC_REQUIRED, FILTER_TOO_BROAD, FIRST_ROWS_FAILED */
export async function* firstRowsOf(
  { readRows, held, bytesOf }: RelatedReading,
  { live, ordinal, cursor, keyOf, holder }: RelatedFirstRows,
): AsyncGenerator<RelatedEvent, void, void> {
  const rows = live.among(await readRows(live.candidates(ordinal), ordinal), ordinal)
  // What has ended holds nothing any more.
  if (holder.isEnded) return
  const bytes = bytesOf(rows)
  if (!held.fits(bytes))
    throw new RowcastError('FIRST_ROWS_FAILED', 'There is no room for so many first rows at present.')
  held.hold(holder, { rows, bytes })
  for (const row of rows) {
    yield { kind: 'first', row, key: keyOf(row), cursor: partialCursorOf(cursor) }
    held.move(holder)
  }
  held.letGo(holder)
  yield { kind: 'ready', cursor }
}
