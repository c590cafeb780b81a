/**
 * Stage 6, bus. The in-process bus: finds the subscriptions of each change's model and fills their queues.
 */
import type { AnyChange, ChangeAction, TransactionPart } from '../changes/change.ts'
import type { BusSubscription, ChangeBus, SubscriptionRequest } from './bus.ts'
import { createSubscriptionQueue, type SubscriptionQueue } from './subscription-queue.ts'

/** Bounds of a bus. */
export interface MemoryBusOptions {
  /**
   * Changes one subscription may leave waiting before it is ended with SUBSCRIBER_TOO_SLOW. One transaction
   * may bring thousands at once to a consumer that is not slow at all, hence not a small number.
   * @default 65_536
   */
  readonly queueLengthMax?: number | undefined
}

/** One subscription's side of the bus. */
interface Subscriber {
  readonly actions: ReadonlySet<ChangeAction> | null
  readonly queue: SubscriptionQueue
  /**
   * The latest match of an unfinished transaction. Whether it is the last one is known only when another
   * match or the commit arrives, so it waits here.
   */
  held: AnyChange | null
}

/** Creates the in-process bus. */
export function createMemoryBus(options: MemoryBusOptions = {}): ChangeBus {
  const queueLengthMax = options.queueLengthMax ?? 65_536
  const subscribersByModel = new Map<string, Set<Subscriber>>()
  /** Those that hold a change back; a commit costs its matches, not the number of subscriptions. */
  let holders: Subscriber[] = []

  function offer(subscriber: Subscriber, change: AnyChange): void {
    if (subscriber.actions !== null && !subscriber.actions.has(change.action)) return
    if (subscriber.held === null) holders.push(subscriber)
    else subscriber.queue.push({ change: subscriber.held, isLastOfTransaction: false })
    subscriber.held = change
  }

  function release(subscriber: Subscriber): void {
    if (subscriber.held === null) return
    subscriber.queue.push({ change: subscriber.held, isLastOfTransaction: true })
    subscriber.held = null
  }

  return {
    publish(part: TransactionPart) {
      for (const change of part.changes) {
        const subscribers = subscribersByModel.get(change.model)
        if (subscribers === undefined) continue
        for (const subscriber of subscribers) offer(subscriber, change)
      }
      if (!part.isFinal) return
      const releasing = holders
      holders = []
      for (const subscriber of releasing) release(subscriber)
    },

    subscribe(request: SubscriptionRequest): BusSubscription {
      const { model, actions, signal } = request
      const onAbort = () => queue.end()
      const queue = createSubscriptionQueue(queueLengthMax, () => {
        signal?.removeEventListener('abort', onAbort)
        const subscribers = subscribersByModel.get(model)
        subscribers?.delete(subscriber)
        if (subscribers?.size === 0) subscribersByModel.delete(model)
      })
      const subscriber: Subscriber = {
        actions: actions === undefined || actions.length === 0 ? null : new Set(actions),
        queue,
        held: null,
      }
      const subscribers = subscribersByModel.get(model) ?? new Set()
      subscribers.add(subscriber)
      subscribersByModel.set(model, subscribers)
      if (signal?.aborted) queue.end()
      else signal?.addEventListener('abort', onAbort)
      return queue
    },

    close(error, model) {
      for (const [name, subscribers] of [...subscribersByModel]) {
        if (model !== undefined && name !== model) continue
        for (const subscriber of [...subscribers]) subscriber.queue.end(error)
      }
    },
  }
}
