/**
 * Beside the spine, client. Subscriptions over Server-Sent Events, for the same kit: where WebSockets are not let through, or
 * headers are needed. `fetch`, not EventSource: that can send neither headers nor a POST, and does not say why it failed.
 */
import type { SubscribePayload } from 'graphql-ws'
import type { ChangeClient, ChangeResult, ChangeSink } from './change-client.ts'
import { EventStreamParser, type StreamEvent } from './event-stream.ts'
import { SubscriptionError, toSubscriptionErrors } from './subscription-error.ts'
import { retryAfterHeaderMs, retryDelayMs, wait } from './wait.ts'

/** How to reach a server. */
export interface SseClientOptions {
  /** Of the GraphQL endpoint. */
  readonly url: string
  /** Sent with each attempt; a function is asked again for each. @default none */
  readonly headers?:
    | Readonly<Record<string, string>>
    | (() => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>)
    | undefined
  /** As of `fetch`: whether cookies go to another origin. @default 'same-origin' */
  readonly credentials?: RequestCredentials | undefined
  /** @default globalThis.fetch */
  readonly fetch?: typeof fetch | undefined
  /** A stream in which nothing came for so long is lost; rowcast sends a comment every 12 s. @default 30_000 // ms */
  readonly silenceMs?: number | undefined
}

/** A client over SSE. Each operation has a stream of its own, which is opened again when it is lost. */
export interface SseClient extends Pick<ChangeClient, 'subscribe'> {
  /** Ends all operations, as if the server had completed them. */
  dispose(): void
}

const SILENCE_MS = 30_000
/** One event; a server sends at most 1 MiB unless it is set otherwise. */
const EVENT_CHARACTERS_MAX = 64 * 1024 * 1024
/** What passes, though the client is said to be at fault: it was too slow, too early or asked too much. */
const RETRIED_STATUS: ReadonlySet<number> = new Set([408, 425, 429])
/** What a server cannot do it cannot do later: not implemented, a version of HTTP that it does not speak. */
const FINAL_STATUS: ReadonlySet<number> = new Set([501, 505])

/** Creates a client; it connects when something is asked for. */
export function createSseClient(options: SseClientOptions): SseClient {
  const running = new Set<AbortController>()
  return {
    subscribe(payload: SubscribePayload, sink: ChangeSink<never>) {
      const ending = new AbortController()
      running.add(ending)
      runOperation(options, payload, sink, ending.signal)
        // What throws here is the sink itself, in `lost` or `complete`: the operation is over, and says so.
        .catch((error: unknown) => sink.error(error))
        .finally(() => running.delete(ending))
      return () => ending.abort()
    },
    dispose() {
      for (const ending of running) ending.abort()
    },
  } as SseClient
}

/** React Native's `fetch` resolves once the whole response is there, which one that stays open never is. */
const hasStreams = (): boolean => 'body' in Response.prototype
const NO_STREAMS =
  '`fetch` of this runtime gives no part of a response before its end: take a client of graphql-ws, or pass a `fetch` that does (of expo/fetch, for instance).'

/** Until it is complete, refused or ended: attempts, one after the other. */
async function runOperation(
  options: SseClientOptions,
  payload: SubscribePayload,
  sink: ChangeSink<unknown>,
  signal: AbortSignal,
): Promise<void> {
  if (options.fetch === undefined && !hasStreams()) throw new SubscriptionError(NO_STREAMS)
  let failures = 0
  const onResult = () => {
    failures = 0
  }
  while (!signal.aborted) {
    const end = await attempt(options, payload, { sink, signal, onResult })
    if (signal.aborted || end.kind === 'complete') break
    if (end.kind === 'refused') {
      sink.error(end.error)
      return
    }
    sink.lost?.()
    await wait(end.retryAfterMs ?? retryDelayMs(null, failures), signal)
    failures += 1
  }
  sink.complete()
}

/** How an attempt ended. */
type AttemptEnd =
  | { readonly kind: 'complete' }
  | { readonly kind: 'refused'; readonly error: unknown }
  | { readonly kind: 'lost'; readonly retryAfterMs: number | null }

const LOST: AttemptEnd = { kind: 'lost', retryAfterMs: null }

interface AttemptScope {
  readonly sink: ChangeSink<unknown>
  readonly signal: AbortSignal
  readonly onResult: () => void
}

