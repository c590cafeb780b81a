/** Stage 8, server. A stream of results as the body of a response, whatever its format: heartbeats, bounds, and its end. */
import type { ServerResponse } from 'node:http'
import type { ExecutionResult, GraphQLError } from 'graphql'
import type { FetchAPI } from 'graphql-yoga'
import { endsConnection, errorEntry, isErrorCode } from '../../errors.ts'
import type { Guard } from '../../guard.ts'
import { formatResult } from '../delivery/format-result.ts'
import { DELIVERY, RESULT_TEXT, type TextResult } from '../delivery/subscription-results.ts'
import { isLongerThan, payloadTooLarge, undeliverable } from '../errors/delivery-failure.ts'
import type { ResponseWriter, StreamFormat } from './result-stream-format.ts'

/** What the streams of a server share. */
export interface ResponseStreamOptions {
  readonly payloadBytesMax: number
  /** Hides of errors what clients must not see. */
  readonly mask: (error: unknown) => GraphQLError
  /** Between heartbeats that keep the connection alive. */
  readonly pingIntervalMs: number
  readonly guard: Guard
}

/** A cursor that everything stands before that a stream has given; null while there is none. */
export type Bookmark = () => string | null

/** What a stream has of the response that it goes into. */
interface StreamOptions extends ResponseStreamOptions {
  readonly bookmark?: Bookmark | undefined
  /** Whether something was done for it, which is not to be done once more elsewhere. @default false */
  readonly isDone?: boolean | undefined
  /** What it goes into. */
  readonly response?: Sink | undefined
}

/** Longer results are sent from where they are: that costs less than a copy for each stream, and those that lag share them. */
const COPIED_CHARACTERS_MAX = 8 * 1024

/** What is known of who takes the bytes. */
type Sink = Pick<ServerResponse, 'writableNeedDrain' | 'closed' | 'once' | 'off'>

type StreamController = ReadableStreamDefaultController<Uint8Array>

/** One stream of results as a response, or one result with the status that its errors have. */
export function openResultStream(
  result: AsyncIterable<ExecutionResult> | ExecutionResult,
  { Response, ReadableStream, TextEncoder }: FetchAPI,
  format: StreamFormat,
  options: StreamOptions,
): Response {
  const isStream = Symbol.asyncIterator in result
  const results = isStream ? result[Symbol.asyncIterator]() : iterateOne(result)
  const writer = new ResultWriter(results, format.createWriter(), options)
  const encoder = new TextEncoder()
  const { guard, response } = options
  // Whose client leaves waiting what it was sent gets no heartbeats, which would wait as well, and nothing is made for it.
  const isStalled = () => response?.writableNeedDrain === true
  let ping: NodeJS.Timeout | undefined
  const leave = async (): Promise<void> => {
    clearInterval(ping)
    await results.return?.()
  }
  const end = (controller: StreamController): void => {
    guard.run('end a result stream', leave)
    controller.close()
  }
  const waiting: (string | Uint8Array)[] = []
  let isEnd = false
  const advance = async (controller: StreamController): Promise<void> => {
    if (waiting.length === 0) {
      if (response !== undefined && isStalled()) await drained(response, guard)
      const written = await writer.next()
      waiting.push(...written.pieces)
      isEnd = written.isEnd
    }
    const piece = waiting.shift() ?? ''
    controller.enqueue(typeof piece === 'string' ? encoder.encode(piece) : piece)
    if (isEnd && waiting.length === 0) end(controller)
  }
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(writer.head(isStream)))
      const beat = guard.wrap('keep a result stream alive', () => {
        const isWithinResult = waiting.length > 0
        if (!isWithinResult && !isStalled()) controller.enqueue(encoder.encode(writer.heartbeat()))
      })
      ping = setInterval(beat, options.pingIntervalMs)
    },
    // What these reject with would end the process: nobody listens to the stream's errors.
    pull: guard.settle('send a result', advance, (_failure, controller) => end(controller)),
    cancel: guard.settle('end a result stream', leave),
  })
  return new Response(body, {
    status: isStream ? 200 : statusOf(result),
    headers: {
      'content-type': writer.contentType,
      'cache-control': 'no-cache, no-transform',
      // Proxies must not hold results back.
      'x-accel-buffering': 'no',
    },
  })
}

