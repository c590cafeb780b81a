/**
 * Compares what a subscriber saw with the ledger, with a second decoder of the same WAL, and with the gaps that the run
 * made. Pure: the suite's own judge, and tested as such.
 */
import { formatLsn, type Lsn } from '../../src/wire/lsn.ts'
import type { Gap } from './gaps.ts'
import { isOf, isWithin, judgeBarriers, judgeCuts, judgeResyncs, lsnOf } from './judge-resyncs.ts'
import { type ChaosModel, formatToken, type LedgerTransaction } from './ledger.ts'
import type { Fault, Report, SeenChange, SubscriberRecord, Truth } from './record.ts'
import { differingColumns, markOf } from './rows.ts'
import type { DecodedChange, DecodedTransaction } from './second-decoder.ts'

/** Where a change stands in the ledger. */
interface Place {
  readonly transaction: LedgerTransaction
  /** Among the changes of its model in the transaction. */
  readonly index: number
  readonly isLast: boolean
}

/** Where a change stands in the WAL. */
interface WalPlace {
  readonly change: DecodedChange
  /** Among all changes of the model. */
  readonly order: number
  readonly xid: string
  /** The commit record ends here, and begins behind the end of the one before. */
  readonly endLsn: Lsn
  readonly endBeforeLsn: Lsn
}

/** Judges every record against what happened, and the records against each other. */
export function judge(truth: Truth, records: readonly SubscriberRecord[]): Fault[] {
  const faults = records.flatMap((record) => judgeRecord(truth, record))
  return [...faults, ...judgeCuts(truth), ...judgeAgreement(records)]
}

/** The writers' memory and the WAL, against each other: the judge's own ground. */
export function checkTruth({ transactions, decoded }: Truth, models: readonly ChaosModel[]): string[] {
  return models.flatMap((model) => {
    const known = new Set(placesOf(transactions, model).keys())
    const logged = new Set(walPlacesOf(decoded, model).keys())
    const only = [...known].filter((token) => !logged.has(token)).length
    const more = [...logged].filter((token) => !known.has(token)).length
    if (only === 0 && more === 0) return []
    return [`Of ${model} the writers know ${only} changes that the WAL has not, the WAL ${more} others.`]
  })
}

function placesOf(transactions: readonly LedgerTransaction[], model: ChaosModel): Map<string, Place> {
  const places = new Map<string, Place>()
  for (const transaction of transactions) {
    const changes = transaction.changes.filter((change) => change.model === model)
    changes.forEach(({ before, after }, index) => {
      places.set(formatToken(before, after), { transaction, index, isLast: index === changes.length - 1 })
    })
  }
  return places
}

function walPlacesOf(decoded: readonly DecodedTransaction[], model: ChaosModel): Map<string, WalPlace> {
  const places = new Map<string, WalPlace>()
  let endBeforeLsn = 0n as Lsn
  for (const { xid, endLsn, isDdl, changes } of decoded) {
    for (const change of isDdl ? [] : changes) {
      if (change.model !== model) continue
      const before = change.old === null ? null : markOf(model, change.old)
      const after = change.new === null ? null : markOf(model, change.new)
      const place = { change, order: places.size, xid, endLsn, endBeforeLsn }
      places.set(formatToken(before, after), place)
    }
    endBeforeLsn = endLsn
  }
  return places
}

function judgeRecord(truth: Truth, record: SubscriberRecord): Fault[] {
  const faults: Fault[] = []
  const report: Report = (kind, detail) => faults.push({ kind, subscriber: record.name, detail })
  const places = placesOf(truth.transactions, record.model)
  const wal = walPlacesOf(truth.decoded, record.model)
  const gaps = truth.gaps.filter(({ models }) => models.includes(record.model))
  const [strays, own] = partition(record.seen, ({ before, after }) =>
    truth.strays.has(formatToken(before, after)),
  )
  const isInGap = (seen: SeenChange) => isWithin(gaps, lsnOf(seen.cursor))
  const missing = judgeOrder(places, { ...record, seen: own }, isInGap, report)
  judgeStrays(strays, own, record, report)
  judgeRows(wal, record, report)
  judgeMissing(missing, wal, gaps, record, report)
  judgeBarriers(truth.decoded, record, report)
  for (const detail of record.foldFaults) report('wrong fold', detail)
  judgeResyncs(gaps, record, report)
  return faults
}

