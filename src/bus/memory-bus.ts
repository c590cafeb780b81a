/**
 * Stage 6, bus. The in-process bus: keeps the latest transactions in its log, finds the subscriptions of each
 * change's model and fills their queues, live or from the log.
 */
import type { ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyChange, ChangePosition, TransactionPart } from '../changes/change.ts'
import { type Cursor, comparePositions, INDEX_AFTER_ALL, parseCursor } from '../changes/cursor.ts'
import { RowcastError } from '../errors.ts'
import { toLsn } from '../wire/lsn.ts'
import {
  AFTER_EARLIEST,
  type BusSubscription,
  type ChangeBus,
  type OlderLog,
  type OverflowPolicy,
  type SubscriptionRequest,
} from './bus.ts'
import type { BusObservers } from './bus-observer.ts'
import { History } from './history.ts'
import { LiveSubscribers } from './live-subscribers.ts'
import { createOlderReplay, endOfPart, type Replay } from './older-replay.ts'
import { RetainedLog, type RetainedLogOptions } from './retained-log.ts'
import { Offer, Subscriber } from './subscriber.ts'
import { backlogsOf, progressOf } from './subscription-progress.ts'
import { createSubscriptionQueue } from './subscription-queue.ts'

/** Bounds of a bus. */
export interface MemoryBusOptions {
  /**
   * Changes one subscription may leave waiting before the overflow policy applies. One transaction may bring
   * thousands at once to a consumer that is not slow at all, hence not a small number.
   * @default 65_536
   */
  readonly queueLengthMax?: number | undefined
  /** @default 'end' */
  readonly overflow?: OverflowPolicy | undefined
  /** What is kept for cursors. @default 24 MiB and 10 minutes by the machine's monotonic clock */
  readonly log?: Partial<RetainedLogOptions> | undefined
  /** Where older changes are, and those that are on their way here. @default nowhere */
  readonly older?: OlderLog | undefined
  /** Models by name, for filters. @default none: subscriptions cannot have filters */
  readonly models?: Readonly<Record<string, ModelSpec>> | undefined
  /** Who watches it. @default nobody */
  readonly observers?: BusObservers | undefined
}

/** Log parts that one step of a catching-up subscription reads at most. */
const REPLAY_PARTS_MAX = 64
/** Deliveries that a catching-up subscription lets pile up before it pauses. */
const REPLAY_LENGTH_MAX = 256

