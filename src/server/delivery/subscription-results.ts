/**
 * Stage 8, server. The results of one subscription: what its source gives, through its group, either one by one to
 * whoever iterates it (event streams), or as frames into the outbox of a WebSocket; then whoever iterates it waits
 * for the end.
 */

import type { ExecutionArgs, ExecutionResult } from 'graphql'
import { DONE } from '../../async-iteration.ts'
import type { DeliveryPull, DeliveryReader } from '../../bus/bus.ts'
import type { TurnShare } from '../../bus/turn-share.ts'
import { invariant } from '../../errors.ts'
import { AsyncGeneration } from '../async-generation.ts'
import { payloadTooLarge } from '../errors/delivery-failure.ts'
import type { DeliveryGroup } from './delivery-group.ts'
import type { FrameBatch } from './frame-batch.ts'
import { type PulledIterator, pullFrom } from './iterator-pull.ts'
import { type DeliveryResult, FailedResult, type ResultText } from './result-text.ts'
import { type AheadResult, ResultsAhead } from './results-ahead.ts'
import type { ResultsOnTheirWay } from './results-on-their-way.ts'
import type { FrameSource, SocketOutbox } from './socket-outbox.ts'

/** Where a result's finished text is found: results are passed on by Yoga as if they were GraphQL's own. */
export const RESULT_TEXT: unique symbol = Symbol('rowcast.resultText')

/** Where what a result is of is found. */
export const DELIVERY: unique symbol = Symbol('rowcast.delivery')

/** A result that is text already. */
export interface TextResult extends ExecutionResult {
  readonly [RESULT_TEXT]?: ResultText
  readonly [DELIVERY]?: unknown
}

/** The way to a WebSocket. */
export interface FrameRoute {
  readonly outbox: SocketOutbox
  /** Id of the operation, as the client chose it. */
  readonly id: string
  /** The longest message. */
  readonly payloadBytesMax: number
}

/** What a stream is made of. */
export interface ResultStreamOptions {
  readonly source: AsyncIterator<unknown> & { readonly pull?: DeliveryPull<unknown> | undefined }
  readonly group: DeliveryGroup
  readonly args: ExecutionArgs
  /** When results are made for whoever iterates them: all that wait for a change ask in one go. */
  readonly turns: TurnShare
  /** Those of all subscriptions. */
  readonly onTheirWay: ResultsOnTheirWay
  /** Notified of each delivery that is handed on. */
  readonly onDelivered?: ((delivery: unknown) => void) | undefined
}

/** Frames that one subscription adds before the others of its socket have their turn. */
const FRAMES_AT_ONCE_MAX = 64

/** The results of one subscription. */
export class ResultStream extends AsyncGeneration<TextResult> {
  readonly #options: ResultStreamOptions
  /** For whoever iterates it; null before the first. */
  #ahead: ResultsAhead | null = null
  #frames: FrameStream | null = null
  #isOver = false
  /** Whether all that has come was handed on. */
  #isAwaiting = false

  constructor(options: ResultStreamOptions) {
    super()
    this.#options = options
  }

  /** Sends results as frames from the first `next()` on, which resolves when there are no more. */
  sendTo(route: FrameRoute): void {
    this.#frames = new FrameStream(this.#options, route)
  }

