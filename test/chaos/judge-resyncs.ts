/** Who was asked to query again, and who should have been: by the gaps that the run made and by the barriers in the WAL. Pure. */
import { parseCursor } from '../../src/changes/cursor.ts'
import { formatLsn, type Lsn } from '../../src/wire/lsn.ts'
import type { Gap } from './gaps.ts'
import type { Fault, Report, Resync, SubscriberRecord, Truth } from './record.ts'
import type { DecodedTransaction } from './second-decoder.ts'

/** Resyncs of one subscriber that one gap explains: who asks again while it lasts is notified again. */
const RESYNCS_PER_GAP = 6

/** Where a cursor stands. */
export function lsnOf(cursor: string): Lsn {
  return parseCursor(cursor).position.commitLsn
}

/** Each resync has a gap that explains it, and each certain gap a resync. */
export function judgeResyncs(gaps: readonly Gap[], { resyncs }: SubscriberRecord, report: Report): void {
  const counts = new Map<Gap, number>()
  for (const resync of resyncs) {
    const gap = gaps.find((each) => isOf(each, resync) && (counts.get(each) ?? 0) < RESYNCS_PER_GAP)
    if (gap === undefined)
      report('unexpected resync', `${resync.reason}, from ${resync.before} to ${resync.after}`)
    else counts.set(gap, (counts.get(gap) ?? 0) + 1)
  }
  for (const gap of gaps) {
    if (gap.isCertain && !resyncs.some((resync) => isOf(gap, resync))) report('missing resync', gap.name)
  }
}

/**
 * Nobody passes a barrier that cuts its model: between what came from before it and what comes from behind it the rows are
 * queried again. By positions alone, whether a change was lost or not.
 */
export function judgeBarriers(
  decoded: readonly DecodedTransaction[],
  { model, began, seen, resyncs }: SubscriberRecord,
  report: Report,
): void {
  const stops = [began, ...seen.map(({ cursor }) => cursor)].map(lsnOf)
  let endBeforeLsn = 0n as Lsn
  for (const { cuts, endLsn } of decoded) {
    if (cuts.includes(model)) {
      const isPassed = stops.some((lsn) => lsn < endLsn) && stops.some((lsn) => lsn >= endLsn)
      const from = endBeforeLsn
      const isQueried = resyncs.some(({ before, after }) => lsnOf(before) < endLsn && lsnOf(after) >= from)
      if (isPassed && !isQueried)
        report('missing resync', `it passed the barrier that ends at ${formatLsn(endLsn)}`)
    }
    endBeforeLsn = endLsn
  }
}

/** Every barrier that cuts a model has a gap of it that explains it. */
export function judgeCuts({ decoded, gaps }: Truth): Fault[] {
  return decoded.flatMap(({ cuts, endLsn }) =>
    cuts.flatMap((model): Fault[] => {
      if (
        isWithin(
          gaps.filter(({ models }) => models.includes(model)),
          endLsn,
        )
      )
        return []
      const detail = `a barrier that ends at ${formatLsn(endLsn)} cuts ${model}`
      return [{ kind: 'unexpected resync', subscriber: 'all', detail }]
    }),
  )
}

/** Whether a position lies in one of the gaps. */
export function isWithin(gaps: readonly Gap[], lsn: Lsn): boolean {
  return gaps.some(({ fromLsn, toLsn }) => fromLsn <= lsn && (toLsn === null || lsn <= toLsn))
}

/** Whether a gap explains a resync. */
export function isOf({ fromLsn, toLsn }: Gap, { before, after }: Resync): boolean {
  return fromLsn <= lsnOf(after) && (toLsn === null || lsnOf(before) <= toLsn)
}
