/** Stage 6, bus. One subscription's side of the bus: what it wants, what it has seen, what it holds back. */

import type { AnyChange, ChangeAction, ChangePosition } from '../changes/change.ts'
import { comparePositions, positionBefore } from '../changes/cursor.ts'
import type { RowcastError } from '../errors.ts'
import type { Guard } from '../guard.ts'
import type { Lsn } from '../wire/lsn.ts'
import type { ChangeFilter } from './filter/change-filter.ts'
import { judgeChange } from './filter/judge-change.ts'
import type { History } from './history.ts'
import type { Account } from './holdings.ts'
import { Match, type Offer } from './match.ts'
import type { Phase } from './subscriber-phase.ts'
import type { SubscriptionQueue } from './subscription-queue.ts'
import { isRowLost, oldRowMissing, unanswerable, undeliverableChange, unreadable } from './unread.ts'

const WAITING: Phase = { kind: 'waiting' }

/** What a subscriber is made of. */
export interface SubscriberOptions {
  readonly model: string
  /** Null for all. */
  readonly actions: ReadonlySet<ChangeAction> | null
  readonly filter: ChangeFilter | null
  readonly queue: SubscriptionQueue
  readonly skipTo: ChangePosition | null
  /** See `SubscriptionRequest.label`. */
  readonly label?: string | undefined
  /** It came with a cursor. @default false */
  readonly isResumed?: boolean | undefined
  /** See `SubscriptionRequest.isObserver`. */
  readonly isObserver?: boolean | undefined
  /** Called where a live one has no room: everything up to the position is in its queue. */
  readonly onBehind: (subscriber: Subscriber, after: ChangePosition) => void
  /** For the failures of its consumer. */
  readonly guard: Guard
}

/** What judging by a filter with a pattern takes, or by one of many conditions. */
export const COSTLY_STEPS = 8

/** A subscription as the publisher sees it. */
export class Subscriber {
  readonly model: string
  readonly filter: ChangeFilter | null
  readonly queue: SubscriptionQueue
  readonly label: string | null
  readonly isObserver: boolean
  /** Where it begins: changes up to here were before it. Null until that is known. */
  began: ChangePosition | null = null
  /** The same as a cursor, of the origin it began in; null for one that wants all there is. */
  startCursor: string | null = null
  /** Changes up to here are not for it. */
  skipTo: ChangePosition | null
  phase: Phase = WAITING
  /** Set while it waits for the first stream: it begins when the history is known. */
  onOpen: ((history: History) => void) | null = null
  /** While it has not caught up with the cursor it began with. */
  #replay: { readonly account: Account | null } | null = null
  readonly #isResumed: boolean
  readonly #onBehind: SubscriberOptions['onBehind']
  readonly #guard: Guard
  readonly #actions: ReadonlySet<ChangeAction> | null
  /** The same for all who want the same changes; null where that is not known. */
  readonly #shareKey: string | null
  /** The same while it catches up with a cursor. */
  readonly #replayKey: string | null
  /**
   * The latest match of an unfinished transaction. Whether it is the last one is known only when another
   * match or the commit arrives, so it waits here.
   */
  #held: Match | null = null

  constructor(options: SubscriberOptions) {
    this.model = options.model
    this.filter = options.filter
    this.queue = options.queue
    this.skipTo = options.skipTo
    this.label = options.label ?? null
    this.isObserver = options.isObserver ?? false
    this.#isResumed = options.isResumed ?? false
    this.#actions = options.actions
    this.#shareKey = shareKeyOf(options)
    this.#replayKey = this.#shareKey === null ? null : `replayed ${this.#shareKey}`
    this.#onBehind = options.onBehind
    this.#guard = options.guard
  }

  /** The stream that it waited for has begun. */
  open(known: History): void {
    this.skipTo = known.begun
    if (this.onOpen === null) this.beginLive(known)
    this.onOpen?.(known)
    this.onOpen = null
  }

  /** It begins with what commits from now on. */
  beginLive(known: History): void {
    this.began = known.liveFrom
    this.startCursor = known.liveCursor
  }

  /** It came with a cursor. @param account whose catching up this is */
  beginReplay(account: Account | null): void {
    this.#replay = { account }
  }

  /** It has caught up with its cursor, or has ended. Who falls behind later missed nothing: that is late, and no replay. */
  endReplay(): void {
    this.#replay?.account?.endReplay()
    this.#replay = null
  }

  get isLive(): boolean {
    return this.phase.kind === 'live'
  }

  /** Whether a match waits for its transaction to go on or to end. */
  get isHolding(): boolean {
    return this.#held !== null
  }

  /** What judging a change takes, in steps of microseconds. */
  get judgingSteps(): number {
    return 1 + (this.filter?.cost ?? 0)
  }

