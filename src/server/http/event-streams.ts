/**
 * Stage 8, server. What HTTP adds to the pipeline around results: event streams that count against their
 * address, end with their session and can be ended by the server, and answers of bounded length.
 */
import type { ServerResponse } from 'node:http'
import type { ExecutionResult } from 'graphql'
import type { FetchAPI } from 'graphql-yoga'
import { RowcastError } from '../../errors.ts'
import type { Guard } from '../../guard.ts'
import { ResultStream } from '../delivery/subscription-results.ts'
import { isLongerThan, payloadTooLarge } from '../errors/delivery-failure.ts'
import type { ErrorMask } from '../errors/mask-error.ts'
import { resultBytesMax } from '../execution/introspection.ts'
import type { ConnectionCounter } from '../limits/client-address.ts'
import { type Refusals, TOO_MANY } from '../refusal.ts'
import { CONNECTION, type ConnectionState, type PipelinePlugin } from '../session/connection-state.ts'
import type { SessionKeeper } from '../session/session-keeper.ts'
import {
  type Bookmark,
  createEventStream,
  type EventStreamOptions,
  formatResult,
} from './open-event-stream.ts'
import { createStreamRegistry } from './reserved-streams.ts'

/** What the plugin needs. */
export interface HttpStreamsOptions {
  readonly errorMask: ErrorMask
  readonly guard: Guard
  readonly sessions: SessionKeeper
  readonly connections: ConnectionCounter
  readonly refusals: Pick<Refusals, 'note'>
  readonly payloadBytesMax: number
  readonly introspectionBytesMax: number
  readonly pingIntervalMs: number
  /** Whether the server is being stopped. */
  readonly isStopping: () => boolean
}

/** The plugin, and the end of all its streams. */
export interface HttpStreams {
  readonly plugin: PipelinePlugin
  /** Open streams. */
  readonly count: number
  /** Ends every stream so that clients come back: without `complete`. */
  end(): void
}

/** A result that brings its own way to become text, as Yoga lets it. */
interface SerializedResult extends ExecutionResult {
  readonly stringify?: (result: ExecutionResult) => string
}

/** Creates the plugin. */
export function createHttpStreams(options: HttpStreamsOptions): HttpStreams {
  const streams = new EventStreams(options)
  return {
    get count() {
      return streams.count
    },
    end: () => streams.end(),
    plugin: createPlugin(streams, options),
  }
}

/** The streams that are open, and what their requests come back with. */
class EventStreams {
  readonly discard: (source: AsyncIterable<unknown>) => void
  readonly #options: HttpStreamsOptions
  readonly #open = createStreamRegistry<ExecutionResult>()
  /** By request: Yoga hands on a stream of its own. */
  readonly #bookmarks = new WeakMap<Request, Bookmark>()

  constructor(options: HttpStreamsOptions) {
    this.#options = options
    this.discard = options.guard.wrap('end a stream that nobody reads', (source: AsyncIterable<unknown>) =>
      source[Symbol.asyncIterator]().return?.(),
    )
  }

  get count(): number {
    return this.#open.size
  }

  end(): void {
    this.#open.end(this.failure(new RowcastError('SERVER_STOPPING', 'The server is stopping.')))
  }

