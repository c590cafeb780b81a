/**
 * Stage 6, bus. The typed PubSub: transactions in, each subscription's own bounded queue out. In process: with a broker, each process
 * that serves changes has one, which its gateway feeds.
 */
import type { AnyChange, ChangeAction, ChangePosition, TransactionPart } from '../changes/change.ts'
import type { RowcastError } from '../errors.ts'
import type { IsVisible } from '../source/db/visibility.ts'
import type { LastChangesKeeper } from '../source/published/last-changes.ts'
import type { AwaitedReaders } from '../source/session/reader-wait.ts'
import type { PublicationCut } from '../source/watch/publication-listener.ts'
import type { StreamStart } from '../source/watch/session-start.ts'
import type { Lsn } from '../wire/lsn.ts'
import type { LabelProgress } from './explanation.ts'
import type { ChangeFilter } from './filter/change-filter.ts'
import type { Transition } from './filter/judge-change.ts'
import type { History } from './history.ts'
import type { Account } from './holdings.ts'

/** A change as one subscription gets it. */
export interface Delivery {
  readonly change: AnyChange
  /** Whether the row enters, stays among or leaves the rows asked for; null without a filter on rows. */
  readonly transition: Transition | null
  /** The image is not for this subscription's eyes: deliver null instead. */
  readonly hidesOld: boolean
  readonly hidesNew: boolean
  /** True when no later change of the same transaction follows in this subscription. */
  readonly isLastOfTransaction: boolean
}

/**
 * What happens when a subscription's queue is full: what follows waits in the log, and the subscription ends where the
 * log has moved on before it; or the queue keeps the latest change of each row only.
 */
export type OverflowPolicy = 'end' | 'conflate'

/** What one subscription asks for. */
export interface SubscriptionRequest {
  /** Prisma model name. */
  readonly model: string
  /** Which actions; all when absent or empty. */
  readonly actions?: readonly ChangeAction[] | undefined
  /** Which changes beyond that; all when absent. */
  readonly filter?: ChangeFilter | null | undefined
  /**
   * Where to go on: after the change with this cursor, or from the oldest change that is retained.
   * Without it the subscription begins with what commits from now on.
   */
  readonly after?: string | undefined
  /** What distinguishes it from subscriptions that ask for something else; for explanations. @default nothing does */
  readonly label?: string | undefined
  /** @default the bus's own */
  readonly overflow?: OverflowPolicy | undefined
  /** Of the client that asks, and of whom it belongs to: bounds of what they may have together. @default none */
  readonly account?: Account | undefined
  /** Whether it only watches, as the live page does: it is nobody's subscription, and is not counted. @default false */
  readonly isObserver?: boolean | undefined
  /** Ends the subscription. */
  readonly signal?: AbortSignal | undefined
}

/**
 * `after` for everything that is retained: what a worker asks for that has no cursor yet. It is given while a process that has just
 * started still reads what its slot has, and ends with RESYNC_REQUIRED where a gap in it is found meanwhile.
 */
export const AFTER_EARLIEST = 'earliest'

/**
 * The side of a subscription for consumers that take what is there in one go, without a promise for each
 * delivery. Whoever uses it asks `next()` for the end only.
 */
export interface DeliveryPull<Item = Delivery> {
  /** The next delivery, if there is one. */
  take(): Item | undefined
  /** Nothing comes any more: once `take()` gives nothing, `next()` reports how it ended. */
  readonly isEnded: boolean
  /** Notified when something came, or the end, after `take()` gave nothing. */
  reader: DeliveryReader | null
  /** A cursor that everything for this subscription stands before and has been taken; null while that is not so. */
  bookmark?(): string | null
}

/** Who takes deliveries. An object and not a function: there are many thousands of them. */
export interface DeliveryReader {
  /** Something is there, or the end; or `bookmark()` says more, as all that was missed has been read. Must not throw. */
  onReadable(): void
}

/** A live subscription: iterate it; `return()` (or leaving the loop) ends it. */
export interface BusSubscription extends AsyncIterableIterator<Delivery> {
  /** Absent where another thing stands between the consumer and the queue. */
  readonly pull?: DeliveryPull | undefined
  return(): Promise<IteratorResult<Delivery>>
}

