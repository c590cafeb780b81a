/**
 * Beside the spine, sets. First rows as whoever serves clients takes them: rows and READY in the shape of deliveries, what is there in one go,
 * and from READY on the bus's own deliveries, which subscriptions share.
 */
import { AsyncIteration, DONE } from '../async-iteration.ts'
import type {
  BusSubscription,
  Delivery,
  DeliveryPull,
  DeliveryReader,
  SubscriptionRequest,
} from '../bus/bus.ts'
import type { Transition } from '../bus/filter/judge-change.ts'
import type { AnyRow, TransactionInfo } from '../changes/change.ts'
import type { FirstRows, FirstRowsEvent } from './first-rows.ts'
import type { HeardOf, IncludedRelation } from './included-relation.ts'
import type { Rights } from './rights.ts'

/** What a subscription with first rows is asked for. */
export interface RowsRequest
  extends Pick<SubscriptionRequest, 'model' | 'filter' | 'signal' | 'overflow' | 'label' | 'account'> {
  /** The filter once more, as Prisma Client takes it: a `where` for each part, all of which hold. */
  readonly conditions: readonly object[]
  /** @default 500 */
  readonly pageSize?: number | undefined
  /** What else was asked for and says nothing of a set of rows, by name: refused where it is there. */
  readonly refused: Readonly<Record<string, unknown>>
  /** Where the filter follows what code answers. */
  readonly rights?: Rights | undefined
  /** Relations whose changes are heard of. @default none */
  readonly include?: readonly IncludedRelation[] | undefined
}

/** A row that no write brought, or READY, beside the changes: what it has in common with them. */
export interface ReadChange {
  readonly model: string
  readonly action: 'READ' | 'READY'
  readonly cause: 'INITIAL' | 'ACCESS' | 'RELATION' | 'INCLUDED' | null
  /** The transaction that moved the row into sight or out of it, where one did. */
  readonly transaction: TransactionInfo | null
  /** Its position there, behind all that was written. */
  readonly index: number
  /** The transaction that wrote the row, where that is known: queries see the row once they see this. */
  readonly writtenBy: TransactionInfo | null
  readonly old: null
  readonly new: AnyRow | null
  readonly key: AnyRow | null
  readonly changed: readonly never[]
  readonly unavailable: readonly never[]
  readonly cursor: string
  /** The same with rows of its own. */
  fresh(): ReadChange
}

/** It in the shape of a delivery. */
export interface ReadDelivery {
  readonly change: ReadChange
  readonly transition: Transition | null
  readonly hidesOld: false
  readonly hidesNew: false
  readonly isLastOfTransaction: boolean
}

/** What a subscription gives. */
export type ChangeEvent = (Delivery | ReadDelivery) & {
  /** Where relations are included: what the row hears of. */
  readonly heard?: HeardOf | undefined
}

/** Whether it is a row that no write brought, or READY. */
export function isRead(event: ChangeEvent): event is ChangeEvent & ReadDelivery {
  return event.change.action === 'READ' || event.change.action === 'READY'
}

/** A subscription to changes that may begin with rows. */
export interface EventSubscription extends AsyncIterableIterator<ChangeEvent> {
  readonly pull?: DeliveryPull<ChangeEvent> | undefined
  return(): Promise<IteratorResult<ChangeEvent>>
}

const NOTHING = { old: null, changed: [], unavailable: [], transaction: null, index: 0 } as const
const PLAIN = { hidesOld: false, hidesNew: false, isLastOfTransaction: false } as const

/** A row as it was read. */
export interface RowAsRead
  extends Pick<ReadChange, 'model' | 'key' | 'writtenBy' | 'cursor'>,
    Partial<Pick<ReadChange, 'transaction' | 'index'>> {
  readonly cause: NonNullable<ReadChange['cause']>
  readonly transition: Transition
  /** Null where it left. */
  readonly row: AnyRow | null
}

