/** Stage 6, bus. One subscription's side of the bus: what it wants, what it has seen, what it holds back. */
import type { AnyChange, ChangeAction, ChangePosition } from '../changes/change.ts'
import { comparePositions } from '../changes/cursor.ts'
import { RowcastError } from '../errors.ts'
import type { Delivery } from './bus.ts'
import type { ChangeFilter } from './filter/change-filter.ts'
import { judgeChange, missingValues, type Transition } from './filter/judge-change.ts'
import type { History } from './history.ts'
import type { SubscriptionQueue } from './subscription-queue.ts'

/**
 * A delivery; whether it is the last one of its transaction is said in place once it is known. A class: there is one
 * for each change and subscription, and literals are slower to make.
 */
class Match implements Delivery {
  readonly change: AnyChange
  readonly transition: Transition | null
  readonly hidesOld: boolean
  readonly hidesNew: boolean
  isLastOfTransaction = false
  readonly isReplayed: boolean

  constructor(
    change: AnyChange,
    transition: Transition | null,
    hidesOld: boolean,
    hidesNew: boolean,
    isReplayed: boolean,
  ) {
    this.change = change
    this.transition = transition
    this.hidesOld = hidesOld
    this.hidesNew = hidesNew
    this.isReplayed = isReplayed
  }
}

/** A change that is offered to all who may want it. */
export class Offer {
  readonly change: AnyChange
  /** Whether no further change of its transaction can follow. */
  readonly endsTransaction: boolean
  #finals: Map<string, Match> | null = null

  constructor(change: AnyChange, endsTransaction: boolean) {
    this.change = change
    this.endsTransaction = endsTransaction
  }

  /** The delivery that somebody who is live and has a filter of this key got, and others may share. */
  final(key: string): Match | undefined {
    return this.#finals?.get(key)
  }

  keepFinal(key: string, match: Match): void {
    this.#finals ??= new Map()
    this.#finals.set(key, match)
  }
}

/** Whether the delivery is one from before its subscription was live: read from the log, however old. */
export function isReplayed(delivery: Delivery): boolean {
  return delivery instanceof Match && delivery.isReplayed
}

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
}

/** A subscription as the publisher sees it. */
export class Subscriber {
  readonly model: string
  readonly filter: ChangeFilter | null
  readonly queue: SubscriptionQueue
  readonly label: string | null
  /** Where it begins: changes up to here were before it. Null until that is known. */
  began: ChangePosition | null = null
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
    this.label = options.label ?? null
    this.#actions = options.actions
  }

  /** Whether a match waits for its transaction to go on or to end. */
  get isHolding(): boolean {
    return this.#held !== null
  }

  /** Takes the next change of its model, if it wants it. */
  offer(offer: Offer): void {
    const { change, endsTransaction } = offer
    if (this.#actions !== null && !this.#actions.has(change.action)) return
    if (this.skipTo !== null) {
      if (
        comparePositions({ commitLsn: change.transaction.commitLsn, index: change.index }, this.skipTo) <= 0
      )
        return
      this.skipTo = null
    }
    // Where nothing can follow, all who are live and ask for the same get one delivery, judged once.
    const key = endsTransaction && this.isLive ? this.#key : null
    const known = key === null ? undefined : offer.final(key)
    const match = known ?? this.#judgeSafely(change)
    if (match === null) return
    this.#push(false)
    this.#held = match
    if (endsTransaction) this.#push(true)
    if (key !== null && known === undefined) offer.keepFinal(key, match)
  }

  get #key(): string | null {
    return this.filter === null ? '' : this.filter.key
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

  /** A filter that throws ends its own subscription, and neither the others nor the source. */
  #judgeSafely(change: AnyChange): Match | null {
    try {
      return this.#judge(change)
    } catch (error) {
      this.queue.end(error instanceof Error ? error : new Error(String(error)))
      return null
    }
  }

  #judge(change: AnyChange): Match | null {
    if (isRowLost(change)) {
      this.#endWith(oldRowMissing(change))
      return null
    }
    if (this.filter === null) return new Match(change, null, false, false, !this.isLive)
    const { verdict, transition, hidesOld, hidesNew } = judgeChange(this.filter, change)
    if (verdict === 'match') return new Match(change, transition, hidesOld, hidesNew, !this.isLive)
    if (verdict !== 'unknown') return null
    this.#endWith(change.isOldMissing === true ? oldRowMissing(change) : unanswerable(change, this.filter))
    return null
  }

  /** Saying no would be a silent gap, saying yes a lie: the subscription ends and says why. */
  #endWith(error: RowcastError): void {
    this.#push(false)
    this.queue.end(error)
  }
}

/** Whether it is not known which row a change is about: no key of it came, where the table is to log whole rows. */
function isRowLost(change: AnyChange): boolean {
  if (change.isOldMissing !== true) return false
  return change.action === 'DELETE' ? change.key === null : change.oldKey === undefined
}

/** The row may have left what the subscriber sees; only asking for the rows again tells. */
function oldRowMissing({ model }: AnyChange): RowcastError {
  const reason = 'the row before a change was not logged'
  return new RowcastError('RESYNC_REQUIRED', `The subscription cannot go on: ${reason}.`, {
    details: { reason, model },
  })
}

function unanswerable(change: AnyChange, filter: ChangeFilter): RowcastError {
  const missing = missingValues(change, filter)
    .map(({ image, fields }) =>
      fields === null ? `the ${image} row` : `${image}.${fields.join(`, ${image}.`)}`,
    )
    .join(' and ')
  const happened = `The filter needs ${missing}, which PostgreSQL did not send.`
  return new RowcastError('FILTER_UNANSWERABLE', happened, {
    details: { model: change.model, cursor: change.cursor },
  })
}
