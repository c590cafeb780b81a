/**
 * Sets, between stages 6 and 7. A subscription whose conditions ask other rows. It reads the log, one transaction after the other,
 * as fast as its consumer takes what comes of it, and nothing waits for it but its position. Of each transaction it gives what it
 * wrote, then what it moved into sight or out of it. A resumed one brings sets of its own through what it has missed, and then
 * asks those that all share.
 */

import { AFTER_EARLIEST } from '../bus/bus.ts'
import type { ChangeFilter } from '../bus/filter/change-filter.ts'
import type { Condition } from '../bus/filter/condition.ts'
import type { History } from '../bus/history.ts'
import { cannotGoOn, cannotResume } from '../bus/resync-required.ts'
import type { ModelSpec } from '../catalog/model-catalog.ts'
import { type Cursor, formatCursor, INDEX_AFTER_ALL, parseCursor } from '../changes/cursor.ts'
import { toLsn } from '../wire/lsn.ts'
import type { KeySetReading } from './key-set.ts'
import { LiveRows } from './live-rows.ts'
import { hasAllAfter, type LogTransaction, nextTransactionOf, ordinalOf } from './log-transactions.ts'
import type { RelatedEvent } from './related-event.ts'
import { type HeldSets, SetGraph } from './set-graph.ts'

/** What one subscription asks for. */
export interface RelatedRequest {
  readonly model: ModelSpec
  readonly filter: ChangeFilter
  /** All models that its sets are made of, its own not included unless they ask it as well. */
  readonly setModels: ReadonlySet<string>
  readonly after?: string | undefined
}

/** What it lives in. */
export interface RelatedHost {
  /** Null where there is no stream. */
  readonly history: History | null
  /** The sets that all share. Null where there is no stream. */
  readonly graph: SetGraph | null
  readonly reading: KeySetReading
  /** It has ended. */
  forget(subscription: RelatedSubscription): void
}

/** All writes of a transaction have come, and not all that they moved. */
const INDEX_AFTER_WRITES = INDEX_AFTER_ALL - 1
const DONE = { done: true, value: undefined } as const

/** One subscription. */
export class RelatedSubscription implements AsyncIterableIterator<RelatedEvent> {
  /** Its own model, and those of its sets. */
  readonly models: ReadonlySet<string>
  readonly model: string
  readonly #host: RelatedHost
  readonly #request: RelatedRequest
  readonly #conditions: readonly Condition[]
  readonly #after: Cursor | null
  readonly #events: AsyncGenerator<RelatedEvent, void, void>
  /** The transaction up to which all has been given; null until it has begun. */
  #ordinal: number | null = null
  /** Of the transaction that it goes on within: the last change that was given before. */
  #given: { readonly ordinal: number; readonly index: number } | null = null
  /** Sets of its own, while it catches up. */
  #own: SetGraph | null = null
  #held: HeldSets | null = null
  #live: LiveRows | null = null
  #lastCursor: string | null
  #isEnded = false
  #failure: Error | null = null
  #turn: Promise<unknown> = Promise.resolve()
  /** Lets go of whoever waits for what comes next. */
  #letGo: (() => void) | null = null
  /** Set while it has everything there is. */
  #wake: (() => void) | null = null

  /** @throws BAD_CURSOR */
  constructor(host: RelatedHost, request: RelatedRequest) {
    const { model, filter, setModels, after } = request
    this.#host = host
    this.#request = request
    this.model = model.name
    this.models = new Set([model.name, ...setModels])
    this.#conditions = [filter.rows, filter.where].filter((part) => part !== null)
    this.#after = after === undefined || after === AFTER_EARLIEST ? null : parseCursor(after)
    this.#lastCursor = this.#after === null ? null : (after ?? null)
    this.#events = this.#follow()
  }

  /** Everything up to this transaction has been given; null for one that has everything there is, or has not begun. */
  get behindFrom(): number | null {
    return this.#wake === null ? this.#ordinal : null
  }

