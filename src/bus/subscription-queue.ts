/**
 * Stage 6, bus. One subscription's bounded queue: filled synchronously by the publisher, emptied by one
 * consumer. It never makes the publisher wait; at its bound it keeps the latest change of each row only, or
 * ends with an error that says where to go on.
 */
import type { ChangePosition, TransactionInfo } from '../changes/change.ts'
import { formatCursor } from '../changes/cursor.ts'
import { RowcastError } from '../errors.ts'
import type { BusSubscription, Delivery, DeliveryPull, DeliveryReader, OverflowPolicy } from './bus.ts'
import type { DropReason } from './bus-observer.ts'
import { conflate } from './conflate.ts'

/** A queue and the two hands on it. */
export interface SubscriptionQueue extends BusSubscription {
  /** The queue itself: one object for each of many thousand subscriptions. */
  readonly pull: DeliveryPull
  /** Adds a delivery; ignored once the queue has ended. */
  push(delivery: Delivery): void
  /** Ends the queue; what is pending is still delivered before the end, or before the error. */
  end(error?: Error): void
  /** Deliveries that wait for the consumer. */
  readonly length: number
  /** Where it stands once the consumer has taken what waits; null when that is not known. */
  readonly lastCursor: string | null
  /** Where the change stands that the consumer took last; null before the first. */
  readonly lastTaken: ChangePosition | null
}

/** How to build a queue. */
export interface SubscriptionQueueOptions {
  /** Pending deliveries at most. */
  readonly queueLengthMax: number
  readonly overflow: OverflowPolicy
  /** Where the subscription begins, for a consumer that never took anything; null when that is not known. */
  readonly startCursor: string | null
  /** Called once, whoever ends the queue; with the error, if it is one. */
  readonly onEnd: (error: Error | null) => void
  /** Told of deliveries that waited and go. */
  readonly onDropped?: ((count: number, why: DropReason) => void) | undefined
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
const NOTHING: readonly Delivery[] = []
/** Stands where a delivery was; nobody looks there again. */
const TAKEN = null as unknown as Delivery

/** Creates a queue. */
export function createSubscriptionQueue(options: SubscriptionQueueOptions): SubscriptionQueue {
  return new BoundedQueue(options)
}

class BoundedQueue implements SubscriptionQueue, DeliveryPull {
  reader: DeliveryReader | null = null
  isEnded = false
  readonly #options: SubscriptionQueueOptions
  /** Pending deliveries start at `head`; the array is cut when the dead part outweighs the living. */
  #pending: Delivery[] = NOTHING as Delivery[]
  #head = 0
  #waiters: Waiter[] | null = null
  /** The consumer found nothing and is to be told when there is something. */
  #isNoticeDue = false
  #isReadingLog = false
  #isRefilling: boolean
  #failure: Error | null = null
  /** Where the last change stands that the consumer took. Not the change: it would hold on to its bytes. */
  #lastTransaction: TransactionInfo | null = null
  #lastIndex = 0

  constructor(options: SubscriptionQueueOptions) {
    this.#options = options
    this.#isRefilling = options.refill !== undefined
  }

  get pull(): DeliveryPull {
    return this
  }

  get length(): number {
    return this.#pending.length - this.#head
  }

