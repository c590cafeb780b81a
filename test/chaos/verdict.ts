/** Compares what a subscriber saw with the ledger. Pure: the suite's own judge, and tested as such. */
import { type ChaosModel, formatToken, type LedgerTransaction } from './ledger.ts'

/** One change as a subscriber saw it. */
export interface SeenChange {
  readonly action: string
  readonly before: number | null
  readonly after: number | null
  readonly cursor: string
  /** PostgreSQL's id of the transaction. */
  readonly xid: string
  /** The last change of its transaction in this subscription. */
  readonly isLast: boolean
}

/** Everything a subscriber saw. */
export interface SubscriberRecord {
  readonly name: string
  readonly model: ChaosModel
  readonly seen: readonly SeenChange[]
  /** How often it was told RESYNC_REQUIRED. */
  readonly resyncs: number
  readonly expectedResyncs: number
}

/** What can be wrong. */
export const FAULT_KINDS = [
  'lost',
  'duplicated',
  'disordered',
  'torn',
  'phantom',
  'contradicting',
  'unexpected resync',
  'missing resync',
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

/** One fault of one subscriber. */
export interface Fault {
  readonly kind: FaultKind
  readonly subscriber: string
  readonly detail: string
}

/** Where a change stands in the ledger. */
interface Place {
  readonly transaction: LedgerTransaction
  /** Among the changes of its model in the transaction. */
  readonly index: number
  readonly isLast: boolean
}

/** Judges every record against the ledger, and the records against each other. */
export function judge(
  transactions: readonly LedgerTransaction[],
  records: readonly SubscriberRecord[],
): Fault[] {
  const faults = records.flatMap((record) => judgeRecord(transactions, record))
  return [...faults, ...judgeAgreement(records)]
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

function judgeRecord(transactions: readonly LedgerTransaction[], record: SubscriberRecord): Fault[] {
  const places = placesOf(transactions, record.model)
  const faults: Fault[] = []
  const report = (kind: FaultKind, detail: string) => faults.push({ kind, subscriber: record.name, detail })
  const missing = new Set(places.keys())
  const newestOfLane = new Map<number, number>()
  let previous: { readonly seen: SeenChange; readonly place: Place } | null = null
  for (const seen of record.seen) {
    const token = formatToken(seen.before, seen.after)
    const place = places.get(token)
    if (place === undefined) {
      report('phantom', `${seen.action} ${token} was never committed`)
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
    if (!isNext && previous !== null && !previous.place.isLast)
      report('torn', `${token} came within transaction ${previous.place.transaction.id}`)
    const expectedIndex: number = isNext && previous !== null ? previous.place.index + 1 : 0
    if (index < expectedIndex) report('disordered', `${token} came after later changes of its transaction`)
    if (transaction.id < (newestOfLane.get(transaction.lane) ?? 0))
      report('disordered', `${token} of transaction ${transaction.id} came after a later one of its writer`)
    if (isNext && previous?.seen.xid !== seen.xid)
      report('torn', `${token} has another xid than the rest of transaction ${transaction.id}`)
    if (seen.isLast !== isLast)
      report('torn', `${token} ${seen.isLast ? 'says that it is' : 'does not say that it is'} the last`)
    if (seen.action !== actionOf(seen)) report('contradicting', `${token} came as ${seen.action}`)
    newestOfLane.set(transaction.lane, transaction.id)
    previous = { seen, place }
  }
  for (const token of missing) {
    const transaction = places.get(token)?.transaction
    const isExcused = transaction?.isInGap === true && record.resyncs > 0
    if (!isExcused) report('lost', `${token} of transaction ${transaction?.id} never came`)
  }
  judgeResyncs(record, report)
  return faults
}

function actionOf({ before, after }: SeenChange): string {
  if (before === null) return 'INSERT'
  return after === null ? 'DELETE' : 'UPDATE'
}

function judgeResyncs(
  { resyncs, expectedResyncs }: SubscriberRecord,
  report: (kind: FaultKind, detail: string) => void,
): void {
  const counts = `${resyncs} resyncs, ${expectedResyncs} expected`
  for (let i = expectedResyncs; i < resyncs; i += 1) report('unexpected resync', counts)
  for (let i = resyncs; i < expectedResyncs; i += 1) report('missing resync', counts)
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
