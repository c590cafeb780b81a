/** Sets, between stages 6 and 7. A subscription whose conditions ask other rows, as whoever serves clients takes it: in the shape of deliveries. */
import { MappedIteration } from '../async-iteration.ts'
import type { DeliveryPull, DeliveryReader } from '../bus/bus.ts'
import { cannotGoOn } from '../bus/resync-required.ts'
import type { AnyRow } from '../changes/change.ts'
import { isRowcastError, RowcastError } from '../errors.ts'
import type { RelatedEvent } from './related-event.ts'
import { type ChangeEvent, type EventSubscription, readOf, readyOf } from './row-subscription.ts'

const NOTHING_WRITTEN = { writtenBy: null } as const

/**
 * It as deliveries. What ends it names no other model: which rows a policy asks is not for clients.
 * @param copy gives a row with nothing of it shared
 * @param isAsked whether the client's own filter follows relations, and not a policy alone. @default false
 */
export function relatedDeliveries(
  model: string,
  events: RelatedEvents,
  copy: (row: AnyRow) => AnyRow,
  isAsked = false,
): EventSubscription {
  return new RelatedDeliveries(
    events,
    (event) => given(event, model, copy),
    (error) => ownError(error, model, isAsked),
  )
}

/** What a subscription gives. */
type RelatedEvents = AsyncIterableIterator<RelatedEvent> & { readonly pull?: DeliveryPull<RelatedEvent> }

class RelatedDeliveries
  extends MappedIteration<RelatedEvent, ChangeEvent>
  implements EventSubscription, DeliveryPull<ChangeEvent>
{
  readonly #pull: DeliveryPull<RelatedEvent> | undefined
  readonly #given: (event: RelatedEvent) => ChangeEvent

  constructor(
    events: RelatedEvents,
    givenOf: (event: RelatedEvent) => ChangeEvent,
    failureOf: (error: unknown) => unknown,
  ) {
    super(events, givenOf, failureOf)
    this.#pull = events.pull
    this.#given = givenOf
  }

  get pull(): this | undefined {
    return this.#pull === undefined ? undefined : this
  }

  get isEnded(): boolean {
    return this.#pull?.isEnded === true
  }

  get reader(): DeliveryReader | null {
    return this.#pull?.reader ?? null
  }

  set reader(reader: DeliveryReader | null) {
    if (this.#pull !== undefined) this.#pull.reader = reader
  }

  take(): ChangeEvent | undefined {
    const event = this.#pull?.take()
    return event === undefined ? undefined : this.#given(event)
  }
}

function given(event: RelatedEvent, model: string, copy: (row: AnyRow) => AnyRow): ChangeEvent {
  if (event.kind === 'written') {
    const { change, judgement, isLast, heard } = event
    const { transition, hidesOld, hidesNew } = judgement
    return { change, transition, hidesOld, hidesNew, isLastOfTransaction: isLast, heard }
  }
  if (event.kind === 'ready') return readyOf(model, event.cursor)
  const { key, row, cursor } = event
  const read = { ...NOTHING_WRITTEN, model, key, cursor }
  if (event.kind === 'first') return readOf({ ...read, row, cause: 'INITIAL', transition: 'ENTERED' }, copy)
  const { transition, cause, transaction, index, isLast } = event
  const shown = transition === 'LEFT' ? null : row
  const delivery = readOf({ ...read, row: shown, cause, transition, transaction, index }, copy, isLast)
  return event.heard === undefined ? delivery : { ...delivery, heard: event.heard }
}

/** The error without what it says of other models; whoever reads the log finds that as its cause. */
function ownError(error: unknown, model: string, isAsked: boolean): unknown {
  if (!isRowcastError(error) || !error.isPublic || error.details['model'] === model) return error
  const { code, details } = error
  if (isAsked && code === 'FILTER_TOO_BROAD')
    return new RowcastError(code, `The filter of ${model} asks about more related rows than are followed.`, {
      cause: error,
    })
  if (code === 'FILTER_TOO_BROAD' || code === 'FILTER_UNANSWERABLE')
    return new RowcastError('POLICY_FAILED', `The policy \`rows\` of ${model} cannot be followed.`, {
      cause: error,
    })
  if (code !== 'RESYNC_REQUIRED' || (details['model'] === undefined && details['reason'] !== undefined))
    return error
  return cannotGoOn('what is asked of related rows cannot be followed from here', model, error)
}