async function attempt(
  options: SseClientOptions,
  payload: SubscribePayload,
  scope: AttemptScope,
): Promise<AttemptEnd> {
  const body = bodyOf(payload)
  if (typeof body !== 'string') return body
  const hangUp = new AbortController()
  const onAbort = () => hangUp.abort()
  scope.signal.addEventListener('abort', onAbort)
  const watch = watchSilence(options.silenceMs ?? SILENCE_MS, onAbort)
  try {
    const response = await send(options, body, hangUp.signal)
    watch.heard()
    if (!response.ok || response.body === null) return await refusalOf(response)
    if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) {
      scope.sink.next(resultOf(await response.json()))
      return { kind: 'complete' }
    }
    scope.sink.connected?.()
    return await readStream(response.body, scope, watch.heard)
  } catch {
    // The network, or a body that ended in the middle: what GraphQL has to say came as a result.
    return LOST
  } finally {
    watch.stop()
    scope.signal.removeEventListener('abort', onAbort)
    hangUp.abort()
  }
}

/** Refused where no JSON can be made of it, as of a bigint: another attempt would make none either. */
function bodyOf({ query, variables, operationName, extensions }: SubscribePayload): string | AttemptEnd {
  try {
    return JSON.stringify({ query, variables, operationName, extensions })
  } catch (error) {
    return { kind: 'refused', error }
  }
}

async function send(
  { url, headers, credentials = 'same-origin', fetch: send = fetch }: SseClientOptions,
  body: string,
  signal: AbortSignal,
): Promise<Response> {
  const own = typeof headers === 'function' ? await headers() : headers
  return send(url, {
    method: 'POST',
    headers: {
      accept: 'text/event-stream, application/json;q=0.5',
      'content-type': 'application/json',
      ...own,
    },
    body,
    credentials,
    signal,
  })
}

async function readStream(
  body: ReadableStream<Uint8Array>,
  { sink, onResult }: AttemptScope,
  heard: () => void,
): Promise<AttemptEnd> {
  const state = { isComplete: false }
  const onEvent = ({ name, data }: StreamEvent) => {
    if (state.isComplete) return
    if (name === 'complete') state.isComplete = true
    if (name !== 'next') return
    sink.next(resultOf(JSON.parse(data)))
    onResult()
  }
  const onBookmark = (cursor: string) => sink.bookmark?.(cursor)
  const parser = new EventStreamParser({ onEvent, onBookmark }, EVENT_CHARACTERS_MAX)
  const decoder = new TextDecoder()
  const reader = body.getReader()
  try {
    while (!state.isComplete) {
      const { done, value } = await reader.read()
      if (done) return { kind: 'lost', retryAfterMs: parser.retryAfterMs }
      heard()
      parser.push(decoder.decode(value, { stream: true }))
    }
    return { kind: 'complete' }
  } finally {
    reader.cancel().catch(() => undefined)
  }
}

/** What the server sent as a result. What is none has neither data nor errors. */
function resultOf(sent: unknown): ChangeResult<unknown> {
  return Object(sent)
}

/** What goes wrong at the server passes, whatever number its proxies have for it: 520 to 530 are Cloudflare's. */
function isRetried(status: number): boolean {
  return RETRIED_STATUS.has(status) || (status >= 500 && !FINAL_STATUS.has(status))
}

/** Refused for good with GraphQL errors or a status; or for now. */
async function refusalOf(response: Response): Promise<AttemptEnd> {
  const { status, statusText } = response
  if (isRetried(status)) {
    return { kind: 'lost', retryAfterMs: retryAfterHeaderMs(response.headers.get('retry-after')) }
  }
  const body: unknown = await response.json().catch(() => null)
  const [error] = toSubscriptionErrors(Reflect.get(Object(body), 'errors'))
  return {
    kind: 'refused',
    error: error ?? new SubscriptionError(`The server answered ${status} ${statusText}.`.replace(' .', '.')),
  }
}

function watchSilence(silenceMs: number, onSilence: () => void) {
  let timer = setTimeout(onSilence, silenceMs)
  return {
    heard() {
      clearTimeout(timer)
      timer = setTimeout(onSilence, silenceMs)
    },
    stop: () => clearTimeout(timer),
  }
}
