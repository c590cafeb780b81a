/** Sets, between stages 6 and 7. What comes of a subscription whose conditions ask other rows. */
import type { Judgement } from '../bus/filter/judge-change.ts'
import type { AnyChange, AnyRow, TransactionInfo } from '../changes/change.ts'
import type { RowsReady } from './first-rows.ts'
import type { HeardOf } from './included-relation.ts'
import type { MovedRow } from './live-rows.ts'

/** A write, as the subscription gets it. */
export interface WrittenEvent {
  readonly kind: 'written'
  readonly change: AnyChange
  /** Where relations are included: what the row hears of. */
  readonly heard?: HeardOf | undefined
  readonly judgement: Judgement
  /** Where it stands, one object for all who are given it at once. @default each makes its own */
  readonly last?: WrittenPosition | undefined
}

/** Where a write stands. Nobody who remembers it holds the change itself, which has the bytes of its rows. */
export type WrittenPosition = Pick<AnyChange, 'transaction' | 'index'>

/** A row that came into sight or went out of it, or heard of related rows, though nobody wrote it. */
export interface MovedEvent extends MovedRow {
  readonly kind: 'moved'
  readonly key: AnyRow
  readonly cursor: string
  /** What moved it. */
  readonly transaction: TransactionInfo
  /** Its position in the transaction, behind all that was written there. */
  readonly index: number
}

/** A row that was there when the subscription began. */
export interface FirstRowEvent {
  readonly kind: 'first'
  readonly key: AnyRow
  readonly row: AnyRow
  /** Nothing can go on after it. */
  readonly cursor: string
}

/** What a transaction gives. */
export type TransactionEvent = WrittenEvent | MovedEvent

/** What comes. */
export type RelatedEvent = (TransactionEvent & { readonly isLast: boolean }) | FirstRowEvent | RowsReady

/** The cursor to go on after it. */
export function cursorOf(event: RelatedEvent): string {
  return event.kind === 'written' ? event.change.cursor : event.cursor
}

/** The same, of which each says whether it is the last of them: it is known once the next one is. */
export async function* withLast(
  events: AsyncIterable<TransactionEvent>,
): AsyncGenerator<TransactionEvent & { readonly isLast: boolean }, void, void> {
  let before: TransactionEvent | null = null
  for await (const event of events) {
    if (before !== null) yield { ...before, isLast: false }
    before = event
  }
  if (before !== null) yield { ...before, isLast: true }
}
