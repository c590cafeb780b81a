/** Beside the spine, sets. The changes that one thing depends on: of each model that it asks. */
import type { BusSubscription, Delivery } from '../bus/bus.ts'
import { MergedSubscription, type TransactionDeliveries } from '../bus/merged-subscription.ts'
import { cannotGoOn, isLeftBehind } from '../bus/resync-required.ts'
import type { StreamOrigin } from '../changes/change-position.ts'
import { isSameOrigin, parseCursor } from '../changes/cursor.ts'
import type { Lsn } from '../wire/lsn.ts'
import type { IncludedRelation } from './included-relation.ts'
import type { ReadRelation } from './read-relation.ts'

/** Changes of one model. */
export interface FollowedModel {
  readonly subscription: BusSubscription
  /** What they are followed for: related rows of the rows that are kept; none where they are the rows' own, or decide about them. */
  readonly relations: readonly IncludedRelation[]
  /** Relations that are read with the rows, and again after such a change where it may concern them. @default none */
  readonly asked?: readonly ReadRelation[] | undefined
}

/** A change. */
export interface TakenChange extends Pick<FollowedModel, 'relations' | 'asked'> {
  readonly delivery: Delivery
  /** Whether the transaction has no later one. */
  readonly isLast: boolean
}

/** Several subscriptions: taken from one after the other, or, where some are followed for related rows, in commit order. */
export class ChangesOfModels {
  readonly #subscribe: (after: string) => readonly FollowedModel[]
  #changes: readonly FollowedModel[] = []
  #merged: MergedSubscription | null = null
  #part: TransactionDeliveries | null = null
  /** Of the part, those that were taken. */
  #taken = 0
  /** Of the cursor that it was opened at first. */
  #origin: StreamOrigin | null = null

  constructor(subscribe: (after: string) => readonly FollowedModel[]) {
    this.#subscribe = subscribe
  }

  get isOpen(): boolean {
    return this.#changes.length > 0
  }

  /** @throws RESYNC_REQUIRED where another server has taken over since it was opened before */
  open(after: string): void {
    this.#check(parseCursor(after).origin)
    this.#changes = this.#subscribe(after)
    if (this.#changes.some((each) => !isOfRows(each)))
      this.#merged = new MergedSubscription(
        this.#changes.map(({ subscription }) => subscription),
        after,
      )
  }

  /** It may be opened again. */
  close(): void {
    const changes = this.#changes
    this.#changes = []
    this.#merged = null
    this.#part = null
    for (const { subscription } of changes) void subscription.return()
  }

  /** All that is there by now. @throws RESYNC_REQUIRED at a change of another server */
  *taken(): Iterable<TakenChange> {
    if (this.#merged !== null) yield* this.#takenInOrder(this.#merged)
    else
      for (const { subscription, relations } of this.#changes)
        for (;;) {
          const delivery = subscription.pull?.take()
          if (delivery === undefined) break
          this.#check(delivery.change.transaction.origin)
          yield { delivery, relations, isLast: delivery.isLastOfTransaction }
        }
  }

  /** Whoever stops in between goes on there. */
  *#takenInOrder(merged: MergedSubscription): Iterable<TakenChange> {
    for (;;) {
      if (this.#part === null) this.#taken = 0
      this.#part ??= merged.take() ?? null
      if (this.#part === null) return
      const { deliveries, sources, isLast } = this.#part
      const at = this.#taken
      const delivery = deliveries[at] as Delivery
      this.#taken += 1
      const isLastOfPart = this.#taken === deliveries.length
      if (isLastOfPart) this.#part = null
      this.#check(delivery.change.transaction.origin)
      const { relations = [], asked } = this.#changes[sources[at] ?? 0] ?? {}
      yield { delivery, relations, asked, isLast: isLast && isLastOfPart }
    }
  }

  /** The bookmark of the first of them, where each has come to the position; else null. @throws RESYNC_REQUIRED where it is another server's */
  bookmarkUpTo(commitLsn: Lsn): string | null {
    if (this.#part !== null || this.#merged?.isEmpty === false) return null
    const bookmarks = this.#changes.map(({ subscription }) => subscription.pull?.bookmark?.() ?? null)
    const hasCome = (each: string | null) =>
      each !== null && parseCursor(each).position.commitLsn >= commitLsn
    const [first = null] = bookmarks
    if (first === null || !bookmarks.every(hasCome)) return null
    this.#check(parseCursor(first).origin)
    return first
  }

  /** Called once something can be taken. */
  onReadable(call: () => void): void {
    const reader = { onReadable: call }
    if (this.#merged !== null) this.#merged.reader = reader
    else
      for (const { subscription } of this.#changes)
        if (subscription.pull !== undefined) subscription.pull.reader = reader
  }

  /** Asked in the turn in which all was taken: what comes later is said to whoever waits to read. */
  get hasEnded(): boolean {
    if (this.#merged !== null) return this.#merged.isEnded
    return this.#changes.some(({ subscription }) => subscription.pull?.isEnded === true)
  }

  /** `left behind` where changes came faster than they were taken. @throws how it ended otherwise */
  async end(): Promise<'left behind' | 'over'> {
    const ended =
      this.#merged ??
      this.#changes.find(({ subscription }) => subscription.pull?.isEnded === true)?.subscription
    try {
      await ended?.next()
      return 'over'
    } catch (error) {
      if (!isLeftBehind(error)) throw error
      return 'left behind'
    }
  }

  /** The rows of one server and the changes of another do not fit. */
  #check(origin: StreamOrigin): void {
    this.#origin ??= origin
    if (!isSameOrigin(origin, this.#origin)) throw cannotGoOn('another server has taken over')
  }
}

/** Whether they are changes of the rows that are kept, or decide about them, and not of related ones. */
export function isOfRows({ relations, asked = [] }: Pick<FollowedModel, 'relations' | 'asked'>): boolean {
  return relations.length === 0 && asked.length === 0
}

/** Whose rows have related ones. */
interface RelatedRowsWaiter {
  readonly view: {
    isConcerned?(delivery: Delivery, relations: readonly IncludedRelation[]): boolean
  }
  readonly whenVisible: (xid: number) => Promise<void>
}

/** Whoever shows a row reads its related rows: not before those of the change can be seen. */
export async function whenRelatedVisible(
  { view, whenVisible }: RelatedRowsWaiter,
  { delivery, relations }: TakenChange,
): Promise<void> {
  if (view.isConcerned?.(delivery, relations) === true) await whenVisible(delivery.change.transaction.xid)
}
