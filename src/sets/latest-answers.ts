/**
 * Sets, between stages 6 and 7. What a subscription that conflates gives to whoever asks it. It reads the log as fast as that grows, whoever
 * asks, and keeps the latest event of each row, behind the rows that it begins with. It gives none before all is worked out that has come: a
 * right that is taken away meanwhile takes what waits with it.
 */
import { DONE } from '../async-iteration.ts'
import type { DeliveryPull, DeliveryReader } from '../bus/bus.ts'
import type { DropReason } from '../bus/bus-observer.ts'
import { primaryKeyOf } from '../catalog/row-key.ts'
import type { AnyRow } from '../changes/change.ts'
import { isRowcastError, type RowcastError } from '../errors.ts'
import type { AnswersSource } from './answers.ts'
import type { RowsReady } from './first-rows.ts'
import type { PageHolder } from './held-pages.ts'
import { LatestEvents, type SightOfNow, type WaitingEvent } from './latest-events.ts'
import type { RelatedEvent } from './related-event.ts'
import type { RelatedReading, RelatedRequest } from './related-request.ts'
import { WaitingFirstRows } from './waiting-first-rows.ts'
import { rowIdOf } from './written-rows.ts'

/** Who gives the events. */
export interface LatestAnswersSource extends AnswersSource<RelatedEvent> {
  /** The transaction up to which all is worked out, and it is known who may see what. */
  workedOut(): number
  /** The one that the stream has come to. */
  newest(): number
  /** What the rights after a transaction, which is worked out, let through. */
  sightAt(ordinal: number): SightOfNow
  /** Nothing waits any more. */
  onEmpty(): void
  /** What ends it where there is no room for what waits. */
  whenLate(): RowcastError
}

/** Somebody who waits for the next one. */
interface Asking {
  resolve(result: IteratorResult<RelatedEvent>): void
  reject(error: unknown): void
}

/** What waits beside its images: its own objects and those of its slot, and the id of its row. */
const EVENT_BYTES = 512
/** What a row has heard of, beside the image of the related row. */
const VIA_BYTES = 128

/** Events in order, to whoever waits for each or takes what is there; not to both at one time. */
export class LatestAnswers implements DeliveryPull<RelatedEvent> {
  reader: DeliveryReader | null = null
  readonly #source: LatestAnswersSource
  readonly #reading: Pick<RelatedReading, 'held' | 'bytesOf' | 'turns'>
  readonly #latest: LatestEvents
  readonly #first: WaitingFirstRows
  readonly #onDropped: (count: number, why: DropReason) => void
  readonly #asking: Asking[] = []
  readonly #holder: PageHolder
  #isEnded = false
  #failure: Error | null = null

