/** Stage 8, server. A stream of results as the body of a response, whatever its format: heartbeats, bounds, and its end. */
import type { ExecutionResult, GraphQLError } from 'graphql'
import type { FetchAPI } from 'graphql-yoga'
import { endsConnection } from '../../errors.ts'
import type { Guard } from '../../guard.ts'
import { formatResult } from '../delivery/format-result.ts'
import { DELIVERY, RESULT_TEXT, type TextResult } from '../delivery/subscription-results.ts'
import { isLongerThan, payloadTooLarge, undeliverable } from '../errors/delivery-failure.ts'
import type { ResponseWriter, StreamFormat } from './stream-format.ts'

/** What the streams of a server share. */
export interface ResponseStreamOptions {
  readonly payloadBytesMax: number
  /** Hides of errors what clients must not see. */
  readonly mask: (error: unknown) => GraphQLError
  /** Between heartbeats that keep the connection alive. */
  readonly pingIntervalMs: number
  readonly guard: Guard
  /** Whether the server is being stopped. */
  readonly isStopping: () => boolean
}

/** A cursor that everything stands before that a stream has given; null while there is none. */
export type Bookmark = () => string | null

/** What a stream has of the response that it goes into. */
interface StreamOptions extends ResponseStreamOptions {
  readonly bookmark?: Bookmark | undefined
  /** Whether its client leaves waiting what it was sent: then it is sent no heartbeats, which would wait as well. @default never */
  readonly isStalled?: (() => boolean) | undefined
}

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
  const { guard, isStalled = () => false } = options
  let ping: NodeJS.Timeout | undefined
  const leave = async (): Promise<void> => {
    clearInterval(ping)
    await results.return?.()
  }
  const end = (controller: StreamController): void => {
    guard.run('end a result stream', leave)
    controller.close()
  }
  const advance = async (controller: StreamController): Promise<void> => {
    const { text, isEnd } = await writer.next()
    controller.enqueue(encoder.encode(text))
    if (isEnd) end(controller)
  }
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(encoder.encode(writer.head(isStream)))
      const beat = guard.wrap('keep a result stream alive', () => {
        if (!isStalled()) controller.enqueue(encoder.encode(writer.heartbeat()))
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

async function* iterateOne(result: ExecutionResult): AsyncGenerator<ExecutionResult, undefined> {
  yield result
  return undefined
}

interface WrittenResult {
  readonly text: string
  /** Whether it is the last of the stream. */
  readonly isEnd: boolean
}

/** What one stream has come to, as text. */
class ResultWriter {
  readonly #results: AsyncIterator<ExecutionResult>
  readonly #writer: ResponseWriter
  readonly #options: StreamOptions
  #last: ExecutionResult = {}
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
      if (done === true) return { text: this.#writer.end(this.#last), isEnd: true }
      this.#last = value
      return this.#write(value)
    } catch (error) {
      return this.#fail(this.#options.mask(error))
    }
  }

  #write(result: TextResult): WrittenResult {
    const { [RESULT_TEXT]: made, [DELIVERY]: delivery } = result
    const { isStopping, payloadBytesMax, mask } = this.#options
    const fault = result.errors?.find(({ extensions }) => endsConnection(extensions['code']))
    if (fault?.extensions['code'] === 'SERVER_STOPPING' && isStopping())
      return { text: this.#writer.comeBack(fault), isEnd: true }
    try {
      const text = made?.text ?? formatResult(result)
      if (isLongerThan(text, payloadBytesMax))
        return this.#fail(mask(payloadTooLarge(payloadBytesMax, delivery)))
      if (fault !== undefined)
        return { text: this.#writer.connectionError(formatResult({ errors: [fault] })), isEnd: false }
      return { text: this.#writer.result(text, made?.cursor ?? null), isEnd: false }
    } catch (error) {
      return this.#fail(undeliverable(error, delivery, mask))
    }
  }

  /** An error that ends the stream. */
  #fail(error: GraphQLError): WrittenResult {
    const last = { errors: [error] }
    const text = formatResult(last)
    const isOfConnection = endsConnection(error.extensions['code'])
    const written = isOfConnection ? this.#writer.connectionError(text) : this.#writer.result(text, null)
    return { text: written + this.#writer.end(last), isEnd: true }
  }
}

/** Status that an error asks for whatever the media type; Yoga has it in `extensions.http`. */
function statusOf({ errors = [] }: ExecutionResult): number {
  const statuses = errors.flatMap(({ extensions }) => {
    const { status, spec } = (extensions['http'] ?? {}) as { status?: number; spec?: boolean }
    return status === undefined || spec === true ? [] : [status]
  })
  return Math.max(200, ...statuses)
}
