/**
 * Stage 6, bus. One subscription's bounded queue: filled synchronously, emptied by one consumer. It never makes whoever
 * fills it wait: at its bound it keeps the latest change of each row only, or takes no more, and what it does not take is
 * read from the log once the consumer has made room.
 */
import { AsyncIteration, DONE } from '../async-iteration.ts'
import type { AnyChange, ChangePosition, TransactionInfo } from '../changes/change.ts'
import { formatCursor } from '../changes/cursor.ts'
import { RowcastError } from '../errors.ts'
import type { BusSubscription, Delivery, DeliveryPull, DeliveryReader } from './bus.ts'
import { conflate } from './conflate.ts'
import { LITTLE_BYTES, SLOT_BYTES } from './holdings.ts'
import { PendingDeliveries, type QueuedDelivery } from './pending-deliveries.ts'
import type { SubscriptionQueueOptions } from './queue-options.ts'

/** Waits of a consumer that is ahead of the publisher. */
interface Waiter {
  resolve(result: IteratorResult<Delivery>): void
  reject(error: Error): void
}

/** What is read from the log for one subscription before its consumer takes some of it, at most. */
const READ_AHEAD_BYTES = 256 * 1024
/** From here on more is read. */
const READ_AHEAD_LOW = 16

/** The queue, and what pulls from it: one object for each of many thousand subscriptions. */
export class SubscriptionQueue extends AsyncIteration<Delivery> implements BusSubscription, DeliveryPull {
  reader: DeliveryReader | null = null
  isEnded = false
  readonly #options: SubscriptionQueueOptions
  readonly #pending = new PendingDeliveries()
  #isBehind = false
  #bytes = 0
  #lastMoveMs = 0
  #waiters: Waiter[] | null = null
  /** The consumer found nothing and is to be notified when there is something. */
  #isNoticeDue = false
  #failure: Error | null = null
  /** Where the last change stands that the consumer took. Not the change: it would hold on to its bytes. */
  #lastTransaction: TransactionInfo | null = null
  #lastIndex = 0

  constructor(options: SubscriptionQueueOptions) {
    super()
    this.#options = options
  }

  get pull(): DeliveryPull {
    return this
  }

  /** Whether more deliveries wait elsewhere: somebody is to be notified when there is room. */
  get isBehind(): boolean {
    return this.#isBehind
  }

