/**
 * Stage 6, bus. The typed PubSub: transactions in, each subscription's own bounded queue out.
 * In process; a retained log, a filter index, shared delivery and a broker are further implementations of
 * the same two interfaces.
 */
import type { AnyChange, ChangeAction, TransactionPart } from '../changes/change.ts'

/** A change as one subscription gets it. */
export interface Delivery {
  readonly change: AnyChange
  /** True when no later change of the same transaction follows in this subscription. */
  readonly isLastOfTransaction: boolean
}

/** What one subscription asks for. */
export interface SubscriptionRequest {
  /** Prisma model name. */
  readonly model: string
  /** Which actions; all when absent or empty. */
  readonly actions?: readonly ChangeAction[] | undefined
  /** Ends the subscription. */
  readonly signal?: AbortSignal | undefined
}

/** A live subscription: iterate it; `return()` (or leaving the loop) ends it. */
export interface BusSubscription extends AsyncIterableIterator<Delivery> {
  return(): Promise<IteratorResult<Delivery>>
}

/** What the source needs of a bus. */
export interface ChangeSink {
  /** Takes the next part, in commit order. Never throws for a subscriber's sake and never waits for one. */
  publish(part: TransactionPart): void
}

/** What subscribers need of a bus. */
export interface ChangeBus extends ChangeSink {
  /** Live from this call on: every part published after it returned is seen. */
  subscribe(request: SubscriptionRequest): BusSubscription
  /** Ends the subscriptions of one model, or all: normally, or with the error given. */
  close(error?: Error, model?: string): void
}