/** By the writers' memory. Returns the tokens that never came. */
function judgeOrder(
  places: ReadonlyMap<string, Place>,
  record: SubscriberRecord,
  isInGap: (seen: SeenChange) => boolean,
  report: Report,
): ReadonlySet<string> {
  const missing = new Set(places.keys())
  const newestOfLane = new Map<number, number>()
  const resyncedTo = record.resyncs.map(({ after }) => after)
  let previous: { readonly seen: SeenChange; readonly place: Place } | null = null
  for (const seen of record.seen) {
    const token = formatToken(seen.before, seen.after)
    const place = places.get(token)
    if (place === undefined) {
      // A row that leaves a row filter comes as a DELETE, until everybody is notified of the filter.
      if (!isInGap(seen)) report('phantom', `${seen.action} ${token} was never committed`)
      continue
    }
    if (!missing.delete(token)) {
      report('duplicated', `${seen.action} ${token} came again`)
      continue
    }
    const { transaction, index, isLast } = place
    if (previous !== null && seen.cursor <= previous.seen.cursor)
      report('disordered', `the cursor of ${token} does not stand after the one before`)
    const isNext = previous !== null && previous.place.transaction === transaction
    // Who queried again in between has the rest by that.
    const from = previous?.seen.cursor ?? ''
    const isCutOff = resyncedTo.some((cursor) => cursor >= from && cursor <= seen.cursor)
    if (!isNext && !isCutOff && previous !== null && !previous.place.isLast && !isInGap(previous.seen))
      report('torn', `${token} came within transaction ${previous.place.transaction.id}`)
    const expectedIndex: number = isNext && previous !== null ? previous.place.index + 1 : 0
    if (index < expectedIndex) report('disordered', `${token} came after later changes of its transaction`)
    if (transaction.id < (newestOfLane.get(transaction.lane) ?? 0))
      report('disordered', `${token} of transaction ${transaction.id} came after a later one of its writer`)
    if (isNext && previous?.seen.xid !== seen.xid)
      report('torn', `${token} has another xid than the rest of transaction ${transaction.id}`)
    if (seen.isLast !== isLast && !isInGap(seen))
      report('torn', `${token} ${seen.isLast ? 'says that it is' : 'does not say that it is'} the last`)
    newestOfLane.set(transaction.lane, transaction.id)
    previous = { seen, place }
  }
  return missing
}

function partition<T>(all: readonly T[], isFirst: (each: T) => boolean): readonly [T[], T[]] {
  return [all.filter(isFirst), all.filter((each) => !isFirst(each))]
}

/** Who has got what a failover gave up queries again before anything else comes. */
function judgeStrays(
  strays: readonly SeenChange[],
  own: readonly SeenChange[],
  { resyncs }: SubscriberRecord,
  report: Report,
): void {
  for (const { cursor, before, after } of strays) {
    const next = own.find((each) => each.cursor > cursor)?.cursor
    const isQueried = resyncs.some(
      (resync) => resync.before >= cursor && (next === undefined || resync.after <= next),
    )
    if (!isQueried) report('phantom', `${formatToken(before, after)} was given up by a failover, and is kept`)
  }
}

/** By the second decoder: one commit order, the same action, both rows to the last column. */
function judgeRows(wal: ReadonlyMap<string, WalPlace>, record: SubscriberRecord, report: Report): void {
  let newest = -1
  for (const seen of record.seen) {
    const token = formatToken(seen.before, seen.after)
    const place = wal.get(token)
    if (place === undefined) continue
    const { change, order, xid } = place
    if (order <= newest) report('disordered', `${token} came after what was committed later`)
    newest = Math.max(newest, order)
    if (seen.action !== change.action)
      report('contradicting', `${token} came as ${seen.action}, not ${change.action}`)
    if (seen.xid !== xid) report('contradicting', `${token} came as of transaction ${seen.xid}, not ${xid}`)
    for (const side of ['old', 'new'] as const) {
      const differing = differingColumns(record.columns, seen[side], change[side])
      if (differing.length > 0)
        report('wrong row', `${token} has another ${side} ${differing.join(', ')} than the WAL`)
    }
  }
}

/**
 * What never came must lie between where a subscriber stood and where it queried the rows again, or in a gap that it was
 * notified of later: PostgreSQL goes on to send what follows before anybody can know.
 */
function judgeMissing(
  missing: ReadonlySet<string>,
  wal: ReadonlyMap<string, WalPlace>,
  gaps: readonly Gap[],
  { resyncs }: SubscriberRecord,
  report: Report,
): void {
  for (const token of missing) {
    const place = wal.get(token)
    // The writers' memory and the WAL are compared elsewhere.
    if (place === undefined) continue
    const { endLsn, endBeforeLsn } = place
    const around = gaps.filter((gap) => isWithin([gap], endLsn))
    const isQueried = resyncs.some(
      (resync) =>
        endBeforeLsn <= lsnOf(resync.after) &&
        (lsnOf(resync.before) < endLsn || around.some((gap) => isOf(gap, resync))),
    )
    if (!isQueried) report('lost', `${token} never came, committed by ${formatLsn(endLsn)}`)
  }
}

/** A change has the same cursor for everybody: with growing cursors, that is one order for everybody. */
function judgeAgreement(records: readonly SubscriberRecord[]): Fault[] {
  const faults: Fault[] = []
  const known = new Map<string, { readonly cursor: string; readonly by: string }>()
  for (const { name, model, seen } of records) {
    for (const { before, after, cursor } of seen) {
      const key = `${model} ${formatToken(before, after)}`
      const first = known.get(key)
      if (first === undefined) known.set(key, { cursor, by: name })
      else if (first.cursor !== cursor)
        faults.push({
          kind: 'contradicting',
          subscriber: name,
          detail: `${key} has another cursor than ${first.by} got`,
        })
    }
  }
  return faults
}
