/**
 * Stage 6, bus. One subscription's bounded queue: filled synchronously by the publisher, emptied by one
 * consumer. It never makes the publisher wait; at its bound it ends with an error instead.
 */
import { RowcastError } from '../errors.ts'
import type { BusSubscription, Delivery } from './bus.ts'

/** A queue and the two hands on it. */
export interface SubscriptionQueue extends BusSubscription {
  /** Adds a delivery; ignored once the queue has ended. Ends the queue with SUBSCRIBER_TOO_SLOW at the bound. */
  push(delivery: Delivery): void
  /** Ends the queue: what is pending is still delivered before a normal end, dropped before an error. */
  end(error?: Error): void
}

/** Waits of a consumer that is ahead of the publisher. */
interface Waiter {
  resolve(result: IteratorResult<Delivery>): void
  reject(error: Error): void
}

const DONE: IteratorResult<Delivery> = { done: true, value: undefined }

/**
 * Creates a queue of at most `queueLengthMax` pending deliveries.
 * `onEnd` is called once, whoever ends it.
 */
export function createSubscriptionQueue(queueLengthMax: number, onEnd: () => void): SubscriptionQueue {
  /** Pending deliveries start at `head`; the array is cut when the dead part outweighs the living. */
  let pending: Delivery[] = []
  let head = 0
  const waiters: Waiter[] = []
  let isEnded = false
  let failure: Error | null = null

  function end(error?: Error): void {
    if (isEnded) return
    isEnded = true
    if (error !== undefined) {
      failure = error
      pending = []
      head = 0
    }
    onEnd()
    for (const waiter of waiters.splice(0)) settleEnded(waiter)
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

  function shift(): Delivery | undefined {
    const delivery = pending[head]
    head += 1
    if (head > 1024 && head * 2 > pending.length) {
      pending = pending.slice(head)
      head = 0
    }
    return delivery
  }

  return {
    push(delivery) {
      if (isEnded) return
      const waiter = waiters.shift()
      if (waiter !== undefined) {
        waiter.resolve({ done: false, value: delivery })
        return
      }
      if (pending.length - head >= queueLengthMax) {
        end(
          new RowcastError(
            'SUBSCRIBER_TOO_SLOW',
            `This subscription left ${queueLengthMax} changes waiting.`,
            {
              details: { queueLengthMax },
            },
          ),
        )
        return
      }
      pending.push(delivery)
    },
    end,
    next() {
      const delivery = head < pending.length ? shift() : undefined
      if (delivery !== undefined) return Promise.resolve({ done: false, value: delivery })
      return new Promise((resolve, reject) => {
        const waiter: Waiter = { resolve, reject }
        if (isEnded) settleEnded(waiter)
        else waiters.push(waiter)
      })
    },
    return() {
      pending = []
      head = 0
      end()
      failure = null
      return Promise.resolve(DONE)
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
