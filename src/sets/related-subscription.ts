/**
 * Sets, between stages 6 and 7. A subscription whose conditions ask other rows. It reads the log, one transaction after the other, as fast as
 * its consumer takes what comes of it, and nothing waits for it but its position. Of each it gives what it wrote, then what it moved into
 * sight or out of it. A resumed one brings sets of its own through what it has missed, and then asks those that all share.
 */
import { AsyncIteration, DONE } from '../async-iteration.ts'
import { AFTER_EARLIEST, type DeliveryPull } from '../bus/bus.ts'
import { primaryKeyOf } from '../catalog/row-key.ts'
import { type Cursor, parseCursor, partialCursorOf } from '../changes/cursor.ts'
import { asError } from '../describe-error.ts'
import type { RowcastError } from '../errors.ts'
import { type Lsn, toLsn } from '../wire/lsn.ts'
import { Answers } from './answers.ts'
import { firstRowsLate, type PageHolder } from './held-pages.ts'
import { cursorAt, type LastGiven, lastOf } from './last-given.ts'
import { LatestAnswers, type LatestAnswersSource } from './latest-answers.ts'
import { leftWaiting } from './left-waiting.ts'
import { LiveView } from './live-view.ts'
import { type LogTransaction, nextRetained } from './log-transactions.ts'
import type { AudienceMember } from './related-audiences.ts'
import { aheadOf, beginningOf, laterCursor, modelsOf, ordinalBefore } from './related-beginning.ts'
import { type RelatedEvent, type TransactionEvent, withLast } from './related-event.ts'
import { firstMoment, firstRowsOf } from './related-first-rows.ts'
import type { RelatedHost, RelatedRequest } from './related-request.ts'
import type { StreamTransaction } from './rows-at.ts'
import { SetGraph } from './set-graph.ts'
import type { SettledWrite } from './settled-writes.ts'
import { eventsOf } from './transaction-events.ts'

/** Of so many transactions that concern it it is remembered which; behind more, it reads all there are. */
const DUE_MAX = 256

/** One subscription. */
export class RelatedSubscription extends AsyncIteration<RelatedEvent> implements PageHolder, AudienceMember {
  /** Its own model, those of its sets, and those that its rights depend on. */
  readonly models: ReadonlySet<string>
  readonly model: string
  readonly account: RelatedRequest['account']
  readonly #host: RelatedHost
  readonly #request: RelatedRequest
  readonly #view: LiveView
  readonly #isInitial: boolean
  readonly #after: Cursor | null
  readonly #events: AsyncGenerator<RelatedEvent, void, void>
  readonly #answers: Answers<RelatedEvent> | LatestAnswers
  /** The transaction up to which all has been given; null until it has begun. While it rests, that is the last one there is. */
  #ordinal: number | null = null
  /** Of the transaction that it goes on within: the last change that was given before. */
  #given: { readonly ordinal: number; readonly index: number } | null = null
  /** Sets of its own, while it catches up. */
  #own: SetGraph | null = null
  /** Whether it has the sets that all share, as they are now. */
  #isShared = false
  #last: LastGiven | null
  /** The position of its cursor, where another process gave that and this one has not come as far. */
  ahead: Lsn | null = null
  /** What it has for a cursor until all first rows have come; null where there are none to come any more. */
  #partialCursor: string | null = null
  isEnded = false
  isBehind = true
  /** Set while it has everything there is. */
  #wake: (() => void) | null = null
  /** The transactions that concern it, of those that have come; null while it reads all there are. */
  #due: number[] | null = null

