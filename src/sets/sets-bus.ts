/**
 * Sets, between stages 6 and 7. A bus with subscriptions that follow relations. They read the log of the bus it stands before, whose own
 * subscriptions know nothing of them: what they cost, others do not pay.
 */

import type { Backlog, BusSubscription, ChangeBus, InProcessBus, SubscriptionRequest } from '../bus/bus.ts'
import { callAll } from '../bus/call-all.ts'
import { Endings } from '../bus/endings.ts'
import type { LabelProgress } from '../bus/explanation.ts'
import type { History } from '../bus/history.ts'
import { cannotGoOn } from '../bus/resync-required.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import type { AnyChange, TransactionPart } from '../changes/change.ts'
import { isSameOrigin, type StreamOrigin } from '../changes/cursor.ts'
import type { RowcastError } from '../errors.ts'
import type { Guard } from '../guard.ts'
import type { IsVisible } from '../source/db/visibility.ts'
import type { LastChangesKeeper } from '../source/published/last-changes.ts'
import type { PublicationCut } from '../source/watch/publication-listener.ts'
import type { StreamStart } from '../source/watch/session-start.ts'
import { type Lsn, toLsn } from '../wire/lsn.ts'
import { onAborted } from '../wire/shared-listener.ts'
import { AccountShare } from './account-share.ts'
import { costOfIncluded } from './included-relation.ts'
import { endWhoLeftWaiting } from './left-waiting.ts'
import { modelsMissed, newestOf, ordinalOf, passedOrdinalOf } from './log-transactions.ts'
import { OpenSubscriptions } from './open-subscriptions.ts'
import { RelatedAudiences } from './related-audiences.ts'
import type { RelatedHost, RelatedReading, RelatedRequest } from './related-request.ts'
import { RelatedSubscription } from './related-subscription.ts'
import { SetGraph } from './set-graph.ts'
import { nothingAt, sharedOf } from './settled-writes.ts'
import type { StreamFollower } from './stream-follower.ts'
import { StreamWatchers } from './stream-watchers.ts'

/** What it works with. */
export interface SetsBusOptions {
  readonly bus: InProcessBus
  readonly follower: StreamFollower
  readonly reading: RelatedReading
  readonly guard: Guard
  /** Whether other processes read the same stream. @default false */
  readonly isShared?: boolean | undefined
}

/** After so many transactions it is looked who is behind, and what nobody needs any more. */
const LOOK_INTERVAL = 64

/** The bus. */
export class SetsBus implements ChangeBus, RelatedHost {
  readonly lastChanges: LastChangesKeeper
  readonly reading: RelatedReading
  readonly watchers: StreamWatchers
  readonly audiences = new RelatedAudiences()
  readonly isShared: boolean
  graph: SetGraph | null = null
  readonly awaited: InProcessBus['awaited']
  readonly #bus: InProcessBus
  readonly #follower: StreamFollower
  readonly #guard: Guard
  readonly #endings = new Endings()
  readonly #open = new OpenSubscriptions()
  #origin: StreamOrigin | null = null
  #untilLook = LOOK_INTERVAL

  constructor({ bus, follower, reading, guard, isShared = false }: SetsBusOptions) {
    this.#bus = bus
    this.awaited = bus.awaited
    this.isShared = isShared
    this.#follower = follower
    this.reading = reading
    this.#guard = guard
    this.watchers = new StreamWatchers(guard)
    this.lastChanges = this.#noticingLastChanges(bus.lastChanges)
  }

  get history(): History | null {
    return this.#bus.history
  }

