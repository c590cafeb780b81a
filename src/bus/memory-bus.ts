/**
 * Stage 6, bus. The in-process bus: keeps the latest transactions in its log, finds the subscriptions of each
 * change's model and fills their queues. A subscription whose queue has no room is read to from the log.
 */
import type { AnyChange, ChangePosition, TransactionPart } from '../changes/change.ts'
import { type Cursor, endBefore, parseCursor } from '../changes/cursor.ts'
import type { RowcastError } from '../errors.ts'
import { createGuard, type Guard } from '../guard.ts'
import { silentLogger } from '../logger.ts'
import type { IsVisible } from '../source/db/visibility.ts'
import type { PublicationCut } from '../source/watch/publication-listener.ts'
import type { StreamStart } from '../source/watch/session-start.ts'
import type { Lsn } from '../wire/lsn.ts'
import { endOnAbort } from './abort-listeners.ts'
import { BusReaders } from './awaited-readers.ts'
import {
  AFTER_EARLIEST,
  type BusSubscription,
  type ChangeBus,
  type InProcessBus,
  type SubscriptionRequest,
} from './bus.ts'
import type { BusObservers } from './bus-observer.ts'
import { callAll } from './call-all.ts'
import { Endings } from './endings.ts'
import { failWithoutHistory, History } from './history.ts'
import { Holdings } from './holdings.ts'
import { LiveSubscribers } from './live-subscribers.ts'
import { type MemoryBusOptions, resolveBounds } from './memory-bus-options.ts'
import { offerTo } from './offer-to.ts'
import type { QueueHost } from './queue-options.ts'
import { Readers } from './readers.ts'
import { Relief } from './relief.ts'
import { RetainedLog, type RetainedLogOptions } from './retained-log.ts'
import { Subscriber } from './subscriber.ts'
import { SubscriberRoster } from './subscriber-roster.ts'
import { backlogsOf, progressOf } from './subscription-progress.ts'
import { SubscriptionQueue } from './subscription-queue.ts'
import { NODE_TIMERS, type SliceTimers } from './time-slices.ts'
import { UndecidedCursors } from './undecided-cursors.ts'

/** Creates the in-process bus. */
export function createMemoryBus(options: MemoryBusOptions = {}): InProcessBus {
  return new MemoryBus(options)
}