  get lastTaken(): ChangePosition | null {
    if (this.#lastTransaction === null) return null
    return { commitLsn: this.#lastTransaction.commitLsn, index: this.#lastIndex }
  }

  get lastCursor(): string | null {
    const last = this.#pending[this.#pending.length - 1]
    return last === undefined ? this.#lastTakenCursor() : last.change.cursor
  }

  push(delivery: Delivery): void {
    if (this.isEnded) return
    const waiter = this.#waiters?.shift()
    if (waiter !== undefined) {
      this.#noteTaken(delivery)
      waiter.resolve({ done: false, value: delivery })
      return
    }
    // Refilling paces itself: it waits for the consumer, so it cannot run away from it.
    if (!this.#isRefilling && this.length >= this.#options.queueLengthMax) this.#overflow()
    if (this.isEnded) return
    if (this.#pending.length === 0) this.#pending = [delivery]
    else this.#pending.push(delivery)
    this.#notify()
  }

  end(error?: Error): void {
    if (this.isEnded) return
    this.isEnded = true
    this.#failure = error ?? null
    this.#options.onEnd(this.#failure)
    for (const waiter of this.#waiters?.splice(0) ?? []) this.#settleEnded(waiter)
    this.#notify()
  }

  take(): Delivery | undefined {
    const delivery = this.#takePending()
    if (delivery !== undefined) return delivery
    this.#isNoticeDue = true
    if (this.#isRefilling && !this.isEnded && !this.#isReadingLog) {
      this.#readLog().catch((error: Error) => this.end(error))
    }
    return undefined
  }

  next(): Promise<IteratorResult<Delivery>> {
    const delivery = this.#takePending()
    if (delivery !== undefined) return Promise.resolve({ done: false, value: delivery })
    if (this.#isRefilling && !this.isEnded) return this.#nextFromLog()
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve, reject }
      if (this.isEnded) this.#settleEnded(waiter)
      else if (this.#waiters === null) this.#waiters = [waiter]
      else this.#waiters.push(waiter)
    })
  }

  return(): Promise<IteratorResult<Delivery>> {
    this.#clear()
    this.end()
    this.#failure = null
    return Promise.resolve(DONE)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #takePending(): Delivery | undefined {
    const delivery = this.#pending[this.#head]
    if (delivery === undefined) return undefined
    // Each garbage collection would copy what was decoded of it along.
    this.#pending[this.#head] = TAKEN
    this.#head += 1
    // What was taken must not be held by an idle queue.
    if (this.#head === this.#pending.length) this.#clear()
    else if (this.#head > 1024 && this.#head * 2 > this.#pending.length) {
      this.#pending = this.#pending.slice(this.#head)
      this.#head = 0
    }
    this.#noteTaken(delivery)
    return delivery
  }

  #noteTaken({ change }: Delivery): void {
    this.#lastTransaction = change.transaction
    this.#lastIndex = change.index
  }

  #notify(): void {
    if (!this.#isNoticeDue) return
    this.#isNoticeDue = false
    this.reader?.onReadable()
  }

  #clear(): void {
    this.#pending = NOTHING as Delivery[]
    this.#head = 0
  }

  #settleEnded(waiter: Waiter): void {
    if (this.#failure === null) {
      waiter.resolve(DONE)
      return
    }
    // An error is told once; whoever asks again finds the end, as with any async generator.
    const error = this.#failure
    this.#failure = null
    waiter.reject(error)
  }

  /** Asked for in an emergency only: a text for each delivery would cost more than the delivery. */
  #lastTakenCursor(): string | null {
    if (this.#lastTransaction === null) return this.#options.startCursor
    const { epoch, commitLsn } = this.#lastTransaction
    return formatCursor(epoch, commitLsn, this.#lastIndex)
  }

  /** Makes room, or ends the queue. */
  #overflow(): void {
    const { queueLengthMax, onDropped } = this.#options
    if (this.#options.overflow === 'conflate') {
      const before = this.length
      this.#pending = conflate(this.#pending.slice(this.#head))
      this.#head = 0
      onDropped?.(before - this.length, 'conflated')
      // Half of the bound, so that the work of conflating is paid by many changes.
      if (this.#pending.length <= queueLengthMax / 2) return
    }
    // What is pending goes: it is what the consumer could not take, and the cursor says where to find it.
    onDropped?.(this.length, 'too_slow')
    this.#clear()
    this.end(
      new RowcastError('SUBSCRIBER_TOO_SLOW', `This subscription left ${queueLengthMax} changes waiting.`, {
        details: { queueLengthMax, cursor: this.#lastTakenCursor() },
      }),
    )
  }

  /** Reads the log in bounded steps, and lets others have their turn between them. */
  async #readLog(): Promise<void> {
    this.#isReadingLog = true
    try {
      while (this.#isRefilling && !this.isEnded && this.length === 0) {
        this.#isRefilling = (await this.#options.refill?.()) ?? false
        if (this.#isRefilling && this.length === 0) await new Promise((resolve) => setImmediate(resolve))
      }
    } finally {
      this.#isReadingLog = false
    }
  }

  async #nextFromLog(): Promise<IteratorResult<Delivery>> {
    await this.#readLog()
    return this.next()
  }
}
