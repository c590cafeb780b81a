/**
 * Stage 6, bus. Subscriptions to several models as one: whole transactions, in commit order. Each model has a subscription of its
 * own, with its filter, queue and way to the log, and here they are merged: the earliest change is next once every other one
 * either has a later change, or says how far it has been asked about everything.
 */
import { DONE, SerialIteration } from '../async-iteration.ts'
import type { ChangePosition, TransactionInfo } from '../changes/change.ts'
import { comparePositions, INDEX_AFTER_ALL } from '../changes/cursor.ts'
import { invariant, isRowcastError, RowcastError } from '../errors.ts'
import {
  AFTER_EARLIEST,
  type BusSubscription,
  type Delivery,
  type DeliveryPull,
  type DeliveryReader,
} from './bus.ts'
import { compareCursors, endOf, type SourceEnd } from './merged-end.ts'
import type { QueuedDelivery } from './pending-deliveries.ts'
import { positionOf } from './subscriber.ts'

/** Changes of one transaction, or a bounded part of them. */
export interface TransactionDeliveries {
  readonly transaction: TransactionInfo
  /** At least one. */
  readonly deliveries: readonly Delivery[]
  /** Of each delivery, which of the subscriptions gave it. */
  readonly sources: readonly number[]
  /** Whether no later change of the transaction is for this subscription. */
  readonly isLast: boolean
}

/** Bounds of a part. */
export interface PartBounds {
  /** @default 1_024 changes */
  readonly changesMax?: number | undefined
  /** @default 1_048_576 // 1 MiB of decoded rows, by estimate */
  readonly bytesMax?: number | undefined
}

/** One model's subscription, and what is known of it. */
interface Source {
  /** Which of them. */
  readonly number: number
  readonly subscription: BusSubscription
  readonly pull: DeliveryPull
  /** The next change, when it has come. */
  head: Delivery | null
  /** The transaction that it has given the last change of. */
  endedIn: TransactionInfo | null
  /** Whether it has been asked how it ended. */
  isAsked: boolean
  /** How it has ended, once all that it had has been taken. */
  end: SourceEnd | null
}

