/** Stage 6, bus. One subscription's side of the bus: what it wants, what it has seen, what it holds back. */
import type { AnyChange, ChangeAction, ChangePosition } from '../changes/change.ts'
import { comparePositions } from '../changes/cursor.ts'
import { RowcastError } from '../errors.ts'
import type { Delivery } from './bus.ts'
import type { ChangeFilter } from './filter/change-filter.ts'
import { judgeChange, missingValues } from './filter/judge-change.ts'
import type { History } from './history.ts'
import type { SubscriptionQueue } from './subscription-queue.ts'

/** A delivery before it is known whether it is the last one of its transaction, which is said in place. */
type Match = Omit<Delivery, 'isLastOfTransaction'> & { isLastOfTransaction: boolean }

/** What a subscriber is made of. */
export interface SubscriberOptions {
  readonly model: string
  /** Null for all. */
  readonly actions: ReadonlySet<ChangeAction> | null
  readonly filter: ChangeFilter | null
  readonly queue: SubscriptionQueue
  readonly skipTo: ChangePosition | null
}

/** A subscription as the publisher sees it. */
export class Subscriber {
  readonly model: string
  readonly filter: ChangeFilter | null
  readonly queue: SubscriptionQueue
  /** Changes up to here are not for it. */
  skipTo: ChangePosition | null
  /** False while it reads the log. */
  isLive = false
  /** Set while it waits for the first stream: it begins when the history is known; null says that it ended. */
  onOpen: ((history: History | null) => void) | null = null
  readonly #actions: ReadonlySet<ChangeAction> | null
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
    this.#actions = options.actions
  }

  /** Whether a match waits for its transaction to go on or to end. */
  get isHolding(): boolean {
    return this.#held !== null
  }

  /** Takes the next change of its model, if it wants it. */
  offer(change: AnyChange): void {
    if (this.#actions !== null && !this.#actions.has(change.action)) return
    if (this.skipTo !== null) {
      if (
        comparePositions({ commitLsn: change.transaction.commitLsn, index: change.index }, this.skipTo) <= 0
      )
        return
      this.skipTo = null
    }
    const match = this.#judge(change)
    if (match === null) return
    this.#push(false)
    this.#held = match
  }

  /** The transaction is over: what is held was its last match. */
  release(): void {
    this.#push(true)
  }

  #push(isLastOfTransaction: boolean): void {
    const held = this.#held
    if (held === null) return
    this.#held = null
    held.isLastOfTransaction = isLastOfTransaction
    this.queue.push(held)
  }

  #judge(change: AnyChange): Match | null {
    const isLastOfTransaction = false
    if (this.filter === null)
      return { change, transition: null, hidesOld: false, hidesNew: false, isLastOfTransaction }
    const { verdict, transition, hidesOld, hidesNew } = judgeChange(this.filter, change)
    if (verdict === 'match') return { change, transition, hidesOld, hidesNew, isLastOfTransaction }
    if (verdict === 'unknown') this.#endUnanswered(change, this.filter)
    return null
  }

  /** Saying no would be a silent gap, saying yes a lie: the subscription ends and says why. */
  #endUnanswered(change: AnyChange, filter: ChangeFilter): void {
    this.#push(false)
    const missing = missingValues(change, filter)
      .map(({ image, fields }) =>
        fields === null ? `the ${image} row` : `${image}.${fields.join(`, ${image}.`)}`,
      )
      .join(' and ')
    const happened = `The filter needs ${missing}, which PostgreSQL did not send.`
    const details = { model: change.model, cursor: change.cursor }
    this.queue.end(new RowcastError('FILTER_UNANSWERABLE', happened, { details }))
  }
}