  /**
   * Follows relations from now on, or after a cursor.
   * @throws BAD_CURSOR, FILTER_TOO_COSTLY, TOO_MANY_REPLAYS; what else ends it comes from the iterator
   */
  subscribeRelated(request: RelatedRequest, signal?: AbortSignal): RelatedSubscription {
    const { account = null, filter, include, after, isInitial = false } = request
    const subscription = new RelatedSubscription(this, request)
    const cost = filter.cost + costOfIncluded(include)
    const share = new AccountShare(account, cost, isInitial || after !== undefined)
    this.#open.add(subscription, share)
    this.reading.observer?.onSubscribed?.(request.model.name, subscription)
    const end = this.#guard.wrap('end with a signal', () => subscription.end(null))
    if (signal !== undefined) this.#open.setForgetSignal(subscription, onAborted(signal, end))
    this.#endIfDue(subscription)
    this.#notice(subscription)
    return subscription
  }

  async whenCome(ordinal: number): Promise<void> {
    if (this.graph !== null && this.graph.ordinal < ordinal)
      await this.#follower.whenPassed(toLsn(BigInt(ordinal) + 1n))
  }

  async whenReached(commitLsn: Lsn): Promise<void> {
    const { history } = this
    await this.#follower.whenPassed(toLsn(commitLsn + 1n)).catch((error: unknown) => {
      throw history?.notReached() ?? error
    })
  }

  async whenCurrent(model: ModelSpec): Promise<void> {
    const endLsn = await this.reading.endLsn?.(model)
    if (endLsn !== undefined) await this.#follower.whenPassed(endLsn)
  }

  caughtUp(subscription: RelatedSubscription): void {
    this.#open.caughtUp(subscription)
  }

  fellBehind(subscription: RelatedSubscription): void {
    this.#open.fellBehind(subscription)
  }

  forget(subscription: RelatedSubscription, error: Error | null): void {
    this.#open.delete(subscription)
    this.reading.observer?.onSubscriptionEnded?.(subscription.model, error, subscription)
  }

  open(start: StreamStart): void {
    this.#bus.open(start)
    const origin = this.#origin
    this.#origin = { systemId: start.systemId, timeline: start.timeline }
    this.watchers.onOpened({ ...this.#origin, serverLsn: start.serverLsn })
    if (origin !== null && !isSameOrigin(origin, this.#origin)) {
      // What a server had that another has taken over from may be in the sets, and in nobody's table any more.
      this.#endAll(cannotGoOn('another server has taken over'))
      this.graph = null
    }
    const { history } = this
    if (this.graph === null && history !== null) {
      this.#follower.restart()
      this.graph = new SetGraph(passedOrdinalOf(history.log), this.reading)
      this.watchers.onLost(null)
    }
    this.#noticeAll()
  }

  publish(part: TransactionPart): void {
    this.watchers.onPart(part)
    this.#bus.publish(part)
    if (!part.isFinal || this.graph === null) return
    this.#guard.run(
      'follow related rows',
      () => this.#advance(part),
      () => this.#loseTrack(part),
    )
  }

  passed(lsn: Lsn): void {
    this.#bus.passed(lsn)
    this.#follower.notePassed(lsn)
  }

  gap(error: RowcastError): void {
    this.graph = null
    this.#origin = null
    // First its own: what the bus ends may fail.
    this.#endAll(error)
    this.#bus.gap(error)
  }

  hold(models: ReadonlyMap<string, RowcastError>): void {
    this.#endings.hold(models)
    this.watchers.onHeld(models)
    callAll(this.#open.all(), (subscription) => this.#endIfDue(subscription))
    this.#bus.hold(models)
  }

  standAside(isAside: boolean): void {
    this.#endings.standAside(isAside)
    callAll(this.#open.all(), (subscription) => this.#endIfDue(subscription))
    this.#bus.standAside(isAside)
  }

  cut(model: string, cut?: PublicationCut): void {
    const error = cut?.error ?? cannotGoOn('changes of its model could not be read for a while', model)
    this.#endAll(error, model, cut?.position?.commitLsn)
    this.#bus.cut(model, cut)
  }

  stop(errorOf: (cursor: string | null) => Error): void {
    this.#endings.stop(errorOf)
    callAll(this.#open.all(), (subscription) => this.#endIfDue(subscription))
    this.#bus.stop(errorOf)
  }

  close(error?: Error, model?: string): void {
    this.#endAll(error ?? null, model)
    this.#bus.close(error, model)
  }

  subscribe(request: SubscriptionRequest): BusSubscription {
    return this.#bus.subscribe(request)
  }

  cursorBefore(isVisible: IsVisible): string | null {
    return this.#bus.cursorBefore(isVisible)
  }

  get subscriptionCounts(): ReadonlyMap<string, number> {
    return this.#open.addCounts(this.#bus.subscriptionCounts)
  }

  get heldBytes(): number {
    return this.#bus.heldBytes
  }

  backlogs(): ReadonlyMap<string, Backlog> {
    return this.#bus.backlogs()
  }

  changeAt(cursor: string): AnyChange | null {
    return this.#bus.changeAt(cursor)
  }

  progress(label: string, cursor: string): LabelProgress {
    return this.#bus.progress(label, cursor)
  }

  #advance({ transaction: { commitLsn } }: TransactionPart): void {
    const { history, graph } = this
    if (history === null || graph === null) return
    const ordinal = ordinalOf(commitLsn)
    this.#follower.notePassed(commitLsn)
    this.#endWhoMissed(history, ordinal)
    const found = newestOf(history.log, this.#open.models, ordinal)
    const looked = sharedOf(found ?? nothingAt(ordinal))
    callAll(graph.advance(found ?? looked, looked), (watcher) => watcher.concern(looked))
    callAll(this.#open.beginning(), (subscription) => this.#notice(subscription))
    this.#untilLook -= 1
    if (this.#untilLook > 0) return
    this.#untilLook = LOOK_INTERVAL
    // The rest of the past is forgotten.
    graph.prune(endWhoLeftWaiting(history.log, this.#open.behind(), graph.ordinal))
  }

  /** A fault of rowcast's own: sets that have passed over a transaction would show what they hide. */
  #loseTrack({ transaction }: TransactionPart): void {
    this.graph = new SetGraph(ordinalOf(transaction.commitLsn), this.reading)
    this.#endAll(cannotGoOn('related rows could not be followed'))
  }

  /** Of a transaction that the log could not keep until its last part came, nobody has all, and no set is right behind it. */
  #endWhoMissed({ log }: History, ordinal: number): void {
    for (const model of modelsMissed(log, this.#open.models, ordinal - 1))
      this.#endAll(cannotGoOn('a transaction is larger than what is retained', model), model)
  }

  #noticeAll(): void {
    callAll(this.#open.all(), (subscription) => this.#notice(subscription))
  }

  #notice(subscription: RelatedSubscription): void {
    subscription.notice()
    if (subscription.hasBegun) this.#open.begun(subscription)
  }

  /** Whoever waits with a cursor of the process before may begin as more is known of that. */
  #noticingLastChanges(keeper: LastChangesKeeper): LastChangesKeeper {
    const notice = () => this.#noticeAll()
    return {
      lastOf: (model) => keeper.lastOf(model),
      recall: (known) => callAll([() => keeper.recall(known), notice], (each) => each()),
      endRecall: () => callAll([() => keeper.endRecall(), notice], (each) => each()),
    }
  }

  #endIfDue(subscription: RelatedSubscription): void {
    for (const model of subscription.models) {
      const end = this.#endings.of(model)
      if (end !== null) subscription.end(end(subscription.lastCursor))
    }
  }

  /** All that have to do with the model; all, where none is named. Not who waits for the stream to come to a cursor behind the position. */
  #endAll(error: Error | null, model?: string, upTo: Lsn | null = null): void {
    this.watchers.onLost(model ?? null)
    callAll(this.#open.all(), (subscription) => {
      if (upTo !== null && (subscription.ahead ?? upTo) > upTo) return
      if (model === undefined || subscription.models.has(model)) subscription.end(error)
    })
  }
}
