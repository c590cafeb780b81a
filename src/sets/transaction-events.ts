/** Sets, between stages 6 and 7. What one transaction gives a subscription whose conditions ask other rows: what it wrote, then what it moved. */
import { cannotGoOn } from '../bus/resync-required.ts'
import type { PageHolder } from './held-pages.ts'
import type { HeardOf } from './included-relation.ts'
import type { JudgedWrite, LiveRows } from './live-rows.ts'
import type { LogTransaction } from './log-transactions.ts'
import { movedEventsOf } from './moved-events.ts'
import type { RelatedChanges } from './related-changes.ts'
import type { TransactionEvent } from './related-event.ts'
import type { RelatedReading, RelatedRequest } from './related-request.ts'

/** For whom, and of what. */
export interface TransactionAsked {
  readonly request: Pick<RelatedRequest, 'model' | 'actions' | 'asksForRows'>
  readonly transaction: LogTransaction
  /** Index of the last of its changes that was given before; -1 for none. */
  readonly given: number
  readonly live: LiveRows
  /** What it changed of included relations; null where none is. */
  readonly relatedChanges: () => Promise<RelatedChanges | null>
  readonly holder: PageHolder & { readonly isEnded: boolean }
}

/** @throws RESYNC_REQUIRED, and what readRows and the room for rows throw */
export async function* eventsOf(
  reading: RelatedReading,
  { request, transaction, given, live, relatedChanges, holder }: TransactionAsked,
): AsyncGenerator<TransactionEvent, void, void> {
  const { model, actions = [], asksForRows } = request
  const { ordinal } = transaction
  const decided = live.decide(transaction)
  const changes = await relatedChanges()
  if (holder.isEnded) return
  for (const write of decided.writes) {
    const { change, judgement } = write
    if (judgement.verdict === 'unknown')
      throw cannotGoOn('a change came without values that it is judged by', model.name)
    const heard = changes === null ? undefined : heardOfWrite(changes, write)
    const isAskedFor = actions.length === 0 || actions.includes(change.action)
    if (isAskedFor && change.index > given) yield { kind: 'written', change, judgement, heard }
  }
  const wanted = changes === null ? decided.request : live.requestWith(decided, changes)
  if (wanted === null || !asksForRows) return
  const rows = await reading.readRows(wanted, ordinal)
  if (holder.isEnded) return
  const moved = live.moved(decided, ordinal, rows)
  const all = changes === null ? moved : live.heard(changes, { moved, rows, ordinal })
  yield* movedEventsOf(reading, { model, moved: all, transaction, holder })
}

/** Of images that are hidden nothing is shown, what belongs to them included. */
function heardOfWrite(changes: RelatedChanges, { change, judgement }: JudgedWrite): HeardOf {
  const { hidesOld, hidesNew } = judgement
  return changes.ofWrite(hidesOld ? null : change.old, hidesNew ? null : change.new)
}
