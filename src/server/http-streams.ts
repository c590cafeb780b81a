/**
 * Stage 8, server. What HTTP adds to the pipeline around results: event streams that count against their
 * address, end with their session and can be ended by the server, and answers of bounded length.
 */
import type { ServerResponse } from 'node:http'
import type { ExecutionResult } from 'graphql'
import { RowcastError } from '../errors.ts'
import type { Guard } from '../guard.ts'
import type { ConnectionCounter } from './client-address.ts'
import {
  CONNECTION,
  type ConnectionState,
  formatGraphqlError,
  type PipelinePlugin,
} from './connection-state.ts'
import { isLongerThan, payloadTooLarge, undeliverable } from './delivery-failure.ts'
import type { ErrorMask } from './mask-error.ts'
import { DELIVERY, RESULT_TEXT, type TextResult } from './result-stream.ts'
import type { SessionKeeper } from './session-keeper.ts'
import { createStreamRegistry } from './stream-registry.ts'

/** What the plugin needs. */
export interface HttpStreamsOptions {
  readonly errorMask: ErrorMask
  readonly guard: Guard
  readonly sessions: SessionKeeper
  readonly connections: ConnectionCounter
  readonly payloadBytesMax: number
}

/** The plugin, and the end of all its streams. */
export interface HttpStreams {
  readonly plugin: PipelinePlugin
  /** Open streams. */
  readonly count: number
  /** Ends every stream with `SERVER_STOPPING` and `complete`. */
  end(): void
}

/** A result that brings its own way to become text, as Yoga lets it. */
interface SerializedResult extends TextResult {
  readonly stringify?: (result: ExecutionResult) => string
}

/**
 * The event's `id` field, where the change's cursor was selected: a browser sends the last one back when it
 * reconnects. Yoga writes the text after `data: ` and an empty line after it, so one more line is one more
 * field of the same event; JSON has no line breaks of its own.
 */
function eventIdField({ [RESULT_TEXT]: made }: TextResult): string {
  return made === undefined || made.cursor === null ? '' : `\nid: ${made.cursor}`
}

/** Creates the plugin. */
export function createHttpStreams(options: HttpStreamsOptions): HttpStreams {
  const { errorMask, guard, sessions, connections, payloadBytesMax } = options
  const discard = guard.wrap('end a stream that nobody reads', (source: AsyncIterable<unknown>) =>
    source[Symbol.asyncIterator]().return?.(),
  )
  const streams = createStreamRegistry<SerializedResult>()
  const failure = (error: RowcastError): ExecutionResult => ({ errors: [errorMask.mask(error)] })
  const failureText = (error: unknown): string =>
    JSON.stringify({ errors: [formatGraphqlError(errorMask.mask(error))] })

  /** Makes texts of results, at most so long. One for each stream, not for each event. */
  function createStringify(
    onFailed: () => void,
    moreFields: (result: TextResult) => string = () => '',
  ): (result: TextResult) => string {
    return (result) => {
      try {
        const text = result[RESULT_TEXT]?.text ?? JSON.stringify(result)
        if (!isLongerThan(text, payloadBytesMax)) return `${text}${moreFields(result)}`
        onFailed()
        return failureText(payloadTooLarge(payloadBytesMax, result[DELIVERY]))
      } catch (error) {
        onFailed()
        return failureText(undeliverable(error, result[DELIVERY], errorMask.mask))
      }
    }
  }
  const stringifyOne = createStringify(() => undefined)

  function track(
    source: AsyncIterable<ExecutionResult>,
    { address, session }: ConnectionState,
    response: ServerResponse | undefined,
  ) {
    const release = connections.acquire(address)
    if (release === null) {
      discard(source)
      return failure(new RowcastError('TOO_MANY_CONNECTIONS', 'Too many connections come from this address.'))
    }
    const stringify = createStringify(() => stream.end(null), eventIdField)
    const stream = streams.track(
      mapResults(source, (result) => ({ ...result, stringify })),
      () => {
        release()
        stopWatching()
        response?.off('close', leave)
      },
    )
    // Yoga reads the stream only if the client is still there by then.
    const leave = () => discard(stream.iterator)
    const stopWatching = sessions.watch(session, (why) => stream.end(failure(why)))
    if (response?.destroyed === true) leave()
    else response?.once('close', leave)
    return stream.iterator
  }

  return {
    get count() {
      return streams.size
    },
    end: () => streams.end(failure(new RowcastError('SERVER_STOPPING', 'The server is stopping.'))),
    plugin: {
      onSubscribe: ({ args }) => {
        const connection = args.contextValue[CONNECTION]
        if (connection === undefined || connection.kind === 'websocket') return undefined
        return {
          onSubscribeResult({ result, setResult }) {
            if (Symbol.asyncIterator in result)
              setResult(track(result, connection, args.contextValue.res) as typeof result)
          },
        }
      },
      onExecutionResult({ result, setResult }) {
        if (result !== undefined && !Array.isArray(result) && !(Symbol.asyncIterator in result)) {
          setResult({ ...(result as ExecutionResult), stringify: stringifyOne } as SerializedResult)
        }
      },
      onResultProcess({ result, resultProcessor }) {
        // The client accepts no event stream and is told so by 406: nobody would ever read this one.
        const isStream = !Array.isArray(result) && Symbol.asyncIterator in result
        if (isStream && resultProcessor === undefined) discard(result)
      },
      onResponse({ response }) {
        response.headers.set('x-content-type-options', 'nosniff')
        response.headers.set('x-frame-options', 'DENY')
        if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
          // Proxies must not hold events back.
          response.headers.set('x-accel-buffering', 'no')
        }
      },
    },
  }
}

function mapResults(
  source: AsyncIterable<ExecutionResult>,
  map: (result: ExecutionResult) => SerializedResult,
): AsyncIterable<SerializedResult> {
  const from = source[Symbol.asyncIterator]()
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const result = await from.next()
        return result.done ? { done: true, value: undefined } : { done: false, value: map(result.value) }
      },
      async return() {
        await from.return?.()
        return { done: true, value: undefined }
      },
    }),
  }
}
