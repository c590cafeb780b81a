/** Sets, between stages 6 and 7. The end of a subscription that is read too slowly. */
import { RowcastError } from '../errors.ts'
import { hasAllAfter, type ReadableLog } from './log-transactions.ts'

/** With the cursor to go on after. */
export function leftWaiting(cursor: string | null): RowcastError {
  const happened = 'This subscription left more waiting than can be kept for it.'
  return new RowcastError('SUBSCRIBER_TOO_SLOW', happened, { details: { cursor } })
}

/** One that has not been given everything there is. */
interface Behind {
  /** Ordinal of the last transaction that it has all of; null: it has everything. */
  readonly behindFrom: number | null
  readonly models: ReadonlySet<string>
  readonly lastCursor: string | null
  end(error: Error): void
}

/** Who left so much waiting that the log has moved on ends. @returns from which ordinal on the others, or else the newest, need the past */
export function endWhoLeftWaiting(log: ReadableLog, behind: Iterable<Behind>, newest: number): number {
  let oldest = newest
  for (const subscription of behind) {
    const { behindFrom, models, lastCursor } = subscription
    if (behindFrom === null) continue
    if ([...models].every((model) => hasAllAfter(log, model, behindFrom)))
      oldest = Math.min(oldest, behindFrom)
    else subscription.end(leftWaiting(lastCursor))
  }
  return oldest
}
