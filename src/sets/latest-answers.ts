/**
 * Sets, between stages 6 and 7. What a subscription that conflates gives to whoever asks it. It reads the log as fast as that grows, whoever
 * asks, and keeps the latest event of each row. It gives none before all is worked out that had come when it was asked: a right that is taken
 * away meanwhile takes what waits with it.
 */
import { DONE } from '../async-iteration.ts'
import type { DeliveryPull, DeliveryReader } from '../bus/bus.ts'
import type { AnyRow } from '../changes/change.ts'
import type { RowcastError } from '../errors.ts'
import type { AnswersSource } from './answers.ts'
import type { PageHolder } from './held-pages.ts'
import { LatestEvents, type WaitingEvent } from './latest-events.ts'
import type { RelatedEvent } from './related-event.ts'
import type { RelatedReading, RelatedRequest } from './related-request.ts'
import { rowIdOf } from './written-rows.ts'

/** Who gives the events. */
export interface LatestAnswersSource extends AnswersSource<RelatedEvent> {
  /** The transaction up to which all is worked out. */
  workedOut(): number
  /** The one that the stream has come to. */
  newest(): number
  /** Whether the rights after a transaction, which is worked out, let a row through. */
  isSeenAt(row: AnyRow, ordinal: number): boolean
  /** What ends it where there is no room for what waits. */
  whenLate(): RowcastError
}

/** Somebody who waits for the next one. */
interface Asking {
  resolve(result: IteratorResult<RelatedEvent>): void
  reject(error: unknown): void
}

/** Events in order, to whoever waits for each or takes what is there; not to both at one time. */
export class LatestAnswers implements DeliveryPull<RelatedEvent> {
  reader: DeliveryReader | null = null
  readonly #source: LatestAnswersSource
  readonly #reading: Pick<RelatedReading, 'held' | 'bytesOf'>
  readonly #latest: LatestEvents
  readonly #asking: Asking[] = []
  readonly #holder: PageHolder
  /** Of each that waits. */
  readonly #weights = new Map<WaitingEvent, number>()
  #bytes = 0
  /** What has been judged for whoever asked, and not been given. */
  #judged: WaitingEvent[] = []
  /** What has to be worked out before the next one is given; null where nobody has asked. */
  #target: number | null = null
  #isEnded = false
  #failure: Error | null = null

  constructor(request: RelatedRequest, reading: RelatedReading, source: LatestAnswersSource) {
    const { model, asksForRows, account } = request
    this.#source = source
    this.#reading = reading
    this.#latest = new LatestEvents({ asksForRows, idOf: (key) => rowIdOf(model, key) })
    this.#holder = { account, whenLate: () => source.whenLate(), end: (error) => source.onFailed(error) }
    void this.#read()
  }

  get waiting(): number {
    return this.#latest.size + this.#judged.length
  }

  /** The first of these. */
  get first(): WaitingEvent | undefined {
    return this.#judged[0] ?? this.#latest.first
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
    if (this.#isEnded || events.length === 0) return
    for (const event of events) {
      this.#weigh(event)
      for (const dropped of this.#latest.add(event)) this.#forget(dropped)
    }
    this.#hold()
    this.settle()
  }

  /** More is worked out. */
  settle(): void {
    this.#serve()
    if (this.waiting > 0 && this.#asking.length === 0) this.reader?.onReadable()
  }

  /** Nothing more is given. Whoever asks first gets the failure. */
  end(failure: Error | null): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#failure = failure
    this.#latest.clear()
    this.#judged = []
    this.#weights.clear()
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
        // There are no first rows for whoever conflates.
        if (event.kind === 'written' || event.kind === 'moved') this.offer([event])
      }
    } catch (error) {
      this.#source.onFailed(error)
    }
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

  /** The next one, once all is worked out that had come when it was asked for. */
  #next(): WaitingEvent | undefined {
    const known = this.#judged.shift()
    if (known !== undefined) return known
    const workedOut = this.#source.workedOut()
    this.#target ??= this.#source.newest()
    if (workedOut < this.#target) return undefined
    this.#target = null
    for (;;) {
      const { first } = this.#latest
      if (first === undefined) return undefined
      const [event, ...others] = this.#latest.shift((row) => this.#source.isSeenAt(row, workedOut))
      this.#forget(first)
      this.#reading.held.move(this.#holder)
      this.#hold()
      this.#judged = others
      if (event !== undefined) return event
    }
  }

  #weigh(event: WaitingEvent): void {
    const row = event.kind === 'moved' ? event.row : (event.change.new ?? event.change.old)
    const weight = row === null ? 0 : this.#reading.bytesOf([row])
    this.#weights.set(event, weight)
    this.#bytes += weight
  }

  #forget(event: WaitingEvent): void {
    this.#bytes -= this.#weights.get(event) ?? 0
    this.#weights.delete(event)
  }

  /** What waits is counted for the process and for the client; where there is no room for it, it is found after the cursor. */
  #hold(): void {
    const { held } = this.#reading
    const isRoom = held.fits(this.#bytes, this.#holder) && this.#holder.account?.isFull !== true
    if (this.#latest.size === 0) held.letGo(this.#holder)
    else if (isRoom) held.resize(this.#holder, { rows: [], bytes: this.#bytes })
    else this.#source.onFailed(this.#source.whenLate())
  }
}
