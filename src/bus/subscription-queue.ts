/**
 * Stage 6, bus. One subscription's bounded queue: filled synchronously by the publisher, emptied by one
 * consumer. It never makes the publisher wait; at its bound it keeps the latest change of each row only, or
 * ends with an error that says where to go on.
 */
import type { TransactionInfo } from '../changes/change.ts'
import { formatCursor } from '../changes/cursor.ts'
import { RowcastError } from '../errors.ts'
import type { BusSubscription, Delivery, OverflowPolicy } from './bus.ts'
import { conflate } from './conflate.ts'

/** A queue and the two hands on it. */
export interface SubscriptionQueue extends BusSubscription {
  /** Adds a delivery; ignored once the queue has ended. */
  push(delivery: Delivery): void
  /** Ends the queue; what is pending is still delivered before the end, or before the error. */
  end(error?: Error): void
  /** Deliveries that wait for the consumer. */
  readonly length: number
}

/** How to build a queue. */
export interface SubscriptionQueueOptions {
  /** Pending deliveries at most. */
  readonly queueLengthMax: number
  readonly overflow: OverflowPolicy
  /** Where the subscription begins, for a consumer that never took anything; null when that is not known. */
  readonly startCursor: string | null
  /** Called once, whoever ends the queue. */
  readonly onEnd: () => void
  /**
   * Asked when the consumer finds the queue empty: pushes older deliveries from the log, and says whether
   * there may be more, at once or when it can tell. Not asked again once it said no.
   */
  readonly refill?: (() => boolean | Promise<boolean>) | undefined
}

/** Waits of a consumer that is ahead of the publisher. */
interface Waiter {
  resolve(result: IteratorResult<Delivery>): void
  reject(error: Error): void
}

const DONE: IteratorResult<Delivery> = { done: true, value: undefined }

/** Creates a queue. */
export function createSubscriptionQueue(options: SubscriptionQueueOptions): SubscriptionQueue {
  const { queueLengthMax } = options
  /** Pending deliveries start at `head`; the array is cut when the dead part outweighs the living. */
  let pending: Delivery[] = []
  let head = 0
  const waiters: Waiter[] = []
  let isRefilling = options.refill !== undefined
  let isEnded = false
  let failure: Error | null = null
  /** Where the last change stands that the consumer took. Not the change: it would hold on to its bytes. */
  let lastTransaction: TransactionInfo | null = null
  let lastIndex = 0

  function end(error?: Error): void {
    if (isEnded) return
    isEnded = true
    failure = error ?? null
    options.onEnd()
    for (const waiter of waiters.splice(0)) settleEnded(waiter)
  }

  function clear(): void {
    pending = []
    head = 0
  }

  function settleEnded(waiter: Waiter): void {
    if (failure === null) {
      waiter.resolve(DONE)
      return
    }
    // An error is told once; whoever asks again finds the end, as with any async generator.
    const error = failure
    failure = null
    waiter.reject(error)
  }

  function noteTaken({ change }: Delivery): void {
    lastTransaction = change.transaction
    lastIndex = change.index
  }

  /** Asked for in an emergency only: a text for each delivery would cost more than the delivery. */
  function lastTakenCursor(): string | null {
    if (lastTransaction === null) return options.startCursor
    return formatCursor(lastTransaction.epoch, lastTransaction.commitLsn, lastIndex)
  }

  function take(): Delivery | undefined {
    const delivery = pending[head]
    if (delivery === undefined) return undefined
    head += 1
    if (head > 1024 && head * 2 > pending.length) {
      pending = pending.slice(head)
      head = 0
    }
    noteTaken(delivery)
    return delivery
  }

  /** Makes room, or ends the queue. */
  function overflow(): void {
    if (options.overflow === 'conflate') {
      pending = conflate(pending.slice(head))
      head = 0
      // Half of the bound, so that the work of conflating is paid by many changes.
      if (pending.length <= queueLengthMax / 2) return
    }
    // What is pending goes: it is what the consumer could not take, and the cursor says where to find it.
    clear()
    end(
      new RowcastError('SUBSCRIBER_TOO_SLOW', `This subscription left ${queueLengthMax} changes waiting.`, {
        details: { queueLengthMax, cursor: lastTakenCursor() },
      }),
    )
  }

  /** Reads the log in bounded steps, and lets others have their turn between them. */
  async function nextFromLog(): Promise<IteratorResult<Delivery>> {
    while (isRefilling && !isEnded && head === pending.length) {
      isRefilling = (await options.refill?.()) ?? false
      if (isRefilling && head === pending.length) await new Promise((resolve) => setImmediate(resolve))
    }
    return next()
  }

  function next(): Promise<IteratorResult<Delivery>> {
    const delivery = take()
    if (delivery !== undefined) return Promise.resolve({ done: false, value: delivery })
    if (isRefilling && !isEnded) return nextFromLog()
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve, reject }
      if (isEnded) settleEnded(waiter)
      else waiters.push(waiter)
    })
  }

  return {
    get length() {
      return pending.length - head
    },
    push(delivery) {
      if (isEnded) return
      const waiter = waiters.shift()
      if (waiter !== undefined) {
        noteTaken(delivery)
        waiter.resolve({ done: false, value: delivery })
        return
      }
      // Refilling paces itself: it waits for the consumer, so it cannot run away from it.
      if (!isRefilling && pending.length - head >= queueLengthMax) overflow()
      if (!isEnded) pending.push(delivery)
    },
    end,
    next,
    return() {
      clear()
      end()
      failure = null
      return Promise.resolve(DONE)
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
