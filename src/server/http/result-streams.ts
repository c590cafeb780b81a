/**
 * Stage 8, server. What HTTP adds to the pipeline around results: streams, of whatever format, that count against their
 * address, end with their session and can be ended by the server, and answers of bounded length in what the client accepts.
 */
import type { ServerResponse } from 'node:http'
import type { ExecutionResult } from 'graphql'
import { type FetchAPI, processRegularResult } from 'graphql-yoga'
import { AsyncIteration, DONE } from '../../async-iteration.ts'
import { RowcastError } from '../../errors.ts'
import type { Guard } from '../../guard.ts'
import { jsonWithin } from '../delivery/bounded-json.ts'
import { formatResult } from '../delivery/format-result.ts'
import { ResultStream } from '../delivery/subscription-results.ts'
import { payloadTooLarge } from '../errors/delivery-failure.ts'
import type { ErrorMask } from '../errors/mask-error.ts'
import { isQuery } from '../execution/abandoned-queries.ts'
import { resultBytesMax } from '../execution/introspection.ts'
import type { ConnectionCounter } from '../limits/client-address.ts'
import { type Refusals, TOO_MANY } from '../refusal.ts'
import {
  CONNECTION,
  type ConnectionState,
  type PipelinePlugin,
  REQUEST,
  RESPONSE,
} from '../session/connection-state.ts'
import type { SessionKeeper } from '../session/session-keeper.ts'
import type { Transport } from '../transport.ts'
import { chooseAnswer, chooseFormat, parseAccept } from './accept.ts'
import { type Bookmark, openResultStream, type ResponseStreamOptions } from './open-result-stream.ts'
import { createStreamRegistry } from './reserved-result-streams.ts'
import type { StreamFormat, StreamKind } from './result-stream-format.ts'

/** What the plugin needs. */
export interface HttpStreamsOptions {
  /** Of streams; who names none gets the first. */
  readonly formats: readonly StreamFormat[]
  readonly errorMask: ErrorMask
  readonly guard: Guard
  readonly sessions: SessionKeeper
  readonly connections: ConnectionCounter
  readonly refusals: Pick<Refusals, 'note'>
  readonly payloadBytesMax: number
  readonly introspectionBytesMax: number
  readonly pingIntervalMs: number
  /** How long a stream that was ended waits for its client to take the last word. */
  readonly closeTimeoutMs: number
}

/** The plugin, and each format's streams as a transport. */
export interface HttpStreams {
  readonly plugin: PipelinePlugin
  readonly transports: readonly Transport[]
}

/** A result that brings its own way to become text, as Yoga lets it. */
interface SerializedResult extends ExecutionResult {
  readonly stringify?: (result: ExecutionResult) => string
}

/** Creates the plugin. */
export function createHttpStreams(options: HttpStreamsOptions): HttpStreams {
  const streams = new ResultStreams(options)
  return {
    plugin: createPlugin(streams, options),
    transports: options.formats.map(({ kind }) => createTransport(kind, streams)),
  }
}

function createTransport(kind: StreamKind, streams: ResultStreams): Transport {
  const count = (): number => streams.count(kind)
  return {
    kind,
    get connectionCount() {
      return count()
    },
    get operationCount() {
      return count()
    },
    // All of them, once: a stream that is still to begin has no format yet.
    close: () => streams.end(),
  }
}

/** The streams that are open, and what their requests come back with. */
class ResultStreams {
  readonly discard: (source: AsyncIterable<unknown>) => void
  readonly #options: HttpStreamsOptions
  readonly #open = createStreamRegistry<ExecutionResult>()
  readonly #counts = new Map<StreamKind, number>()
  /** By request: Yoga hands on a stream of its own. */
  readonly #bookmarks = new WeakMap<Request, Bookmark>()
  /** Requests for which something may have been done. */
  readonly #done = new WeakSet<Request>()