class MemoryBus implements InProcessBus, QueueHost {
  readonly queueLengthMax: number
  readonly queueBytesMax: number
  readonly holdings: Holdings
  nowMs: number
  readonly #options: MemoryBusOptions
  readonly #timers: SliceTimers
  readonly #guard: Guard
  readonly #observers: BusObservers | undefined
  readonly #roster = new SubscriberRoster()
  readonly #live: LiveSubscribers
  readonly #relief: Relief
  readonly #logBounds: RetainedLogOptions
  history: History | null = null
  #readers: Readers | null = null // as long as `history` is
  readonly awaited = new BusReaders(() => [this.history, this.#readers, this.#logBounds, this.#live])
  readonly #endings = new Endings()
  readonly lastChanges = new UndecidedCursors(() => this.history)

  constructor(options: MemoryBusOptions) {
    this.#options = options
    this.#timers = options.timers ?? NODE_TIMERS
    this.#guard = options.guard ?? createGuard(silentLogger)
    this.#observers = options.observers
    this.#live = new LiveSubscribers(options.models ?? {}, this.#timers)
    const bounds = resolveBounds(options, () => this.#timers.nowMs())
    this.#logBounds = bounds.log
    this.holdings = new Holdings(bounds.heldBytesMax)
    this.#relief = new Relief({
      ...{ holdings: this.holdings, roster: this.#roster },
      ...{ nowMs: () => this.#tick(), soon: this.#timers.soon },
      letGo: (subscriber) => this.#letGo(subscriber),
    })
    this.queueLengthMax = bounds.queueLengthMax
    this.queueBytesMax = bounds.queueBytesMax
    this.nowMs = this.#timers.nowMs()
  }

  open(start: StreamStart): void {
    this.#observers?.onOpened()
    this.history?.continue(start, this.#roster.open)
    if (this.history !== null) return
    const oldestRead = () =>
      Math.min(this.#readers?.oldestRead() ?? Number.POSITIVE_INFINITY, this.lastChanges.oldestRead())
    const log = new RetainedLog(endBefore(start.floorLsn), this.#logBounds, oldestRead)
    const history = new History(start, log, this.#options.models)
    this.history = history
    this.#readers = new Readers({
      ...{ known: history, older: this.#options.older ?? null, timers: this.#timers },
      pressure: this.#relief,
      onCaughtUp: (subscriber) => this.#goLive(subscriber),
    })
    callAll(this.#roster.open, (subscriber) => subscriber.open(history))
  }

  publish(part: TransactionPart): void {
    this.#observers?.onPublishing(part)
    this.#tick()
    this.history?.log.append(part)
    const { changes } = part
    for (let offset = 0; offset < changes.length; offset += 1) {
      const model = changes.modelAt?.(offset)
      if (model !== undefined && !this.#live.has(model)) continue
      // The log keeps bytes; what subscribers decode of this object goes when they are done with it.
      this.#relief.makeRoomAtOnce(this.nowMs)
      const offer = offerTo(() => this.#live.of(model), part, offset)
      if (offer === null) continue
      const candidates = this.#live.offer(offer)
      this.#observers?.onCandidates(offer.change.model, candidates)
    }
    if (part.isFinal) this.#live.release()
    if (this.holdings.isCrowded) this.#relief.makeRoom(this.nowMs)
    this.#observers?.onPublished(part)
  }

  get subscriptionCounts(): ReadonlyMap<string, number> {
    return this.#roster.counts
  }

  get heldBytes(): number {
    return this.holdings.bytes
  }

  passed(lsn: Lsn): void {
    this.history?.advanceTo(lsn)
  }

  cut(model: string, cut?: PublicationCut): void {
    const upTo = this.history?.cut(model, cut?.position ?? null)
    if (upTo !== undefined && cut !== undefined) this.#roster.endWhoMissed(model, cut, upTo)
  }

  hold(models: ReadonlyMap<string, RowcastError>): void {
    this.#endings.hold(models)
    callAll(this.#roster.open, (subscriber) => this.#endIfDue(subscriber))
  }

  standAside(isAside: boolean): void {
    this.#observers?.onStandAside(isAside)
    this.#endings.standAside(isAside)
    callAll(this.#roster.open, (subscriber) => this.#endIfDue(subscriber))
  }

  gap(error: RowcastError): void {
    this.#observers?.onGap()
    this.#readers?.close()
    this.#readers = null
    this.history = null
    this.close(error)
  }

  subscribe(request: SubscriptionRequest): BusSubscription {
    const { model, after, signal, account = null } = request
    const cursor = after === undefined || after === AFTER_EARLIEST ? null : parseCursor(after)
    const filterCost = request.filter?.cost ?? 0
    account?.begin(filterCost, after !== undefined)
    let forgetSignal = (): void => {}
    const subscriber = this.#createSubscriber(request, () => {
      forgetSignal()
      account?.endFilter(filterCost)
    })
    const { queue } = subscriber
    this.#roster.add(subscriber)
    this.#observers?.onSubscribed(model, queue)
    if (after === undefined) {
      if (this.history !== null) subscriber.beginLive(this.history)
      this.#goLive(subscriber)
    } else {
      subscriber.beginReplay(account)
      if (cursor !== null) subscriber.startCursor = after
      if (this.history === null) subscriber.onOpen = (known) => this.#beginAfter(subscriber, cursor, known)
      else this.#beginAfter(subscriber, cursor, this.history)
    }
    this.#endIfDue(subscriber)
    if (!queue.isEnded) forgetSignal = endOnAbort(queue, signal, this.#guard)
    return queue
  }

  cursorBefore(isVisible: IsVisible): string | null {
    return this.history?.cursorBefore(isVisible) ?? null
  }

  backlogs(): ReturnType<ChangeBus['backlogs']> {
    return backlogsOf(this.#roster.open)
  }

  changeAt(cursor: string): AnyChange | null {
    const parsed = parseCursor(cursor)
    return (this.history ?? failWithoutHistory()).changeAt(parsed)
  }

  progress(label: string, cursor: string): ReturnType<ChangeBus['progress']> {
    return progressOf(this.#roster.open, label, parseCursor(cursor).position)
  }

  stop(errorOf: (cursor: string | null) => Error): void {
    this.#endings.stop(errorOf)
    callAll(this.#roster.open, (subscriber) => this.#endIfDue(subscriber))
  }

  close(error?: Error, model?: string): void {
    callAll(this.#roster.open, (subscriber) => {
      if (model === undefined || subscriber.model === model) subscriber.queue.end(error)
    })
  }

  #tick(): number {
    this.nowMs = this.#timers.nowMs()
    return this.nowMs
  }

  #createSubscriber(request: SubscriptionRequest, onEnd: () => void) {
    const { model, actions = [], filter = null, after, label, isObserver } = request
    const queue = new SubscriptionQueue({
      host: this,
      overflow: request.overflow ?? this.#options.overflow ?? 'end',
      account: request.account ?? null,
      startCursor: () => subscriber.startCursor,
      newestCursor: () => this.#newestCursorOf(subscriber),
      onEnd: (error) => {
        onEnd()
        this.#remove(subscriber, error)
      },
      onDropped: (count, why) => this.#observers?.onDropped(model, count, why),
      onHungry: () => this.#readers?.wake(subscriber),
      onLeft: () => this.#roster.forget(subscriber),
    })
    const subscriber = new Subscriber({
      ...{ model, queue, filter, label, isObserver, isResumed: after !== undefined },
      ...{ actions: actions.length === 0 ? null : new Set(actions), skipTo: this.history?.begun ?? null },
      ...{ onBehind: (_, position) => this.#fallBehind(subscriber, position), guard: this.#guard },
    })
    return subscriber
  }

  #remove(subscriber: Subscriber, error: Error | null): void {
    this.#roster.remove(subscriber)
    this.#live.remove(subscriber)
    this.#readers?.remove(subscriber)
    this.lastChanges.remove(subscriber)
    subscriber.endReplay()
    subscriber.onOpen = null
    this.#observers?.onSubscriptionEnded(subscriber.model, error, subscriber.queue)
  }

  #goLive(subscriber: Subscriber): void {
    subscriber.endReplay()
    subscriber.phase = { kind: 'live' }
    this.#live.add(subscriber)
  }

  /** Where a subscription with a cursor begins; null: with the oldest change there is. */
  #beginAfter(subscriber: Subscriber, cursor: Cursor | null, known: History): void {
    const isShared = this.#options.older !== undefined
    const again = () => this.#beginAfter(subscriber, cursor, known)
    if (!isShared && cursor !== null && this.lastChanges.waits(subscriber, cursor, again)) return
    const fault = cursor === null ? null : known.faultOf(cursor, subscriber.model, isShared)
    subscriber.skipTo = null
    subscriber.began = cursor?.position ?? known.log.floor
    if (fault !== null) subscriber.queue.end(fault)
    else this.#readers?.begin(subscriber, cursor?.position ?? null)
  }

  /** Its queue has everything up to the position and no room: what follows waits in the log. */
  #fallBehind(subscriber: Subscriber, after: ChangePosition): void {
    this.#live.remove(subscriber)
    if (this.#readers?.canRead(subscriber.model, after)) this.#readers.begin(subscriber, after)
    else subscriber.queue.endTooSlow()
  }

  /** What waits for it is read again from the log if it ever goes on. */
  #letGo(subscriber: Subscriber): void {
    if (subscriber.queue.isEnded) {
      subscriber.queue.endTooSlow()
      return
    }
    const begins = subscriber.spill()
    if (begins === null) return
    this.#readers?.remove(subscriber)
    this.#fallBehind(subscriber, begins)
  }

  /** Who is live has been asked about all up to now, or beyond; who holds a change back has not got it yet. */
  #newestCursorOf({ isLive, isHolding, skipTo }: Subscriber): string | null {
    return isLive && !isHolding ? (this.history?.newestCursorFrom(skipTo) ?? null) : null
  }

  #endIfDue(each: Subscriber): void {
    const end = this.#endings.of(each.model, each.isObserver)
    if (end !== null) each.queue.end(end(this.#newestCursorOf(each) ?? each.queue.lastCursor))
  }
}