/** Creates the in-process bus. */
export function createMemoryBus(options: MemoryBusOptions = {}): ChangeBus {
  const queueLengthMax = options.queueLengthMax ?? 65_536
  const logOptions: RetainedLogOptions = {
    bytesMax: options.log?.bytesMax ?? 24 * 1024 * 1024,
    ageMaxMs: options.log?.ageMaxMs ?? 600_000,
    monotonicMs: options.log?.monotonicMs ?? (() => performance.now()),
  }
  const { older, observers } = options
  const everybody = new Set<Subscriber>()
  const subscriptionCounts = new Map<string, number>()
  const live = new LiveSubscribers(options.models ?? {})
  /** Those that hold a change back; a commit costs its matches, not the number of subscriptions. */
  let holders: Subscriber[] = []
  let history: History | null = null
  /** Set once nothing comes any more. */
  let farewell: ((cursor: string | null) => Error) | null = null
  /** Models some of whose changes are missing, and the newest position that lies before the gap's end. */
  const cuts = new Map<string, ChangePosition>()

  /** Offers a live change, and remembers who holds it back. */
  function offerTo(subscriber: Subscriber, offer: Offer): void {
    const wasHolding = subscriber.isHolding
    subscriber.offer(offer)
    if (!wasHolding && subscriber.isHolding) holders.push(subscriber)
  }

  function releaseHolders(): void {
    const releasing = holders
    holders = []
    for (const subscriber of releasing) subscriber.release()
  }

  function goLive(subscriber: Subscriber): void {
    subscriber.isLive = true
    if (subscriber.isHolding) holders.push(subscriber)
    live.add(subscriber)
  }

  /**
   * Feeds one subscriber from the log until it has enough or is up to date; then it is live. Where the log has moved on
   * before it, `onLost` goes on behind the last part it read.
   */
  function createReplay(
    subscriber: Subscriber,
    known: History,
    position: ChangePosition,
    onLost?: (read: ChangePosition) => boolean,
  ): Replay {
    let sequence = known.log.find(position)
    let read = position
    return () => {
      for (
        let parts = 0;
        parts < REPLAY_PARTS_MAX && subscriber.queue.length < REPLAY_LENGTH_MAX;
        parts += 1
      ) {
        if (sequence === known.log.end) {
          goLive(subscriber)
          return false
        }
        const part = known.log.read(sequence)?.part
        if (part === undefined) {
          if (onLost !== undefined) return onLost(read)
          subscriber.queue.end(known.resync('it was read too slowly and has left the log'))
          return false
        }
        const { changes } = part
        for (let place = 0; place < changes.length; place += 1) {
          if ((changes.modelAt?.(place) ?? subscriber.model) !== subscriber.model) continue
          const change = changes.at(place)
          if (change?.model === subscriber.model) subscriber.offer(new Offer(change, false))
        }
        if (part.isFinal) subscriber.release()
        read = endOfPart(part)
        sequence += 1
      }
      return true
    }
  }

  /** Where a subscription with a cursor begins, at once or when the history is known. */
  function beginAfter(subscriber: Subscriber, cursor: Cursor | null): () => boolean | Promise<boolean> {
    let replay: Replay | null = null
    const begin = (known: History) => {
      const fault =
        cursor === null
          ? null
          : (known.faultOf(cursor, subscriber.model, older !== undefined) ??
            faultOfCut(subscriber.model, cursor, known))
      if (fault !== null) subscriber.queue.end(fault)
      subscriber.skipTo = cursor?.position ?? known.log.floor
      subscriber.began = subscriber.skipTo
      replay =
        older === undefined
          ? createReplay(subscriber, known, subscriber.skipTo)
          : createOlderReplay({
              ...{ older, subscriber, known, after: cursor?.position ?? null },
              isPresent: () => history === known,
              replayLog: (position, onLost) => createReplay(subscriber, known, position, onLost),
            })
    }
    if (history !== null) begin(history)
    const opened = new Promise<boolean>((resolve) => {
      if (history === null) {
        subscriber.onOpen = (known) => {
          if (known !== null) begin(known)
          resolve(known !== null)
        }
      }
    })
    return () => (replay === null ? opened : replay())
  }

  function faultOfCut(model: string, cursor: Cursor, known: History): RowcastError | null {
    const cut = cuts.get(model)
    if (cut === undefined || comparePositions(cursor.position, cut) > 0) return null
    return known.resync('changes of its model could not be read for a while')
  }

  /** Whoever is live has been asked about everything up to now, and whoever holds a change back has not got it yet. */
  function placeOf({ isLive, isHolding, queue }: Subscriber): string | null {
    return (isLive && !isHolding ? history?.newestCursor : null) ?? queue.lastCursor
  }

  function endAll(error: Error | undefined, model?: string): void {
    for (const subscriber of [...everybody]) {
      if (model === undefined || subscriber.model === model) subscriber.queue.end(error)
    }
  }

  return {
    open(start) {
      observers?.onOpened()
      if (history === null) {
        const floor = { commitLsn: toLsn(start.floorLsn - 1n), index: INDEX_AFTER_ALL }
        history = new History(start, new RetainedLog(floor, logOptions))
        for (const subscriber of everybody) {
          subscriber.skipTo = history.begun
          subscriber.began = history.begun
          subscriber.onOpen?.(history)
          subscriber.onOpen = null
        }
      } else {
        history.continue(start)
      }
    },

    publish(part: TransactionPart) {
      observers?.onPublishing(part)
      history?.log.append(part)
      const { changes } = part
      for (let place = 0; place < changes.length; place += 1) {
        const model = changes.modelAt?.(place)
        if (model !== undefined && !live.has(model)) continue
        // The log keeps bytes; what subscribers decode of this object goes when they are done with it.
        const change = changes.at(place) as AnyChange
        const offer = new Offer(change, part.isFinal && place === changes.length - 1)
        let candidates = 0
        live.forEachCandidate(change, (subscriber) => {
          candidates += 1
          offerTo(subscriber, offer)
        })
        observers?.onCandidates(change.model, candidates)
      }
      if (part.isFinal) releaseHolders()
      observers?.onPublished(part)
    },

    cut(model) {
      if (history === null) return
      cuts.set(model, history.log.newest)
      history.log.advance()
    },

    gap(error) {
      observers?.onGap()
      history = null
      cuts.clear()
      holders = []
      endAll(error)
    },

    subscribe(request: SubscriptionRequest): BusSubscription {
      const { model, actions, after, signal } = request
      const cursor = after === undefined || after === AFTER_EARLIEST ? null : parseCursor(after)
      const onAbort = () => queue.end()
      let refill: (() => boolean | Promise<boolean>) | undefined
      const queue = createSubscriptionQueue({
        queueLengthMax,
        overflow: request.overflow ?? options.overflow ?? 'end',
        startCursor: after === AFTER_EARLIEST ? null : (after ?? history?.newestCursor ?? null),
        onEnd(error) {
          signal?.removeEventListener('abort', onAbort)
          everybody.delete(subscriber)
          subscriptionCounts.set(model, (subscriptionCounts.get(model) ?? 0) - 1)
          live.remove(subscriber)
          subscriber.onOpen?.(null)
          observers?.onSubscriptionEnded(model, error, queue)
        },
        onDropped: observers && ((count, why) => observers.onDropped(model, count, why)),
        ...(after === undefined ? {} : { refill: () => refill?.() ?? true }),
      })
      const subscriber = new Subscriber({
        model,
        actions: actions === undefined || actions.length === 0 ? null : new Set(actions),
        filter: request.filter ?? null,
        queue,
        skipTo: history?.begun ?? null,
        label: request.label,
      })
      if (after === undefined) subscriber.began = history?.log.newest ?? null
      everybody.add(subscriber)
      observers?.onSubscribed(model, queue)
      subscriptionCounts.set(model, (subscriptionCounts.get(model) ?? 0) + 1)
      if (after === undefined) goLive(subscriber)
      else refill = beginAfter(subscriber, cursor)
      if (farewell !== null) queue.end(farewell(placeOf(subscriber)))
      if (signal?.aborted) queue.end()
      else signal?.addEventListener('abort', onAbort)
      return queue
    },

    cursorBefore: (isVisible) => history?.cursorBefore(isVisible) ?? null,

    subscriptionCounts,

    backlogs: () => backlogsOf(everybody),

    changeAt(cursor) {
      const parsed = parseCursor(cursor)
      if (history !== null) return history.changeAt(parsed)
      throw new RowcastError('RESYNC_REQUIRED', 'No stream has begun yet.', {
        details: { reason: 'no stream has begun yet' },
      })
    },

    progress: (label, cursor) => progressOf(everybody, label, parseCursor(cursor).position),

    stop(errorOf) {
      farewell = errorOf
      for (const subscriber of [...everybody]) subscriber.queue.end(errorOf(placeOf(subscriber)))
    },

    close: (error, model) => endAll(error, model),
  }
}
