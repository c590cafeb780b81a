/** Stage 6, bus. What a subscription's queue is made of. */
import type { OverflowPolicy } from './bus.ts'
import type { DropReason } from './bus-observer.ts'
import type { Account, Holdings } from './holdings.ts'

/** What is shared by all queues of a bus. */
export interface QueueHost {
  /** Pending deliveries at most. */
  readonly queueLengthMax: number
  /** What they may take at most; one larger delivery is taken by an empty queue all the same. */
  readonly queueBytesMax: number
  readonly holdings: Holdings
  /** Of a clock that never jumps, as it was when something was last published or read. */
  readonly nowMs: number
}

/** How to build a queue. */
export interface SubscriptionQueueOptions {
  readonly host: QueueHost
  readonly overflow: OverflowPolicy
  /** Of the client. */
  readonly account: Account | null
  /** Where the subscription begins, for a consumer that never took anything; null when that is not known. */
  readonly startCursor?: (() => string | null) | undefined
  /** Where the newest change stands that the subscription has been asked about; null while it is behind. */
  readonly newestCursor?: (() => string | null) | undefined
  /** Called once, whoever ends the queue; with the error, if it is one. */
  readonly onEnd: (error: Error | null) => void
  /** Notified of deliveries that waited and go. */
  readonly onDropped?: ((count: number, why: DropReason) => void) | undefined
  /** Notified when the consumer has made room in a queue that `isBehind`, and when it waits; possibly more than once. */
  readonly onHungry?: (() => void) | undefined
  /** Notified when a queue that has ended has nothing left. */
  readonly onLeft?: (() => void) | undefined
}