  /** Bound: it is handed on. */
  readonly failure = (error: unknown): ExecutionResult => ({ errors: [this.#options.errorMask.mask(error)] })

  /** Counts a subscription's results against the address of its client, for as long as its session holds. */
  track(
    source: AsyncIterable<ExecutionResult>,
    { address, session }: ConnectionState,
    response: ServerResponse | undefined,
  ): AsyncIterable<ExecutionResult> | ExecutionResult {
    const { connections, refusals, sessions } = this.#options
    const release = connections.acquire(address)
    if (release === null) {
      this.discard(source)
      refusals.note(response?.req.headers ?? {}, TOO_MANY)
      return this.failure(new RowcastError('TOO_MANY_CONNECTIONS', TOO_MANY.message))
    }
    const stream = this.#open.track(withLastWord(source, this.failure), () => {
      release()
      stopWatching()
      response?.off('close', leave)
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

  bookmarkOf(request: Request): Bookmark | undefined {
    return this.#bookmarks.get(request)
  }

  /** The text of one result; of one that is too long, or has no text, that of its error. */
  stringifyWithin(bytesMax: number): (result: ExecutionResult) => string {
    return (result) => {
      try {
        const text = JSON.stringify(result)
        return isLongerThan(text, bytesMax) ? formatResult(this.failure(payloadTooLarge(bytesMax))) : text
      } catch (error) {
        return formatResult(this.failure(error))
      }
    }
  }
}

function createPlugin(streams: EventStreams, options: HttpStreamsOptions): PipelinePlugin {
  const { payloadBytesMax } = options
  const events: EventStreamOptions = { ...options, mask: options.errorMask.mask }
  const stringify = streams.stringifyWithin(payloadBytesMax)
  return {
    onSubscribe: ({ args }) => {
      const connection = args.contextValue[CONNECTION]
      if (connection === undefined || connection.kind === 'websocket') return undefined
      return {
        onSubscribeResult({ result, setResult }) {
          if (!(Symbol.asyncIterator in result)) return
          const tracked = streams.track(result, connection, args.contextValue.res)
          const { request } = args.contextValue
          if (result instanceof ResultStream) streams.noteBookmark(request, () => result.bookmark())
          setResult(tracked as typeof result)
        },
      }
    },
    onExecute({ args }) {
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
    onResultProcess({ request, result, resultProcessor, setResultProcessor }) {
      if (Array.isArray(result)) return
      const isStream = Symbol.asyncIterator in result
      if (resultProcessor === undefined) {
        if (isStream) streams.discard(result)
        setResultProcessor((_result, { Response }) => notAcceptable(Response, isStream), 'application/json')
      } else if (isStream || acceptsEventsAlone(request)) {
        const one = result as AsyncIterable<ExecutionResult> | ExecutionResult
        const own = { ...events, bookmark: streams.bookmarkOf(request) }
        setResultProcessor((_result, fetchApi) => createEventStream(one, fetchApi, own), EVENT_STREAM)
      }
    },
    onResponse: ({ response }) => setHeaders(response.headers),
  }
}

function setHeaders(headers: Headers): void {
  headers.set('x-content-type-options', 'nosniff')
  headers.set('x-frame-options', 'DENY')
  // Proxies must not hold events back.
  if (headers.get('content-type')?.startsWith(EVENT_STREAM) === true) headers.set('x-accel-buffering', 'no')
}

/** An error that ends the results as the last of them. No generator: one that waits for a result cannot be returned. */
function withLastWord(
  source: AsyncIterable<ExecutionResult>,
  failure: (error: unknown) => ExecutionResult,
): AsyncIterable<ExecutionResult> {
  const from = source[Symbol.asyncIterator]()
  let isOver = false
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        if (isOver) return { done: true, value: undefined }
        try {
          return await from.next()
        } catch (error) {
          isOver = true
          return { done: false, value: failure(error) }
        }
      },
      async return() {
        await from.return?.()
        return { done: true, value: undefined }
      },
    }),
  }
}

const EVENT_STREAM = 'text/event-stream'
const JSON_TYPES: readonly string[] = [
  ...['application/json', 'application/graphql-response+json', 'application/*', '*/*'],
]

/** Whether one result is to be an event stream, too. */
function acceptsEventsAlone({ headers }: Request): boolean {
  const accepted = (headers.get('accept') ?? '*/*').split(',')
  const types = accepted.map((each) => (each.split(';', 1)[0] ?? '').trim().toLowerCase())
  return types.includes(EVENT_STREAM) && !types.some((type) => JSON_TYPES.includes(type))
}

/** The client takes nothing that this result could be sent as. */
function notAcceptable(Response: FetchAPI['Response'], isStream: boolean): Response {
  const hint = isStream
    ? 'Subscribe over WebSocket (graphql-transport-ws, npm package graphql-ws), or with accept: text/event-stream (npm package graphql-sse); HttpLink and the like do queries only.'
    : 'Send accept: application/json. For a page to write queries in, set `graphiql: true`, which production leaves off.'
  const extensions = { code: 'NOT_ACCEPTABLE', hint }
  const body = {
    errors: [{ message: 'The answer is none of the media types that the client accepts.', extensions }],
  }
  return Response.json(body, { status: 406 })
}