  /** A cursor that everything stands before that was handed on; null while something waits. */
  bookmark(): string | null {
    if (this.#isOver) return null
    if (this.#frames !== null) return this.#frames.bookmark()
    return this.#isAwaiting ? (this.#options.source.pull?.bookmark?.() ?? null) : null
  }

  async next(): Promise<IteratorResult<TextResult>> {
    if (this.#isOver) return DONE
    try {
      if (this.#frames !== null) {
        await this.#frames.run()
        this.#end()
        return DONE
      }
      const ahead = await this.#nextAhead()
      const result = await ahead?.pending
      if (ahead === undefined || result === undefined || this.#isOver) {
        this.#end()
        return DONE
      }
      if (result instanceof FailedResult) throw result.error
      this.#options.onDelivered?.(ahead.delivery)
      return { done: false, value: { [RESULT_TEXT]: result, [DELIVERY]: ahead.delivery } }
    } catch (error) {
      // Not waited for: a source of the application's own may never let go.
      if (this.#end()) this.#options.source.return?.().catch(() => undefined)
      throw error
    }
  }

  async return(): Promise<IteratorResult<TextResult>> {
    if (this.#end()) {
      this.#frames?.stop()
      await this.#options.source.return?.()
    }
    return DONE
  }

  /** The next result, begun; those behind it are begun as well while it is waited for. */
  async #nextAhead(): Promise<AheadResult | undefined> {
    const { source, group, args, turns, onTheirWay } = this.#options
    this.#ahead ??= new ResultsAhead({
      all: onTheirWay,
      resultOf: (delivery) => group.resultOf(delivery, args),
      // Whoever iterates waits for the result, which is the failure then.
      onFirst: () => undefined,
      onFailure: () => undefined,
    })
    if (this.#ahead.first === undefined) {
      this.#isAwaiting = true
      const { done, value } = await source.next().finally(() => {
        this.#isAwaiting = false
      })
      if (done !== true) await turns.wait()
      if (done === true || this.#isOver) return undefined
      this.#ahead.add(value)
      // Of changes: other sources are asked for one value at a time. Not one for each that is handed on: what is begun together is read together.
      if (source.pull !== undefined) this.#ahead.fill(source.pull)
    } else await turns.wait()
    return this.#ahead.shift()
  }

  /** True the first time. */
  #end(): boolean {
    if (this.#isOver) return false
    this.#isOver = true
    this.#ahead?.clear()
    this.#options.group.leave()
    return true
  }
}

/** What a source throws at once is a rejection, too. */
async function nextOf(source: AsyncIterator<unknown>): Promise<void> {
  await source.next()
}

/** One subscription's way into an outbox. */
class FrameStream implements FrameSource, DeliveryReader {
  isInLine = false
  following: FrameSource | null = null
  isEnding = false
  readonly #outbox: SocketOutbox
  readonly #head: Buffer
  readonly #payloadBytesMax: number
  readonly #pull: DeliveryPull<unknown>
  readonly #end: PulledIterator['end']
  readonly #group: DeliveryGroup
  readonly #args: ExecutionArgs
  readonly #onDelivered: ResultStreamOptions['onDelivered']
  readonly #onTheirWay: ResultsOnTheirWay
  /** Results that have to be waited for, in order; null before the first. */
  #ahead: ResultsAhead | null = null
  #failure: { readonly error: unknown } | null = null
  #isStopped = false
  #settle: { resolve(): void; reject(error: unknown): void } | null = null

  constructor({ source, group, args, onTheirWay, onDelivered }: ResultStreamOptions, route: FrameRoute) {
    const { pull, end } =
      source.pull === undefined ? pullFrom(source) : { pull: source.pull, end: () => nextOf(source) }
    this.#outbox = route.outbox
    this.#head = Buffer.from(`{"id":${JSON.stringify(route.id)},"type":"next","payload":`)
    this.#payloadBytesMax = route.payloadBytesMax
    this.#pull = pull
    this.#end = end
    this.#group = group
    this.#args = args
    this.#onTheirWay = onTheirWay
    this.#onDelivered = onDelivered
  }

  /** Begins; resolves when the source has ended or this was stopped, rejects with the error that ended it. */
  run(): Promise<void> {
    invariant(this.#settle === null, 'Frames were asked for twice.')
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#pull.reader = this
      this.#outbox.enlist(this)
    })
  }

  onReadable(): void {
    try {
      this.#outbox.enlist(this)
    } catch (error) {
      this.#abort(error)
    }
  }

  bookmark(): string | null {
    const isIdle = !this.isEnding && !this.#isStopped && this.#ahead?.first === undefined
    return isIdle ? (this.#pull.bookmark?.() ?? null) : null
  }

  /** No further frame is added from now on. */
  stop(): void {
    this.#isStopped = true
    this.#ahead?.clear()
    this.#pull.reader = null
    this.#settle?.resolve()
  }

  addFrames(frames: FrameBatch, bytesMax: number): boolean {
    try {
      return this.#addFrames(frames, bytesMax)
    } catch (error) {
      // Frames are added whole or not at all: the others of this socket go on.
      this.#fail(error)
      return true
    }
  }

  #addFrames(frames: FrameBatch, bytesMax: number): boolean {
    for (let count = 0; count < FRAMES_AT_ONCE_MAX; count += 1) {
      if (this.isEnding || this.#isStopped) return true
      const first = this.#ahead?.first
      const delivery = first === undefined ? this.#pull.take() : first.delivery
      if (delivery === undefined) {
        this.isEnding = this.#pull.isEnded
        return true
      }
      const result = first === undefined ? this.#resultOf(delivery) : first.result
      if (result === null) return this.#ahead?.fillOn(this.#pull) ?? true
      if (first !== undefined) this.#ahead?.shift()
      if (result instanceof FailedResult) this.#fail(result.error)
      else this.#addFrame(frames, result, delivery)
      if (frames.byteLength > bytesMax) break
    }
    return false
  }

  afterWrite(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    if (this.#failure !== null) this.#settle?.reject(this.#failure.error)
    else this.#end().then(this.#settle?.resolve, this.#settle?.reject)
  }

  #addFrame(frames: FrameBatch, result: ResultText, delivery: unknown): void {
    const bytesMax = this.#payloadBytesMax - this.#head.length
    // First the text: the bytes of one that is far too long are not made at all.
    if (result.text.length > bytesMax || result.tail.length > bytesMax) {
      this.#fail(payloadTooLarge(this.#payloadBytesMax, delivery))
      return
    }
    frames.add(this.#head, result.tail)
    this.#onDelivered?.(delivery)
  }

  /** The result, if it is there; else this is enlisted again once it is, and those that follow are begun as well. */
  #resultOf(delivery: unknown): DeliveryResult | null {
    const pending = this.#group.resultOf(delivery, this.#args)
    if (!(pending instanceof Promise)) return pending
    this.#ahead ??= new ResultsAhead({
      all: this.#onTheirWay,
      resultOf: (next) => this.#group.resultOf(next, this.#args),
      onFirst: () => this.#outbox.enlist(this),
      onFailure: (error) => this.#abort(error),
    })
    this.#ahead.add(delivery, pending)
    this.#ahead.fill(this.#pull)
    return null
  }

  /** Ends it at once: its turn in the outbox may never come. */
  #abort(error: unknown): void {
    this.#isStopped = true
    this.#ahead?.clear()
    this.#pull.reader = null
    this.#settle?.reject(error)
  }

  #fail(error: unknown): void {
    this.#failure = { error }
    this.isEnding = true
  }
}