/** READ. @param copy gives a row with nothing of it shared */
export function readOf(
  { row, transition, ...read }: RowAsRead,
  copy: (row: AnyRow) => AnyRow,
  isLastOfTransaction = false,
): ReadDelivery {
  const changeOf = (image: AnyRow | null): ReadChange => ({
    ...NOTHING,
    ...read,
    ...{ action: 'READ', new: image },
    fresh: () => changeOf(row === null ? null : copy(row)),
  })
  return { ...PLAIN, isLastOfTransaction, change: changeOf(row), transition }
}

/** READY. */
export function readyOf(model: string, cursor: string): ReadDelivery {
  const change: ReadChange = {
    ...NOTHING,
    ...{ model, action: 'READY', cause: null, key: null, new: null, writtenBy: null, cursor },
    fresh: () => change,
  }
  return { ...PLAIN, change, transition: null }
}

/** What it is made with. */
export interface RowSubscriptionOptions {
  readonly model: string
  /** A row with nothing of it shared. */
  readonly copy: (row: AnyRow) => AnyRow
}

/** One subscription. Whoever takes from `pull` asks `next()` for the end only, or when nothing is there. */
export class RowSubscription
  extends AsyncIteration<ChangeEvent>
  implements EventSubscription, DeliveryPull<ChangeEvent>
{
  readonly #rows: FirstRows
  readonly #options: RowSubscriptionOptions
  /** The bus's own, once nothing else comes before it. */
  #live: BusSubscription | null = null
  #ahead: ChangeEvent | undefined
  #asking: Promise<void> | null = null
  #end: { readonly error: unknown } | 'normal' | null = null
  #reader: DeliveryReader | null = null

  constructor(rows: FirstRows, options: RowSubscriptionOptions) {
    super()
    this.#rows = rows
    this.#options = options
  }

  get pull(): this {
    return this
  }

  get reader(): DeliveryReader | null {
    return this.#reader
  }

  set reader(reader: DeliveryReader | null) {
    this.#reader = reader
    const live = this.#live?.pull
    if (live !== undefined) live.reader = reader
  }

  get isEnded(): boolean {
    return this.#live?.pull?.isEnded ?? this.#end !== null
  }

  /** None before READY: until then nothing can be gone on after. */
  bookmark(): string | null {
    return this.#live?.pull?.bookmark?.() ?? null
  }

  take(): ChangeEvent | undefined {
    const live = this.#livePull()
    if (live !== null) return live.take()
    if (this.#asking !== null) return undefined
    const event = this.#ahead ?? this.#given(this.#rows.take())
    this.#ahead = undefined
    if (event === undefined && this.#end === null) this.#asking = this.#ask()
    return event
  }

  async next(): Promise<IteratorResult<ChangeEvent>> {
    for (;;) {
      const event = this.take()
      if (event !== undefined) return { done: false, value: event }
      if (this.#live !== null) return this.#live.next()
      if (this.#end === 'normal') return DONE
      if (this.#end !== null) throw this.#end.error
      await this.#asking
    }
  }

  async return(): Promise<IteratorResult<ChangeEvent>> {
    this.#end ??= 'normal'
    await this.#rows.return()
    return DONE
  }

  /** The bus's own, as soon as what was read has been taken. */
  #livePull(): DeliveryPull | null {
    if (this.#live === null && this.#ahead === undefined && this.#asking === null) {
      const changes = this.#rows.changes
      if (changes?.pull !== undefined) {
        this.#live = changes
        changes.pull.reader = this.#reader
      }
    }
    return this.#live?.pull ?? null
  }

  async #ask(): Promise<void> {
    try {
      const result = await this.#rows.next()
      if (result.done === true) this.#end ??= 'normal'
      else this.#ahead = this.#given(result.value)
    } catch (error) {
      this.#end ??= { error }
    }
    this.#asking = null
    this.#reader?.onReadable()
  }

  #given(event: FirstRowsEvent | undefined): ChangeEvent | undefined {
    if (event === undefined) return undefined
    if (event.kind === 'change') return event.delivery
    const { model, copy } = this.#options
    const { cursor } = event
    if (event.kind === 'ready') return readyOf(model, cursor)
    const { transition, key, row, writtenBy } = event
    return readOf({ model, cause: 'INITIAL', transition, key, row, writtenBy, cursor }, copy)
  }
}