  /**
   * Whether it may lack changes before a cut: none is missing from `cleanFrom` on, and the cut stands at `upTo`. One that
   * waits for the first stream has nothing yet. Where one with a cursor began says nothing of what its client lacks: it may have
   * read from before the gap up to there, in another subscription, which lasted until shortly before the cut.
   */
  mayHaveMissed(cleanFrom: Lsn, upTo: ChangePosition): boolean {
    if (this.began === null) return false
    const isBefore = this.began.commitLsn + 1n < cleanFrom
    return isBefore || (this.#isResumed && comparePositions(this.began, upTo) <= 0)
  }

  /** Leaves the change, and what follows it, to be read from the log. */
  putOff({ change }: Offer): void {
    if (this.#concerns(change)) this.#onBehind(this, positionBefore(positionOf(change)))
  }

  /** Takes the next change of its model, if it wants it. */
  offer(offer: Offer): void {
    const { change, endsTransaction } = offer
    if (!this.#concerns(change)) return
    this.skipTo = null
    // All who ask for the same get one delivery, judged once.
    const key = this.#replay === null ? this.#shareKey : this.#replayKey
    const known = key === null ? null : offer.shared(key)
    const match = known ?? this.#judgeSafely(offer)
    if (match === null) return
    if (key !== null && known === null) offer.share(key, match)
    if (!this.#push(false)) return
    this.#held = match
    if (endsTransaction) this.#push(true)
  }

  /** Whether it asked for the action, and began before the change. */
  #concerns(change: AnyChange): boolean {
    if (this.#actions !== null && !this.#actions.has(change.action)) return false
    return this.skipTo === null || comparePositions(positionOf(change), this.skipTo) > 0
  }

  /** The transaction is over: what is held was its last match. */
  release(): void {
    this.#push(true)
  }

  /**
   * The changes that follow are of this transaction: what is held of an earlier one was its last match. Of a later one it may
   * be held, too: by one who is further on than those it reads beside. False where there was no room.
   */
  releaseBefore(commitLsn: ChangePosition['commitLsn']): boolean {
    const isOver = this.#held !== null && this.#held.change.transaction.commitLsn < commitLsn
    return !isOver || this.#push(true)
  }

  /** Lets go of all that waits for the consumer, which is read again; where it has to begin, or null. */
  spill(): ChangePosition | null {
    const first = this.queue.spill() ?? this.#held?.change ?? null
    this.#held = null
    return first === null ? null : positionBefore(positionOf(first))
  }

  /** Enqueues what is held; false where there was no room, and the subscriber has fallen behind. */
  #push(isLastOfTransaction: boolean): boolean {
    const held = this.#held
    if (held === null) return true
    this.#held = null
    // Those who want the same share it, and may have got more of the transaction than one that has ended.
    if (this.queue.isEnded) return true
    held.isLastOfTransaction = isLastOfTransaction
    if (this.#enqueue(held)) return true
    this.#onBehind(this, positionBefore(positionOf(held.change)))
    return false
  }

  /** What is thrown here, by its consumer or about its queue, ends it and nobody else: with what it has, and its cursor. */
  #enqueue(held: Match): boolean {
    try {
      if (this.isLive) return this.queue.push(held)
      this.queue.pushRead(held)
    } catch (error) {
      this.endUnread(error)
    }
    return true
  }

  /** A filter that throws ends its own subscription, and neither the others nor the source. */
  #judgeSafely(offer: Offer): Match | null {
    try {
      return this.#judge(offer)
    } catch (error) {
      this.endAt(positionOf(offer.change), undeliverableChange(error, offer.change.cursor))
      return null
    }
  }

  #judge(offer: Offer): Match | null {
    const { change } = offer
    if (isRowLost(change)) {
      this.endAt(positionOf(change), oldRowMissing(change))
      return null
    }
    if (this.filter === null) return new Match(offer, WHOLE, this.#replay !== null)
    const judgement = judgeChange(this.filter, change)
    if (judgement.verdict === 'match') return new Match(offer, judgement, this.#replay !== null)
    if (judgement.verdict !== 'unknown') return null
    const error = change.isOldMissing === true ? oldRowMissing(change) : unanswerable(change, this.filter)
    this.endAt(positionOf(change), error)
    return null
  }

  /** What is to be read for it cannot be: it ends after what it has, and goes on from there. */
  endUnread(error: unknown): void {
    // Whether what is held was the last of its transaction is not known: it comes again, as all that follows.
    this.#held = null
    this.#end(unreadable(error, this.queue.lastCursor))
  }

  /**
   * The change at the position cannot be given to it, if it is for it. Saying no would be a silent gap, saying yes a lie:
   * the subscription ends and says why.
   */
  endAt(position: ChangePosition, error: RowcastError): void {
    if (this.skipTo !== null && comparePositions(position, this.skipTo) <= 0) return
    // Where what is held has no room, the change is met again in the log.
    if (this.releaseBefore(position.commitLsn) && this.#push(false)) this.#end(error)
  }

  #end(error: RowcastError): void {
    try {
      this.queue.end(error)
    } catch (failure) {
      // One that has ended has, whatever its consumer makes of it; one that has not must not go on as if nothing were missing.
      if (!this.queue.isEnded) throw failure
      this.#guard.report('notify a subscription of its end', failure)
    }
  }
}

function shareKeyOf({ filter, actions }: SubscriberOptions): string | null {
  const key = filter === null ? '' : filter.key
  return actions === null || key === null ? key : `${[...actions].sort().join()} ${key}`
}

const WHOLE = { transition: null, hidesOld: false, hidesNew: false } as const

/** Where the change stands. */
export function positionOf({ transaction, index }: AnyChange): ChangePosition {
  return { commitLsn: transaction.commitLsn, index }
}