  /** @throws BAD_CURSOR */
  constructor(host: RelatedHost, request: RelatedRequest) {
    super()
    const { model, after } = request
    this.#host = host
    this.#request = request
    this.model = model.name
    this.account = request.account
    this.models = modelsOf(request)
    this.#view = new LiveView(host, request)
    this.#isInitial = request.isInitial === true && after === undefined
    this.#after = after === undefined || after === AFTER_EARLIEST ? null : parseCursor(after)
    this.#last = this.#after === null ? null : (after ?? null)
    this.#events = this.#follow()
    const source: LatestAnswersSource = {
      pull: async () => (await this.#events.next()).value ?? null,
      onGiven: (event) => this.#note(event),
      onFailed: (error) => this.end(asError(error)),
      onEmpty: () => this.#sayCaughtUp(),
      workedOut: () => Math.min(this.#reached, this.#view.knownUpTo),
      newest: () => host.graph?.ordinal ?? 0,
      sightAt: (ordinal) => this.#view.sightAt(ordinal),
      whenLate: () => this.whenLate() ?? firstRowsLate(),
    }
    this.#answers = request.conflates ? new LatestAnswers(request, host.reading, source) : new Answers(source)
  }

  /** Everything up to this transaction has been given; null for one that has everything there is, or has not begun. */
  get behindFrom(): number | null {
    return ordinalBefore(this.#answers.needed) ?? (this.#wake === null ? this.#ordinal : null)
  }

  /** The transaction up to which it has all. What came while it rests did not concern it: nobody has counted it on. */
  get #reached(): number {
    const isAtRest = this.#due !== null && this.#wake !== null
    return Math.max(this.#ordinal ?? 0, isAtRest ? (this.#host.graph?.ordinal ?? 0) : 0)
  }

  get hasBegun(): boolean {
    return this.#ordinal !== null
  }

  /** Where to go on: behind what it was given last, or what it has gone past since; null where it has not begun. */
  get lastCursor(): string | null {
    const { history } = this.#host
    if (this.#partialCursor !== null) return this.#partialCursor
    const last = this.#last === null ? null : cursorAt(this.#last)
    if (history === null || this.#ordinal === null) return last
    return laterCursor(history, last, ordinalBefore(this.#answers.first) ?? this.#reached)
  }

  /** Behind its first rows there is a cursor to go on after. */
  whenLate(): RowcastError | null {
    return this.#partialCursor === null ? leftWaiting(this.lastCursor) : null
  }

  /** The stream has begun, or more is known of what came before. */
  notice(): void {
    if (this.#ordinal === null) this.#beginSafely()
    if (this.#due === null) this.#wake?.()
  }

  concern({ ordinal }: StreamTransaction, writes: readonly SettledWrite[] | null): void {
    // A stream that catches up comes by what stands before the cursor.
    if (this.#ordinal !== null && ordinal <= this.#ordinal) return
    if (this.#due === null || (writes !== null && this.#gives(ordinal, writes))) return
    // It has been given all that came before.
    if (this.#wake !== null) this.#ordinal = ordinal - 1
    this.#due.push(ordinal)
    if (this.#due.length > DUE_MAX) {
      this.#due = null
      this.#view.unwatch()
    }
    this.#host.fellBehind(this)
    this.#wake?.()
  }

  /** Gives at once what a transaction wrote, where it has been given all before it; else its loop does. */
  #gives(ordinal: number, writes: readonly SettledWrite[]): boolean {
    if (this.#wake === null || this.#due?.length !== 0 || this.#answers.isFull) return false
    if (this.#given?.ordinal === ordinal) return false
    this.#ordinal = ordinal
    this.#answers.offer(writes)
    if (this.#answers.waiting > 0) this.#host.fellBehind(this)
    return true
  }

  /** What is there, for whoever takes it and does not wait. */
  get pull(): DeliveryPull<RelatedEvent> {
    return this.#answers
  }

  next() {
    return this.#answers.next()
  }

  return(): Promise<IteratorResult<RelatedEvent>> {
    this.end(null)
    this.#answers.forgetFailure()
    return Promise.resolve(DONE)
  }

  /** Ends it: normally, or with the error. What has not been taken is found after the last cursor. */
  end(error: Error | null): void {
    if (this.isEnded) return
    this.isEnded = true
    this.#view.release()
    this.#host.reading.held.letGo(this)
    this.#host.forget(this, error)
    this.#wake?.()
    this.#answers.end(error)
  }

  #note(event: RelatedEvent): void {
    if (event.kind === 'ready') this.#partialCursor = null
    this.#last = lastOf(event)
    this.#sayCaughtUp()
  }

  #sayCaughtUp(): void {
    if (this.#wake !== null && this.#due !== null && this.#answers.waiting === 0) this.#host.caughtUp(this)
  }

  async *#follow(): AsyncGenerator<RelatedEvent, void, void> {
    while (this.#ordinal === null && !this.isEnded) await this.#untilBegun()
    if (this.#ordinal === null || this.isEnded) return
    if (this.#isInitial) yield* this.#firstRows()
    else await this.#view.begin(this.#ordinal)
    while (!this.isEnded) {
      const transaction = this.#nextTransaction()
      if (transaction !== null) {
        yield* withLast(this.#eventsOf(transaction))
        this.#ordinal = transaction.ordinal
        this.#own?.prune(transaction.ordinal)
        this.#answers.settle()
        await this.#host.reading.turns?.wait()
      } else if (!this.#isShared) await this.#share()
      else await this.#nothingMore()
    }
  }

  async #untilBegun(): Promise<void> {
    if (this.ahead === null) return this.#nothingMore()
    await this.#host.whenReached(this.ahead)
    if (this.#ordinal === null) this.#beginSafely()
  }

  /** The rows as they were after the transaction that it begins behind. */
  async *#firstRows(): AsyncGenerator<RelatedEvent, void, void> {
    const first = await firstMoment(this.#host, this.#request.model, this.#ordinal ?? 0)
    if (first === null || this.isEnded) return
    const { ordinal, cursor } = first
    this.#ordinal = ordinal
    await this.#view.begin(ordinal)
    const live = await this.#view.rows()
    yield* firstRowsOf(this.#host.reading, {
      ...{ live, ordinal, cursor, holder: this },
      keyOf: (row) => primaryKeyOf(this.#request.model, row),
    })
  }

  #nextTransaction(): LogTransaction | null {
    const { history } = this.#host
    if (this.#ordinal === null || history === null) return null
    if (this.#due !== null) {
      const due = this.#due.shift()
      if (due === undefined) return null
      this.#ordinal = due - 1
    }
    return nextRetained(history.log, this.models, this.#ordinal)
  }

  /** From here on its sets are those that all share, once these are there. */
  async #share(): Promise<void> {
    const { graph } = this.#host
    const ordinal = Math.max(this.#ordinal ?? 0, graph?.ordinal ?? 0)
    if (graph !== null && this.#own !== null) await this.#view.holdOnceReady(graph)
    else await this.#view.rows()
    this.#own = null
    this.#ordinal = ordinal
    this.#isShared = true
  }

  /** It has everything: from here on it is called where something concerns it. */
  #nothingMore(): Promise<void> {
    const { graph } = this.#host
    if (graph !== null && this.#ordinal !== null && !this.isEnded) {
      this.#ordinal = Math.max(this.#ordinal, graph.ordinal)
      if (this.#due === null) this.#view.watch(this)
      this.#due ??= []
    }
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = null
        resolve()
      }
      this.#answers.settle()
      this.#sayCaughtUp()
    })
  }

  async *#eventsOf(transaction: LogTransaction): AsyncGenerator<TransactionEvent, void, void> {
    this.#own?.advance(transaction)
    const live = await this.#view.through(transaction)
    if (this.isEnded) return
    const given = this.#given?.ordinal === transaction.ordinal ? this.#given.index : -1
    yield* eventsOf(this.#host.reading, {
      ...{ request: this.#request, transaction, given, holder: this, live },
      relatedChanges: () => this.#view.relatedChanges(live, transaction),
    })
  }

  #beginSafely(): void {
    const { history, graph } = this.#host
    if (history === null || graph === null || this.isEnded) return
    // What comes after a cursor of the process before is for those who have missed nothing: it is asked again once that is known.
    const isUndecided = (model: string) => history.isUndecided(this.#after, model)
    if (this.#request.after !== undefined && [...this.models].some(isUndecided)) return
    this.ahead = this.#host.isShared ? aheadOf(history, this.models, this.#after) : null
    if (this.ahead !== null) return
    try {
      const begun = beginningOf({ history, graph }, this.models, this.#request, this.#after)
      this.#ordinal = begun.ordinal
      this.#given = begun.given
      const lsn = toLsn(BigInt(begun.ordinal))
      if (this.#isInitial) this.#partialCursor = partialCursorOf(history.cursorBehind(lsn))
      if (begun.needsOwnSets) this.#own = new SetGraph(begun.ordinal, this.#host.reading)
      // Whoever waits for a change learns now that there are no sets to judge it by.
      this.#view.hold(this.#own ?? graph, (error) => this.end(asError(error)))
    } catch (error) {
      this.end(asError(error))
    }
  }
}
