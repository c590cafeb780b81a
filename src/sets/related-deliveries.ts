/** Sets, between stages 6 and 7. A subscription whose conditions ask other rows, as whoever serves clients takes it: in the shape of deliveries. */
import type { AnyRow } from '../changes/change.ts'
import type { RelatedEvent } from './related-event.ts'
import { type ChangeEvent, type EventSubscription, readOf, readyOf } from './row-subscription.ts'

const NOTHING_WRITTEN = { writtenBy: null } as const

/** It as deliveries. @param copy gives a row with nothing of it shared */
export class RelatedDeliveries implements EventSubscription {
  readonly #model: string
  readonly #events: AsyncIterableIterator<RelatedEvent>
  readonly #copy: (row: AnyRow) => AnyRow

  constructor(model: string, events: AsyncIterableIterator<RelatedEvent>, copy: (row: AnyRow) => AnyRow) {
    this.#model = model
    this.#events = events
    this.#copy = copy
  }

  async next(): Promise<IteratorResult<ChangeEvent>> {
    const result = await this.#events.next()
    return result.done === true
      ? { done: true, value: undefined }
      : { done: false, value: this.#given(result.value) }
  }

  async return(): Promise<IteratorResult<ChangeEvent>> {
    await this.#events.return?.()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #given(event: RelatedEvent): ChangeEvent {
    const model = this.#model
    if (event.kind === 'written') {
      const { change, judgement, isLast } = event
      const { transition, hidesOld, hidesNew } = judgement
      return { change, transition, hidesOld, hidesNew, isLastOfTransaction: isLast }
    }
    if (event.kind === 'ready') return readyOf(model, event.cursor)
    const { key, row, cursor } = event
    const read = { ...NOTHING_WRITTEN, model, key, cursor }
    if (event.kind === 'first')
      return readOf({ ...read, row, cause: 'INITIAL', transition: 'ENTERED' }, this.#copy)
    const { transition, cause, transaction, index, isLast } = event
    const shown = transition === 'LEFT' ? null : row
    return readOf({ ...read, row: shown, cause, transition, transaction, index }, this.#copy, isLast)
  }
}