/** Resolves once it has taken all that waits, or never will. */
function drained(response: Sink, guard: Guard): Promise<void> | null {
  if (response.closed) return null
  return new Promise((resolve) => {
    const settle = guard.wrap('go on with a result stream', () => {
      response.off('drain', settle).off('close', settle)
      resolve()
    })
    response.once('drain', settle).once('close', settle)
  })
}

async function* iterateOne(result: ExecutionResult): AsyncGenerator<ExecutionResult, undefined> {
  yield result
  return undefined
}

interface WrittenResult {
  /** In order, each sent by itself: what is enqueued together would be copied into one. */
  readonly pieces: readonly (string | Uint8Array)[]
  /** Whether it is the last of the stream. */
  readonly isEnd: boolean
}

/** What one stream has come to, as text. */
class ResultWriter {
  readonly #results: AsyncIterator<ExecutionResult>
  readonly #writer: ResponseWriter
  readonly #options: StreamOptions
  /** Errors of the last result: what it was of is not held for a client that may take nothing more for long. */
  #last: Pick<ExecutionResult, 'errors'> = {}
  #lastBookmark: string | null = null

  constructor(results: AsyncIterator<ExecutionResult>, writer: ResponseWriter, options: StreamOptions) {
    this.#results = results
    this.#writer = writer
    this.#options = options
  }

  get contentType(): string {
    return this.#writer.contentType
  }

  /** @param isStream whether more than one result may come, and some time may pass before the first */
  head(isStream: boolean): string {
    return this.#writer.head + (isStream ? this.heartbeat() : '')
  }

  heartbeat(): string {
    const bookmark = this.#options.bookmark?.() ?? null
    if (bookmark === null || bookmark === this.#lastBookmark) return this.#writer.heartbeat(null)
    this.#lastBookmark = bookmark
    return this.#writer.heartbeat(bookmark)
  }

  /** Waits for the next result. Never rejects: what fails is the last one. */
  async next(): Promise<WrittenResult> {
    try {
      const { done, value } = await this.#results.next()
      if (done === true) return { pieces: [this.#writer.end(this.#last)], isEnd: true }
      this.#last = value.errors === undefined ? {} : { errors: value.errors }
      return this.#write(value)
    } catch (error) {
      return this.#fail(this.#options.mask(error))
    }
  }

  #write(result: TextResult): WrittenResult {
    const { [RESULT_TEXT]: made, [DELIVERY]: delivery } = result
    const { payloadBytesMax, mask, isDone = false } = this.#options
    const fault = isDone
      ? undefined
      : result.errors?.find(({ extensions }) => endsConnection(extensions['code']))
    if (fault !== undefined && comesBack(fault))
      return { pieces: [this.#writer.comeBack(fault)], isEnd: true }
    try {
      const text = made?.text ?? formatResult(result)
      if (isLongerThan(text, payloadBytesMax))
        return this.#fail(mask(payloadTooLarge(payloadBytesMax, delivery)))
      if (fault !== undefined)
        return { pieces: [this.#writer.connectionError(formatResult({ errors: [fault] }))], isEnd: false }
      const { head, tail } = this.#writer.frame(made?.cursor ?? null)
      const isShared = made !== undefined && text.length > COPIED_CHARACTERS_MAX
      return { pieces: isShared ? [head, made.bytes, tail] : [head + text + tail], isEnd: false }
    } catch (error) {
      return this.#fail(undeliverable(error, delivery, mask))
    }
  }

  /** An error that ends the stream. */
  #fail(error: GraphQLError): WrittenResult {
    const last = { errors: [error] }
    const text = formatResult(last)
    const isOfConnection = endsConnection(error.extensions['code'])
    const { head, tail } = this.#writer.frame(null)
    const written = isOfConnection ? this.#writer.connectionError(text) : head + text + tail
    return { pieces: [written + this.#writer.end(last)], isEnd: true }
  }
}

/** Of an error about the connection: whether the client is to come back, and be served elsewhere. */
function comesBack({ extensions: { code } }: GraphQLError): boolean {
  return isErrorCode(code) && errorEntry(code).clientGoesOn === 'again'
}

/** Status that an error asks for whatever the media type; Yoga has it in `extensions.http`. */
function statusOf({ errors = [] }: ExecutionResult): number {
  const statuses = errors.flatMap(({ extensions }) => {
    // An EventSource that gets it would not come back.
    if (extensions['code'] === 'SERVER_STANDING_BY') return []
    const { status, spec } = (extensions['http'] ?? {}) as { status?: number; spec?: boolean }
    return status === undefined || spec === true ? [] : [status]
  })
  return Math.max(200, ...statuses)
}