  /** Where to go on: behind what it was given last, or what it has gone past since; null where it has not begun. */
  get lastCursor(): string | null {
    const { history } = this.#host
    if (history === null || this.#ordinal === null) return this.#lastCursor
    const last = this.#lastCursor === null ? 0 : ordinalOf(parseCursor(this.#lastCursor).position.commitLsn)
    return last < this.#ordinal ? history.cursorBehind(toLsn(BigInt(this.#ordinal))) : this.#lastCursor
  }

  /** The stream has begun, or has brought something. */
  notice(): void {
    if (this.#ordinal === null) this.#beginSafely()
    this.#wake?.()
  }

  next(): Promise<IteratorResult<RelatedEvent>> {
    const result = this.#turn.then(() => this.#next())
    this.#turn = result.catch(() => undefined)
    return result
  }

  return(): Promise<IteratorResult<RelatedEvent>> {
    this.end(null)
    this.#failure = null
    return Promise.resolve(DONE)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Ends it: normally, or with the error. What has not been taken is found after the last cursor. */
  end(error: Error | null): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#failure = error
    this.#held?.release()
    this.#host.forget(this)
    this.#wake?.()
    this.#letGo?.()
  }

  async #next(): Promise<IteratorResult<RelatedEvent>> {
    if (!this.#isEnded) {
      const event = await this.#unlessEnded().catch((error: unknown) => {
        this.end(errorOf(error))
        return null
      })
      if (event !== null && !this.#isEnded) {
        this.#lastCursor = event.kind === 'written' ? event.change.cursor : event.cursor
        return { done: false, value: event }
      }
    }
    const failure = this.#failure
    this.#failure = null
    if (failure !== null) throw failure
    return DONE
  }

  /** Null as soon as it has ended: a read may take its time. */
  #unlessEnded(): Promise<RelatedEvent | null> {
    return new Promise((resolve, reject) => {
      this.#letGo = () => resolve(null)
      this.#events.next().then(({ value }) => resolve(value ?? null), reject)
    })
  }

  async *#follow(): AsyncGenerator<RelatedEvent, void, void> {
    while (!this.#isEnded) {
      const transaction = this.#nextTransaction()
      if (transaction === null) await this.#nothingMore()
      else {
        yield* this.#eventsOf(transaction)
        this.#ordinal = transaction.ordinal
        this.#own?.prune(transaction.ordinal)
      }
    }
  }

  #nextTransaction(): LogTransaction | null {
    const { history } = this.#host
    if (this.#ordinal === null || history === null) return null
    for (const model of this.models) {
      if (!hasAllAfter(history.log, model, this.#ordinal))
        throw cannotGoOn('it is older than what is retained', model)
    }
    return nextTransactionOf(history.log, this.models, this.#ordinal)
  }

  /** It has everything: from here on its sets are those that all share. */
  #nothingMore(): Promise<void> {
    const { graph } = this.#host
    if (this.#own !== null && graph !== null) {
      this.#own = null
      this.#hold(graph)
    }
    if (graph !== null && this.#ordinal !== null) this.#ordinal = Math.max(this.#ordinal, graph.ordinal)
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = null
        resolve()
      }
    })
  }

  async *#eventsOf(transaction: LogTransaction): AsyncGenerator<RelatedEvent, void, void> {
    this.#own?.advance(transaction)
    const live = await this.#liveRows()
    if (this.#isEnded) return
    const { model } = this.#request
    const { ordinal, info } = transaction
    const given = this.#given?.ordinal === ordinal ? this.#given.index : -1
    const decided = live.decide(transaction)
    for (const { change, judgement } of decided.writes) {
      if (judgement.verdict === 'unknown')
        throw cannotGoOn('a change came without values that it is judged by', model.name)
      if (change.index > given) yield { kind: 'written', change, judgement }
    }
    if (decided.request === null) return
    const rows = await this.#host.reading.readRows(decided.request, ordinal)
    if (this.#isEnded) return
    const moved = live.moved(decided, ordinal, rows)
    for (const [place, each] of moved.entries()) {
      const index = place === moved.length - 1 ? INDEX_AFTER_ALL : INDEX_AFTER_WRITES
      const cursor = formatCursor(info.epoch, info.commitLsn, index)
      const key = Object.fromEntries(model.primaryKey.map((name) => [name, each.row[name]]))
      yield { kind: 'moved', ...each, key, cursor, transaction: info }
    }
  }

  async #liveRows(): Promise<LiveRows> {
    await this.#held?.ready()
    const held = this.#held
    if (held === null) throw cannotGoOn('the stream has ended')
    this.#live ??= new LiveRows(this.#request.model, this.#request.filter, held.get)
    return this.#live
  }

  #beginSafely(): void {
    const { history, graph } = this.#host
    if (history === null || graph === null || this.#isEnded) return
    // What comes after a cursor of the process before is for those who have missed nothing.
    const isUndecided = (model: string) => history.isUndecided(this.#after, model)
    if (this.#request.after !== undefined && [...this.models].some(isUndecided)) return
    try {
      this.#begin(history, graph)
    } catch (error) {
      this.end(errorOf(error))
    }
  }

  #begin(history: History, graph: SetGraph): void {
    if (this.#request.after === undefined) {
      this.#ordinal = Math.max(graph.ordinal, ordinalOf(history.begun.commitLsn))
      this.#hold(graph)
      return
    }
    // What a process before this one knew may still be read; it is asked again then.
    if ([...this.models].some((model) => history.isUndecided(this.#after, model))) return
    const from = this.#after === null ? this.#oldest(history) : this.#resume(history, this.#after)
    this.#ordinal = from
    const { log } = history
    for (const model of this.models) {
      if (!hasAllAfter(log, model, from)) throw cannotResume('it is older than what is retained')
    }
    const hasChanged = [...this.#request.setModels].some(
      (model) => ordinalOf(log.lastOf(model).commitLsn) > from,
    )
    if (hasChanged) this.#own = new SetGraph(from, this.#host.reading)
    this.#hold(this.#own ?? graph)
  }

  /** From there on all of its models are in the log, and what lies before a gap is no beginning. */
  #oldest(history: History): number {
    const begins = [...this.models].flatMap((model) => [
      history.log.floorOf(model),
      history.beginningOf(model) ?? [],
    ])
    return Math.max(...begins.flat().map(({ commitLsn }) => ordinalOf(commitLsn)))
  }

  /** Within a transaction its own changes up to the cursor are passed over, and what it moved comes again. */
  #resume(history: History, cursor: Cursor): number {
    for (const model of this.models) {
      const fault = history.faultOf(cursor, model)
      if (fault !== null) throw fault
    }
    const { commitLsn, index } = cursor.position
    const ordinal = ordinalOf(commitLsn)
    if (index >= INDEX_AFTER_ALL) return ordinal
    this.#given = { ordinal, index }
    return ordinal - 1
  }

  #hold(graph: SetGraph): void {
    const before = this.#held
    const held = graph.hold(this.#conditions)
    this.#held = held
    this.#live = null
    before?.release()
    // Whoever waits for a change learns now that there are no sets to judge it by.
    held.ready().catch((error: unknown) => {
      if (this.#held === held) this.end(errorOf(error))
    })
  }
}

function errorOf(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
