/** Stage 5, source. What the publication ledger is given of a model and of a stream, and what it keeps of a model whose changes are suspect. */
import type { Lsn } from '../../wire/lsn.ts'
import type { PublishedModel } from './published-tables.ts'

/** A model at one look at the catalog. */
export interface ModelLook {
  /** Null: its table is gone, or not all of it is published. */
  readonly published: PublishedModel | null
  /** Whether it has been so since before everything that the slot can still send. */
  readonly isOlderThanSlot: boolean
}

/** A model whose changes are suspect. */
export interface Suspect {
  readonly published: PublishedModel
  /** Transactions that are waited for; null: they have not been looked for yet. */
  readonly writers: ReadonlySet<string> | null
  /** Of a standby: who is waited for has an id below it; null: it has not been looked for yet. */
  readonly xidsBelow: bigint | null
  /** Since when nobody was waited for; null: it is not so yet. */
  readonly cleanFrom: Lsn | null
  /** Whether its barrier is on its way. */
  readonly isSent: boolean
  /** Whether subscriptions are refused meanwhile. */
  readonly isHeld: boolean
  /** Where the stream must have restarted before its barrier is written; null: it need not. */
  readonly staleUntil: Lsn | null
}

/** A stream, as far as PostgreSQL's own memory of it goes. */
export interface StreamBegin {
  /** It sends what commits from here on. */
  readonly floorLsn: Lsn
  /** Whether it goes on to send the rows of a partition under the name that it had at its first change: before version 15. */
  readonly keepsRoots: boolean
}
