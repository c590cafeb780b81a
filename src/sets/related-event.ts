/** Sets, between stages 6 and 7. What comes of a subscription whose conditions ask other rows. Types only. */
import type { Judgement } from '../bus/filter/judge-change.ts'
import type { AnyChange, AnyRow, TransactionInfo } from '../changes/change.ts'
import type { MovedRow } from './live-rows.ts'

/** A write, as the subscription gets it. */
export interface WrittenEvent {
  readonly kind: 'written'
  readonly change: AnyChange
  readonly judgement: Judgement
}

/** A row that came into sight or went out of it, though nobody wrote it. */
export interface MovedEvent extends MovedRow {
  readonly kind: 'moved'
  readonly key: AnyRow
  readonly cursor: string
  /** What moved it. */
  readonly transaction: TransactionInfo
}

/** What comes. */
export type RelatedEvent = WrittenEvent | MovedEvent
