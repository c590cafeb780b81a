/** What a subscriber saw, what really happened, and what can be wrong between the two. */
import type { Gap } from './gaps.ts'
import type { ChaosModel, LedgerTransaction } from './ledger.ts'
import type { RowImage } from './rows.ts'
import type { DecodedTransaction } from './second-decoder.ts'

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
  readonly old: RowImage | null
  readonly new: RowImage | null
}

/** A subscriber was shown that changes may be missing, and queried the rows again. */
export interface Resync {
  readonly reason: string
  /** Where it stood. */
  readonly before: string
  /** Where it went on. */
  readonly after: string
}

/** Everything a subscriber saw. */
export interface SubscriberRecord {
  readonly name: string
  readonly model: ChaosModel
  readonly columns: readonly string[]
  /** The cursor that it began after. */
  readonly began: string
  readonly seen: readonly SeenChange[]
  readonly resyncs: readonly Resync[]
  /** What differs between the rows that it ended with and those of the table. */
  readonly foldFaults: readonly string[]
}

/** What really happened. */
export interface Truth {
  /** By the writers. */
  readonly transactions: readonly LedgerTransaction[]
  /** By the second decoder, in commit order. */
  readonly decoded: readonly DecodedTransaction[]
  readonly gaps: readonly Gap[]
  /** Tokens of what an old primary committed after a failover: whoever has got it reads all rows again. */
  readonly strays: ReadonlySet<string>
}

/** What can be wrong. */
export const FAULT_KINDS = [
  'lost',
  'duplicated',
  'disordered',
  'torn',
  'phantom',
  'contradicting',
  'wrong row',
  'wrong fold',
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

/** Takes one fault of the subscriber that is judged. */
export type Report = (kind: FaultKind, detail: string) => void