  set isBehind(isBehind: boolean) {
    if (isBehind === this.#isBehind) return
    this.#isBehind = isBehind
    this.#options.host.holdings.readers += isBehind ? 1 : -1
  }

  /** Deliveries that wait for the consumer. */
  get length(): number {
    return this.#pending.length
  }

  /** What they are reckoned to take, as if nobody else held them. */
  get byteLength(): number {
    return this.#bytes
  }

  /** Whether the consumer has taken all there was and waits for more. */
  get isAwaited(): boolean {
    return this.length === 0 && (this.#isNoticeDue || (this.#waiters !== null && this.#waiters.length > 0))
  }

  /** For how long something has waited and the consumer has taken nothing; 0 when nothing waits. */
  get stalledMs(): number {
    return this.length === 0 ? 0 : this.#options.host.nowMs - this.#lastMoveMs
  }

  /** Where the change stands that the consumer took last; null before the first. */
  get lastTaken(): ChangePosition | null {
    if (this.#lastTransaction === null) return null
    return { commitLsn: this.#lastTransaction.commitLsn, index: this.#lastIndex }
  }

  /** Where it stands once the consumer has taken what waits; null when that is not known. */
  get lastCursor(): string | null {
    const { last } = this.#pending
    return last === undefined ? this.#lastTakenCursor() : last.change.cursor
  }

  /** Whether one who reads the log for it may go on; one that conflates takes whatever comes. */
  get hasRoom(): boolean {
    const { overflow, host } = this.#options
    if (overflow === 'conflate') return this.#fits(0) || this.#conflate()
    return (
      this.length < Math.min(host.holdings.readAheadLength, host.queueLengthMax) &&
      (this.length === 0 || this.#bytes < Math.min(READ_AHEAD_BYTES, host.queueBytesMax)) &&
      this.#options.account?.isFull !== true
    )
  }

  /** Adds a delivery; false when it has no room for it. Ignored once the queue has ended. */
  push(delivery: QueuedDelivery): boolean {
    if (this.isEnded || this.#handOver(delivery)) return true
    if (!this.#fits(delivery.weight?.bytes ?? 0)) {
      if (this.#options.overflow !== 'conflate' || !this.#conflate()) return false
    }
    this.#enqueue(delivery)
    return true
  }

  /** Adds a delivery for which there was room when it was read. */
  pushRead(delivery: QueuedDelivery): void {
    if (!this.isEnded && !this.#handOver(delivery)) this.#enqueue(delivery)
  }

  /** Lets go of what waits, which can be read again from the first change on: returned; null when nothing waits. */
  spill(): AnyChange | null {
    const { first } = this.#pending
    this.#clear()
    return first?.change ?? null
  }

  /** Ends the queue; what is pending is still delivered before the end, or before the error. */
  end(error?: Error): void {
    if (this.isEnded) return
    this.isEnded = true
    this.isBehind = false
    this.#failure = error ?? null
    try {
      this.#options.onEnd(this.#failure)
    } finally {
      // Whoever waits hears of the end, whatever others do about it.
      for (const waiter of this.#waiters?.splice(0) ?? []) this.#settleEnded(waiter)
      this.notify()
    }
  }

  /**
   * Ends it because what it has not taken cannot be kept for it; the cursor says where to find it. One that has ended
   * already, with something left, ends with this instead.
   */
  endTooSlow(): void {
    const { host } = this.#options
    this.#options.onDropped?.(this.length, 'too_slow')
    this.#clear()
    const error = new RowcastError(
      'SUBSCRIBER_TOO_SLOW',
      'This subscription left more waiting than can be kept for it.',
      { details: { queueLengthMax: host.queueLengthMax, cursor: this.#lastTakenCursor() } },
    )
    if (this.isEnded) this.#failure = error
    else this.end(error)
  }

  take(): Delivery | undefined {
    const delivery = this.#takePending()
    this.#isNoticeDue ||= delivery === undefined
    if (delivery === undefined && this.isBehind) this.#options.onHungry?.()
    return delivery
  }

  bookmark(): string | null {
    return this.isEnded || this.length > 0 ? null : (this.#options.newestCursor?.() ?? null)
  }

  next(): Promise<IteratorResult<Delivery>> {
    const value = this.#takePending()
    if (value !== undefined) return Promise.resolve({ done: false, value })
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { resolve, reject }
      if (this.isEnded) return this.#settleEnded(waiter)
      this.#waiters = [...(this.#waiters ?? []), waiter]
      if (this.isBehind) this.#options.onHungry?.()
    })
  }

  return(): Promise<IteratorResult<Delivery>> {
    this.#clear()
    this.end()
    this.#failure = null
    return Promise.resolve(DONE)
  }

  /** Gives the delivery to a consumer that waits. */
  #handOver(delivery: QueuedDelivery): boolean {
    const waiter = this.#waiters?.[0]
    if (waiter === undefined) return false
    this.#noteTaken(delivery)
    // Not before: whoever waits hears of the end, too, where this failed.
    this.#waiters?.shift()
    waiter.resolve({ done: false, value: delivery })
    return true
  }

  /** An empty queue takes the next change, whatever others hold. One with little in it takes some, as long as there is room: several may come
   * in a turn, at whose end they are taken. */
  #fits(bytes: number): boolean {
    const { host, account } = this.#options
    if (account?.isFull === true || this.length === 0) return account?.isFull !== true
    const { isCrowded, isFull } = host.holdings
    const bytesMax = isCrowded ? LITTLE_BYTES : host.queueBytesMax
    return this.length < host.queueLengthMax && this.#bytes + bytes <= bytesMax && !isFull
  }

  #enqueue(delivery: QueuedDelivery): void {
    if (this.length === 0) this.#lastMoveMs = this.#options.host.nowMs
    this.#pending.push(delivery)
    this.#hold(delivery)
    this.notify()
  }

  #hold({ weight }: QueuedDelivery): void {
    if (weight === undefined) return
    this.#options.host.holdings.hold(weight)
    this.#count(weight.bytes + SLOT_BYTES)
  }

  #letGo({ weight }: QueuedDelivery): void {
    if (weight === undefined) return
    this.#options.host.holdings.letGo(weight)
    this.#count(-weight.bytes - SLOT_BYTES)
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    this.#options.account?.addBytes(bytes)
  }

  #takePending(): Delivery | undefined {
    const delivery = this.#pending.shift()
    if (delivery === undefined) return undefined
    this.#letGo(delivery)
    this.#lastMoveMs = this.#options.host.nowMs
    this.#noteTaken(delivery)
    if (this.isEnded && this.length === 0) this.#options.onLeft?.()
    if (this.isBehind && this.length === READ_AHEAD_LOW) this.#options.onHungry?.()
    return delivery
  }

  #noteTaken({ change }: Delivery): void {
    this.#lastTransaction = change.transaction
    this.#lastIndex = change.index
  }

  /** Has the reader look again: something is there, the end, or it is known how far nothing is. */
  notify(): void {
    if (!this.#isNoticeDue) return
    this.#isNoticeDue = false
    try {
      this.reader?.onReadable()
    } catch (error) {
      this.#isNoticeDue = true
      throw error
    }
  }

  #clear(): void {
    for (const delivery of this.#pending.clear()) this.#letGo(delivery)
    if (this.isEnded) this.#options.onLeft?.()
  }

  #settleEnded(waiter: Waiter): void {
    // An error is reported once; whoever asks again finds the end, as with any async generator.
    const error = this.#failure
    this.#failure = null
    if (error === null) waiter.resolve(DONE)
    else waiter.reject(error)
  }

  /** Asked for in an emergency only: a text for each delivery would cost more than the delivery. */
  #lastTakenCursor(): string | null {
    if (this.#lastTransaction === null) return this.#options.startCursor?.() ?? null
    const { origin, commitLsn } = this.#lastTransaction
    return formatCursor(origin, commitLsn, this.#lastIndex)
  }

  /** Keeps the latest change of each row; whether that made room. */
  #conflate(): boolean {
    const { host, onDropped } = this.#options
    const before = this.#pending.toArray()
    const after = conflate(before)
    for (const delivery of before) this.#letGo(delivery)
    for (const delivery of after) this.#hold(delivery)
    this.#pending.replace(after)
    if (after.length < before.length) onDropped?.(before.length - after.length, 'conflated')
    // Half of the bound, so that the work of conflating is paid by many changes.
    const { queueLengthMax, queueBytesMax } = host
    return after.length <= queueLengthMax / 2 && this.#bytes <= queueBytesMax / 2 && this.#fits(0)
  }
}