  constructor(request: RelatedRequest, reading: RelatedReading, source: LatestAnswersSource) {
    const { model, asksForRows, account } = request
    this.#source = source
    this.#reading = reading
    this.#onDropped = (count, why) => reading.observer?.onDropped?.(model.name, count, why)
    this.#first = new WaitingFirstRows((row) => primaryKeyOf(model, row))
    this.#latest = new LatestEvents({
      asksForRows,
      idOf: (key) => rowIdOf(model, key),
      weigh: (event) => reading.bytesOf(imagesOf(event)) + bytesBeside(event),
      onDropped: (count) => this.#onDropped(count, 'conflated'),
    })
    this.#holder = { account, whenLate: () => source.whenLate(), end: (error) => source.onFailed(error) }
    void this.#read()
  }

  get waiting(): number {
    return this.#first.size + this.#latest.size
  }

  /** The first of these, behind the rows that it begins with. */
  get first(): WaitingEvent | undefined {
    return this.#latest.first
  }

  /** None of these is read from the log once more. */
  get needed(): undefined {
    return undefined
  }

  get isFull(): boolean {
    return false
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  take(): RelatedEvent | undefined {
    if (this.#asking.length > 0) return undefined
    const event = this.#next()
    if (event !== undefined) this.#source.onGiven(event)
    return event
  }

  next(): Promise<IteratorResult<RelatedEvent>> {
    return new Promise((resolve, reject) => {
      this.#asking.push({ resolve, reject })
      this.#serve()
    })
  }

  /** These have come. */
  offer(events: readonly WaitingEvent[]): void {
    for (const event of events) {
      if (this.#isEnded) return
      this.#keep(event)
    }
    this.settle()
  }

  /** More is worked out. */
  settle(): void {
    this.#serve()
    if (this.#isEnded) return
    if (this.waiting === 0) this.#source.onEmpty()
    else if (this.#isWorkedOut && this.#asking.length === 0) this.reader?.onReadable()
  }

  /** Nothing more is given. Whoever asks first gets the failure. */
  end(failure: Error | null): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#failure = failure
    if (isRowcastError(failure, 'SUBSCRIBER_TOO_SLOW') && this.#latest.size > 0)
      this.#onDropped(this.#latest.size, 'too_slow')
    this.#latest.clear()
    this.#first.clear()
    this.#reading.held.letGo(this.#holder)
    this.#serve()
    this.reader?.onReadable()
  }

  /** Nobody wants to know why it ended. */
  forgetFailure(): void {
    this.#failure = null
  }

  /** Reads all there is, from the next turn on: whoever it is of is there by then. */
  async #read(): Promise<void> {
    await Promise.resolve()
    try {
      while (!this.#isEnded) {
        const event = await this.#source.pull()
        if (event === null) return this.end(null)
        if (event.kind === 'first') this.#first.add(event)
        else if (event.kind === 'ready') this.#close(event)
        else this.offer([event])
        await this.#reading.turns?.wait()
      }
    } catch (error) {
      this.#source.onFailed(error)
    }
  }

  /** All first rows have come. Until then they are counted where they were read. */
  #close(ready: RowsReady): void {
    if (this.#isEnded) return
    this.#first.close(ready, (rows) => this.#reading.bytesOf(rows))
    this.#count(this.#bytes)
    this.settle()
  }

  get #bytes(): number {
    return this.#first.bytes + this.#latest.bytes
  }

  #serve(): void {
    while (this.#asking.length > 0) {
      const event = this.#next()
      if (event === undefined && !this.#isEnded) return
      const { resolve, reject } = this.#asking.shift() as Asking
      if (event !== undefined) {
        this.#source.onGiven(event)
        resolve({ done: false, value: event })
      } else if (this.#failure === null) resolve(DONE)
      else {
        const failure = this.#failure
        this.#failure = null
        reject(failure)
      }
    }
  }

  get #isWorkedOut(): boolean {
    return this.#source.workedOut() >= this.#source.newest()
  }

  /** The next one, where all is worked out that has come; judged by the rights of then. */
  #next(): RelatedEvent | undefined {
    if (this.waiting === 0 || !this.#isWorkedOut) return undefined
    const sight = this.#source.sightAt(this.#source.workedOut())
    while (this.waiting > 0) {
      const event = (this.#first.size > 0 ? this.#first : this.#latest).shift(sight)
      this.#reading.held.move(this.#holder)
      this.#count(this.#bytes)
      if (event !== undefined) return event
    }
    this.#source.onEmpty()
    return undefined
  }

  /** Where there is no room for what has come, it is found after the cursor. */
  #keep(event: WaitingEvent): void {
    const { held } = this.#reading
    const added = this.#latest.add(event)
    const bytes = this.#bytes
    // What it replaces makes room for it.
    this.#count(bytes - added)
    const isRoom = held.fits(bytes, this.#holder) && this.#holder.account?.isFull !== true
    if (added === 0 || isRoom) this.#count(bytes)
    else this.#source.onFailed(this.#source.whenLate())
  }

  /** What waits is counted for the process and for the client. */
  #count(bytes: number): void {
    const { held } = this.#reading
    if (bytes === 0) held.letGo(this.#holder)
    else held.resize(this.#holder, { rows: [], bytes })
  }
}

function imagesOf(event: WaitingEvent): readonly AnyRow[] {
  const own = event.kind === 'moved' ? [event.row] : [event.change.old, event.change.new]
  const related = event.heard?.via.map(({ image }) => image) ?? []
  return [...own, ...related].filter((row) => row !== null)
}

function bytesBeside({ heard }: WaitingEvent): number {
  return EVENT_BYTES + VIA_BYTES * (heard?.via.length ?? 0)
}