/** One consumer's merged subscription. */
export class MergedSubscription
  extends SerialIteration<TransactionDeliveries>
  implements DeliveryReader, DeliveryPull<TransactionDeliveries>
{
  /** Whoever takes what is there in one go. */
  reader: DeliveryReader | null = null
  readonly #sources: readonly Source[]
  #changesMax: number
  readonly #bytesMax: number
  /** Of one transaction, and not given yet. */
  #open: Delivery[] = []
  #openSources: number[] = []
  #openBytes = 0
  /** Of the transaction before, or of the part before. */
  #current: TransactionInfo | null = null
  #lastCursor: string | null
  #wake: (() => void) | null = null
  #isClosed = false
  /** What ends it, once everything before that has been given. */
  #due: SourceEnd | null = null

  /** `after`: where the subscriptions go on. */
  constructor(
    subscriptions: readonly BusSubscription[],
    after: string | null,
    { changesMax = 1_024, bytesMax = 1_048_576 }: PartBounds = {},
  ) {
    super()
    this.#changesMax = changesMax
    this.#bytesMax = bytesMax
    this.#sources = subscriptions.map((subscription, number) => {
      const { pull } = subscription
      invariant(pull !== undefined, 'A subscription of the bus gives what is there.')
      return { number, subscription, pull, head: null, endedIn: null, isAsked: false, end: null }
    })
    for (const { pull } of this.#sources) pull.reader = this
    this.#lastCursor = after ?? this.#sources[0]?.pull.bookmark?.() ?? null
  }

  /** What has come may be one of many: they are looked at once all of them have come. */
  onReadable(): void {
    this.#wake?.()
    this.#wake = null
    this.reader?.onReadable()
  }

  get pull(): this {
    return this
  }

  /** No part that follows has more changes. @param changesMax at least 1 */
  boundParts(changesMax: number): void {
    this.#changesMax = Math.min(this.#changesMax, changesMax)
  }

  /** Whether all that it has taken of the subscriptions has been given. */
  get isEmpty(): boolean {
    return this.#open.length === 0 && this.#sources.every(({ head }) => head === null)
  }

  get isEnded(): boolean {
    return this.#isClosed || this.#due !== null
  }

  take(): TransactionDeliveries | undefined {
    if (this.isEnded) return undefined
    const part = this.#step() ?? this.#rest()
    // Each is heard of by itself, and then it is looked at again.
    if (part === null && this.#due === null)
      for (const source of this.#unheard()) void this.#hear(source).then(() => this.onReadable())
    return part ?? undefined
  }

  /** Those that have given all they had. */
  #unheard(): readonly Source[] {
    return this.#sources.filter(({ head, pull, end, isAsked }) => {
      return head === null && pull.isEnded && end === null && !isAsked
    })
  }

  async #hear(source: Source): Promise<void> {
    source.isAsked = true
    source.end = await endOf(source.subscription)
  }

  /** Where something has ended them: what stands before that, and then it is due. */
  #rest(): TransactionDeliveries | null {
    const end = this.#dueEnd()
    if (end === null) return null
    const rest = end.lacks === null ? null : this.#give(false)
    if (rest === null) this.#due = end
    return rest
  }

  protected async following(): Promise<IteratorResult<TransactionDeliveries>> {
    for (;;) {
      if (this.#isClosed) return DONE
      if (this.#due !== null) return this.#endWith(this.#due)
      const readable = new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      const part = this.#step()
      if (part !== null) return { done: false, value: part }
      const [unheard] = this.#unheard()
      if (unheard !== undefined) {
        await this.#hear(unheard)
        continue
      }
      const rest = this.#rest()
      if (rest !== null) return { done: false, value: rest }
      if (this.#due === null) await readable
    }
  }

  /** One that lacks a change ends them behind all that stands before it; any other ends them at once. */
  #dueEnd(): SourceEnd | null {
    let due: SourceEnd | null = null
    for (const { end } of this.#sources) {
      if (end === null) continue
      if (end.lacks === null) return end
      if (due?.lacks == null || comparePositions(end.lacks, due.lacks) < 0) due = end
    }
    return due?.lacks != null && this.#isAllThere(due.lacks) ? due : null
  }

  async return(): Promise<IteratorResult<TransactionDeliveries>> {
    await this.#close()
    return DONE
  }

  /** The next part; null while it is not known. */
  #step(): TransactionDeliveries | null {
    for (;;) {
      for (const source of this.#sources) source.head ??= source.pull.take() ?? null
      const next = this.#earliest()
      const transaction = next?.head?.change.transaction ?? null
      const isOver = transaction === null || transaction.commitLsn !== this.#current?.commitLsn
      if (this.#open.length > 0 && this.#current !== null && isOver)
        return this.#isAllThere({ ...this.#current, index: INDEX_AFTER_ALL }) ? this.#give(true) : null
      if (next?.head == null || !this.#isAllThere(positionOf(next.head.change))) return null
      if (this.#open.length > 0 && this.#isFull()) return this.#give(false)
      this.#add(next, next.head)
    }
  }

  #earliest(): Source | null {
    let earliest: Source | null = null
    for (const source of this.#sources) {
      if (source.head === null) continue
      const isEarlier =
        earliest?.head == null ||
        comparePositions(positionOf(source.head.change), positionOf(earliest.head.change)) < 0
      if (isEarlier) earliest = source
    }
    return earliest
  }

  /**
   * Whether nothing up to the position can come beside what has come. Who is live and holds nothing back has been asked about all
   * that was published: that is what a bookmark says.
   */
  #isAllThere(position: ChangePosition): boolean {
    return this.#sources.every(
      ({ head, endedIn, pull, end }) =>
        head !== null ||
        endedIn?.commitLsn === position.commitLsn ||
        (pull.bookmark?.() ?? null) !== null ||
        (end?.lacks != null && comparePositions(end.lacks, position) >= 0),
    )
  }

  #isFull(): boolean {
    return this.#open.length >= this.#changesMax || this.#openBytes >= this.#bytesMax
  }

  #add(source: Source, delivery: Delivery): void {
    source.head = null
    this.#current = delivery.change.transaction
    if (delivery.isLastOfTransaction) source.endedIn = this.#current
    this.#open.push(delivery)
    this.#openSources.push(source.number)
    this.#openBytes += (delivery as QueuedDelivery).weight?.bytes ?? 0
  }

  #give(isLast: boolean): TransactionDeliveries | null {
    const [deliveries, sources] = [this.#open, this.#openSources]
    const last = deliveries.at(-1)?.change
    if (last === undefined) return null
    this.#open = []
    this.#openSources = []
    this.#openBytes = 0
    this.#lastCursor = last.cursor
    return { transaction: last.transaction, deliveries, sources, isLast }
  }

  /** One ends, and the others with it. What they have and was not given comes after the cursor. */
  async #endWith({ error, lacks }: SourceEnd): Promise<IteratorResult<TransactionDeliveries>> {
    const thrown = isRowcastError(error) && lacks === null ? this.#withOwnCursor(error) : error
    await this.#close()
    if (thrown !== null) throw thrown
    return DONE
  }

  /** Its cursor says where one of them goes on; here they all do. */
  #withOwnCursor(error: RowcastError): RowcastError {
    const { code, happened, hint, details, cause } = error
    if (details?.['cursor'] === undefined) return error
    const { cursor: _, ...others } = details
    const cursor = this.#cursorOfAll()
    return new RowcastError(code, happened, {
      hint,
      details: cursor === null ? others : { ...others, cursor },
      cause,
    })
  }

  /** Behind what was given; where nothing that came is missing, as far as all of them have been asked. */
  #cursorOfAll(): string | null {
    const given = this.#lastCursor
    let earliest: string | null = null
    for (const { head, end, pull } of this.#sources) {
      const isKnown = head === null && end?.lacks == null
      const cursor = isKnown ? (end?.cursor ?? pull.bookmark?.() ?? null) : null
      if (cursor === null || this.#open.length > 0) return given
      if (earliest === null || compareCursors(cursor, earliest) < 0) earliest = cursor
    }
    if (earliest === null || given === null || given === AFTER_EARLIEST) return earliest ?? given
    return compareCursors(earliest, given) < 0 ? given : earliest
  }

  async #close(): Promise<void> {
    this.#isClosed = true
    this.#open = []
    for (const { pull } of this.#sources) pull.reader = null
    await Promise.all(this.#sources.map(({ subscription }) => subscription.return()))
    this.onReadable()
  }
}