  constructor(options: HttpStreamsOptions) {
    this.#options = options
    this.discard = options.guard.wrap('end a stream that nobody reads', (source: AsyncIterable<unknown>) =>
      source[Symbol.asyncIterator]().return?.(),
    )
  }

  /** Open streams of one format. */
  count(kind: StreamKind): number {
    return this.#counts.get(kind) ?? 0
  }

  #add(kind: StreamKind | undefined, more: 1 | -1): void {
    if (kind !== undefined) this.#counts.set(kind, this.count(kind) + more)
  }

  end(): Promise<void> {
    return this.#open.end(this.failure(new RowcastError('SERVER_STOPPING', 'The server is stopping.')))
  }

  /** Bound: it is handed on. */
  readonly failure = (error: unknown): ExecutionResult => ({ errors: [this.#options.errorMask.mask(error)] })

  /** The format in which a client wants a stream; undefined where it takes none. */
  formatFor({ headers }: Request): StreamFormat | undefined {
    return chooseFormat(parseAccept(headers.get('accept')), this.#options.formats)
  }

  /** Counts a subscription's results against the address of its client, for as long as its session holds. */
  track(
    source: AsyncIterable<ExecutionResult>,
    { address, session }: ConnectionState,
    response: ServerResponse | undefined,
    kind: StreamKind | undefined,
  ): AsyncIterable<ExecutionResult> | ExecutionResult {
    const { connections, refusals, sessions, guard, closeTimeoutMs } = this.#options
    const release = connections.acquire(address)
    if (release === null) {
      this.discard(source)
      refusals.note(response?.req.headers ?? {}, TOO_MANY)
      return this.failure(new RowcastError('TOO_MANY_CONNECTIONS', TOO_MANY.message))
    }
    this.#add(kind, 1)
    let cutTimer: NodeJS.Timeout | undefined
    // Whose client takes nothing would keep its connection, and its place, for good.
    const cut = (): void => {
      response?.destroy()
      this.discard(stream.iterator)
    }
    const stream = this.#open.track(new WithLastWord(source, this.failure), {
      onEnding() {
        cutTimer = setTimeout(guard.wrap('cut a stream that nobody reads', cut), closeTimeoutMs)
      },
      onClosed: () => {
        clearTimeout(cutTimer)
        this.#add(kind, -1)
        release()
        stopWatching()
        response?.off('close', leave)
      },
    })
    // Yoga reads the stream only if the client is still there by then.
    const leave = () => this.discard(stream.iterator)
    const stopWatching = sessions.watch(session, (why) => stream.end(this.failure(why)))
    if (response?.destroyed === true) leave()
    else response?.once('close', leave)
    return stream.iterator
  }

  noteBookmark(request: Request, bookmark: Bookmark): void {
    this.#bookmarks.set(request, bookmark)
  }

  noteDone(request: Request): void {
    this.#done.add(request)
  }

  isDone(request: Request): boolean {
    return this.#done.has(request)
  }

  bookmarkOf(request: Request): Bookmark | undefined {
    return this.#bookmarks.get(request)
  }

  /** The text of one result; of one that is too long, or has no text, that of its error. */
  stringifyWithin(bytesMax: number): (result: ExecutionResult) => string {
    return (result) => {
      try {
        return jsonWithin(result, bytesMax) ?? formatResult(this.failure(payloadTooLarge(bytesMax)))
      } catch (error) {
        return formatResult(this.failure(error))
      }
    }
  }
}

function createPlugin(streams: ResultStreams, options: HttpStreamsOptions): PipelinePlugin {
  const { payloadBytesMax, formats } = options
  const shared: ResponseStreamOptions = { ...options, mask: options.errorMask.mask }
  const stringify = streams.stringifyWithin(payloadBytesMax)
  return {
    onSubscribe: ({ args }) => {
      const { [CONNECTION]: connection, [REQUEST]: request, [RESPONSE]: response } = args.contextValue
      if (connection === undefined || request === undefined) return undefined
      return {
        onSubscribeResult({ result, setResult }) {
          if (!(Symbol.asyncIterator in result)) return
          const tracked = streams.track(result, connection, response, streams.formatFor(request)?.kind)
          if (result instanceof ResultStream) streams.noteBookmark(request, () => result.bookmark())
          setResult(tracked as typeof result)
        },
      }
    },
    onExecute({ args }) {
      const request: Request | undefined = Reflect.get(Object(args.contextValue), REQUEST)
      if (request !== undefined && !isQuery(args)) streams.noteDone(request)
      const bytesMax = resultBytesMax(options, args.document, args.operationName)
      if (bytesMax === payloadBytesMax) return undefined
      return {
        onExecuteDone({ result, setResult }) {
          if (!(Symbol.asyncIterator in result))
            setResult({ ...result, stringify: streams.stringifyWithin(bytesMax) } as SerializedResult)
        },
      }
    },
    onExecutionResult({ result, setResult }) {
      if (result !== undefined && !Array.isArray(result) && !(Symbol.asyncIterator in result)) {
        setResult({ stringify, ...(result as SerializedResult) })
      }
    },
    // Yoga's own choice takes no quality into account, and knows no more than one stream.
    onResultProcess({ request, result, serverContext, setResultProcessor }) {
      if (Array.isArray(result)) return
      const one = result as AsyncIterable<ExecutionResult> | ExecutionResult
      const isStream = Symbol.asyncIterator in one
      const ranges = parseAccept(request.headers.get('accept'))
      const answer = isStream ? chooseFormat(ranges, formats) : chooseAnswer(ranges, formats)
      if (answer === undefined) {
        if (isStream) streams.discard(one)
        setResultProcessor((_result, { Response }) => notAcceptable(Response, isStream), 'application/json')
      } else if (typeof answer === 'string') {
        setResultProcessor(processRegularResult, answer)
      } else {
        const response = serverContext[RESPONSE]
        const known = { bookmark: streams.bookmarkOf(request), isDone: streams.isDone(request) }
        const own = { ...shared, ...known, response }
        setResultProcessor(
          (_result, fetchApi) => openResultStream(one, fetchApi, answer, own),
          answer.mediaType,
        )
      }
    },
    onResponse: ({ response }) => setHeaders(response.headers),
  }
}

function setHeaders(headers: Headers): void {
  headers.set('x-content-type-options', 'nosniff')
  headers.set('x-frame-options', 'DENY')
}

/** Results, and the error that ends them as the last of them. */
class WithLastWord extends AsyncIteration<ExecutionResult> {
  readonly #from: AsyncIterator<ExecutionResult>
  readonly #failure: (error: unknown) => ExecutionResult
  #isOver = false

  constructor(source: AsyncIterable<ExecutionResult>, failure: (error: unknown) => ExecutionResult) {
    super()
    this.#from = source[Symbol.asyncIterator]()
    this.#failure = failure
  }

  async next(): Promise<IteratorResult<ExecutionResult>> {
    if (this.#isOver) return DONE
    try {
      return await this.#from.next()
    } catch (error) {
      this.#isOver = true
      return { done: false, value: this.#failure(error) }
    }
  }

  async return(): Promise<IteratorResult<ExecutionResult>> {
    await this.#from.return?.()
    return DONE
  }
}

/** The client takes nothing that this result could be sent as. */
function notAcceptable(Response: FetchAPI['Response'], isStream: boolean): Response {
  const hint = isStream
    ? 'Subscribe over WebSocket (graphql-transport-ws, npm package graphql-ws), with accept: text/event-stream (npm package graphql-sse), or with accept: multipart/mixed;subscriptionSpec=1.0 (Apollo Client).'
    : 'Send accept: application/json. For a page to write queries in, set `graphiql: true`, which production leaves off.'
  const extensions = { code: 'NOT_ACCEPTABLE', hint }
  const body = {
    errors: [{ message: 'The answer is none of the media types that the client accepts.', extensions }],
  }
  return Response.json(body, { status: 406 })
}
