/**
 * Stage 8, server. Results as Server-Sent Events, in GraphQL over SSE's distinct connections mode: `next` for each result,
 * `complete` at the end. Written for browsers' EventSource as well, which comes back after every end unless it is asked to wait.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
import type { ExecutionResult, GraphQLError } from 'graphql'
import type { FetchAPI } from 'graphql-yoga'
import { errorEntry, isErrorCode } from '../../errors.ts'
import type { Guard } from '../../guard.ts'
import { DELIVERY, RESULT_TEXT, type TextResult } from '../delivery/subscription-results.ts'
import { isLongerThan, payloadTooLarge, undeliverable } from '../errors/delivery-failure.ts'
import { formatGraphqlError } from '../session/connection-state.ts'

/** What the streams of a server share. */
export interface EventStreamOptions {
  readonly payloadBytesMax: number
  /** Hides of errors what clients must not see. */
  readonly mask: (error: unknown) => GraphQLError
  /** Between comments that keep the connection alive. */
  readonly pingIntervalMs: number
  readonly guard: Guard
  /** Whether the server is being stopped. */
  readonly isStopping: () => boolean
}

/** A cursor that everything stands before that a stream has given; null while there is none. */
export type Bookmark = () => string | null

/** How long an EventSource waits that has nothing to come back for: as good as for good. */
const RETRY_NEVER_MS = 86_400_000
const RETRY_SOON_MS = 1_000
const COMMENT = ':\n\n'

type StreamController = ReadableStreamDefaultController<Uint8Array>

/** One stream of results as the body of a response, or one result with the status that its errors have. */
export function createEventStream(
  result: AsyncIterable<ExecutionResult> | ExecutionResult,
  { Response, ReadableStream, TextEncoder }: FetchAPI,
  options: EventStreamOptions & { readonly bookmark?: Bookmark | undefined },
): Response {
  const isStream = Symbol.asyncIterator in result
  const results = isStream ? result[Symbol.asyncIterator]() : iterateOne(result)
  const encoder = new TextEncoder()
  const { guard } = options
  let ping: NodeJS.Timeout | undefined
  let last: ExecutionResult = {}
  let lastBookmark: string | null = null
  /** An id without data is no event to any client: an EventSource comes back with it, others pass over it. */
  function signOfLife(): string {
    const bookmark = options.bookmark?.() ?? null
    if (bookmark === null || bookmark === lastBookmark) return COMMENT
    lastBookmark = bookmark
    return `id: ${bookmark}\n\n`
  }
  const take = async (): Promise<EventText> => {
    const { done, value } = await results.next()
    if (done === true) return formatEnd(last)
    last = value
    return formatNext(value, options)
  }
  const leave = async (): Promise<void> => {
    clearInterval(ping)
    await results.return?.()
  }
  const end = (controller: StreamController): void => {
    guard.run('end an event stream', leave)
    controller.close()
  }
  const advance = async (controller: StreamController): Promise<void> => {
    const { text, isEnd } = await take().catch((error: unknown) => formatFailure(options.mask(error)))
    controller.enqueue(encoder.encode(text))
    if (isEnd) end(controller)
  }
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      // Some clients wait for a first byte before they know that the stream is open.
      controller.enqueue(encoder.encode(COMMENT))
      const comment = guard.wrap('keep an event stream alive', () => {
        if ((controller.desiredSize ?? 0) > 0) controller.enqueue(encoder.encode(signOfLife()))
      })
      ping = setInterval(comment, options.pingIntervalMs)
    },
    // What these reject with would end the process: nobody listens to the stream's errors.
    pull: guard.settle('send an event', advance, (_failure, controller) => end(controller)),
    cancel: guard.settle('end an event stream', leave),
  })
  return new Response(body, {
    status: isStream ? 200 : statusOf(result),
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache, no-transform' },
  })
}

async function* iterateOne(result: ExecutionResult): AsyncGenerator<ExecutionResult, undefined> {
  yield result
  return undefined
}

interface EventText {
  readonly text: string
  /** Whether it is the last of the stream. */
  readonly isEnd: boolean
}

function formatNext(result: TextResult, options: EventStreamOptions): EventText {
  const { [RESULT_TEXT]: made, [DELIVERY]: delivery } = result
  const stop = options.isStopping() ? errorOf(result, 'SERVER_STOPPING') : undefined
  // No `complete`, nor an error: to clients both are final, and the end of a response is a connection that was lost.
  if (stop !== undefined) return { text: comeBack(stop), isEnd: true }
  try {
    const text = made?.text ?? formatResult(result)
    if (isLongerThan(text, options.payloadBytesMax)) {
      return formatFailure(options.mask(payloadTooLarge(options.payloadBytesMax, delivery)))
    }
    const id = made?.cursor ?? null
    return { text: nextEvent(text, id === null ? '' : `id: ${id}\n`), isEnd: false }
  } catch (error) {
    return formatFailure(undeliverable(error, delivery, options.mask))
  }
}

/** An error that ends the stream. */
function formatFailure(error: GraphQLError): EventText {
  const last = { errors: [error] }
  return { text: nextEvent(formatResult(last)) + formatEnd(last).text, isEnd: true }
}

function nextEvent(data: string, fields = ''): string {
  return `event: next\n${fields}data: ${data}\n\n`
}

/** Where and when to go on, for an EventSource: fields without data are no event. */
function comeBack({ extensions: { cursor, retryAfterMs } }: GraphQLError): string {
  const id = typeof cursor === 'string' ? `id: ${cursor}\n` : ''
  return `${id}retry: ${typeof retryAfterMs === 'number' ? retryAfterMs : RETRY_SOON_MS}\n\n`
}

function formatEnd(last: ExecutionResult): EventText {
  const { code, cursor, retryAfterMs } = last.errors?.[0]?.extensions ?? {}
  const id = typeof cursor === 'string' ? `id: ${cursor}\n` : ''
  const isWorthwhile = id !== '' || mayPass(code)
  const retryMs =
    typeof retryAfterMs === 'number' ? retryAfterMs : isWorthwhile ? RETRY_SOON_MS : RETRY_NEVER_MS
  return { text: `event: complete\n${id}retry: ${retryMs}\ndata:\n\n`, isEnd: true }
}

/** Whether the same request may have another end next time. */
function mayPass(code: unknown): boolean {
  return isErrorCode(code) && errorEntry(code).retry === 'backoff'
}

function errorOf({ errors }: ExecutionResult, code: string): GraphQLError | undefined {
  return errors?.find(({ extensions }) => extensions['code'] === code)
}

/** One result as JSON. */
export function formatResult({ data, errors, extensions }: ExecutionResult): string {
  return JSON.stringify({
    ...(data === undefined ? {} : { data }),
    ...(errors === undefined ? {} : { errors: errors.map(formatGraphqlError) }),
    ...(extensions === undefined ? {} : { extensions }),
  })
}

/** Status that an error asks for whatever the media type; Yoga has it in `extensions.http`. */
function statusOf({ errors = [] }: ExecutionResult): number {
  const statuses = errors.flatMap(({ extensions }) => {
    const { status, spec } = (extensions['http'] ?? {}) as { status?: number; spec?: boolean }
    return status === undefined || spec === true ? [] : [status]
  })
  return Math.max(200, ...statuses)
}