/** What the source needs of a bus. */
export interface BusInput {
  /** Where models changed last. */
  readonly lastChanges: LastChangesKeeper
  /** A stream begins; always before its first part. */
  open(start: StreamStart): void
  /** Takes the next part, in commit order. Never throws for a subscriber's sake and never waits for one. */
  publish(part: TransactionPart): void
  /** Everything that committed before `lsn` has been published, though nothing of it may have been for us. */
  passed(lsn: Lsn): void
  /** Changes may be missing: every subscription ends with the error, and no cursor from before is good any more. */
  gap(error: RowcastError): void
  /**
   * Changes of these models wait, and of no others: their subscriptions end with the error and the cursor to go on after, and
   * so does whoever subscribes to one meanwhile.
   */
  hold(models: ReadonlyMap<string, RowcastError>): void
  /**
   * Nothing comes as long as another process has the changes: every subscription but those of observers ends with SERVER_STANDING_BY,
   * and so does whoever subscribes until this is over.
   */
  standAside(isAside: boolean): void
  /**
   * Changes of one model are missing up to now, or up to a position in between two transactions: its cursors from
   * before are no good any more. With `cut` the subscriptions that may have missed some end with its error.
   */
  cut(model: string, cut?: PublicationCut): void
}

/** Where a bus finds what its own log does not have: the stream of a broker. */
export interface OlderLog {
  /**
   * Whether the database has come as far: another process that is ahead of this one may have handed the cursor out.
   * Waits a moment before it says no.
   */
  hasReached(position: ChangePosition): Promise<boolean>
  /**
   * Reads one model's changes after the position; null from the oldest that is there, or from where all that is retained begins as far as
   * this process knows: that position may be older than what is kept.
   */
  read(model: string, after: ChangePosition | null, beginning?: ChangePosition | null): OlderReader
}

/** One reader of it. */
export interface OlderReader {
  /** The next parts, oldest first; none: there are no more by now, or none has been found yet. @throws RESYNC_REQUIRED when some are gone */
  next(): Promise<readonly TransactionPart[]>
  /** Where the last part ends. */
  readonly position: ChangePosition
}

/** What waits in the queues of one model's subscriptions. */
export interface Backlog {
  readonly waiting: number
  /** In the longest of them. */
  readonly longest: number
}

/** What subscribers need of a bus. */
export interface ChangeBus extends BusInput {
  /**
   * Begins a subscription. It sees every part published after this call returned.
   * @throws BAD_CURSOR, TOO_MANY_REPLAYS at once; RESYNC_REQUIRED and SUBSCRIBER_TOO_SLOW come from the iterator.
   */
  subscribe(request: SubscriptionRequest): BusSubscription
  /**
   * The cursor that stands before every change the snapshot cannot see; null before the first stream, and where it may not
   * see what committed before that began.
   * `isVisible` decides whether a transaction is visible in a snapshot taken after this bus was asked.
   */
  cursorBefore(isVisible: IsVisible): string | null
  /** Open subscriptions by model, without observers. */
  readonly subscriptionCounts: ReadonlyMap<string, number>
  /** What waits in all queues takes so many bytes, by estimate. */
  readonly heldBytes: number
  /** Changes that wait in the queues of open subscriptions. */
  backlogs(): ReadonlyMap<string, Backlog>
  /**
   * The change at a cursor; null where none is, between two transactions for example.
   * @throws BAD_CURSOR; RESYNC_REQUIRED where this process cannot know
   */
  changeAt(cursor: string): AnyChange | null
  /** How far the open subscriptions with this label are with the change at the cursor. */
  progress(label: string, cursor: string): LabelProgress
  /**
   * Ends every subscription, present and future, with an error of its own, made of the cursor to go on after. What
   * waits in their queues is delivered before.
   */
  stop(errorOf: (cursor: string | null) => Error): void
  /** Ends the subscriptions of one model, or all: normally, or with the error given. */
  close(error?: Error, model?: string): void
}

/** A bus whose history can be read beside its subscriptions. */
export interface InProcessBus extends ChangeBus {
  /** Null before the first stream, and in a gap. */
  readonly history: History | null
  /** Those who read it. */
  readonly awaited: AwaitedReaders
}
