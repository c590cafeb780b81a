/**
 * A GraphQL client over multipart HTTP for tests: `fetch`, streamed, read by queues. Written by RFC 2046, section 5.1.1, and strict: a
 * delimiter begins a line, each part has one field, and anything that is not of the protocol fails the test.
 */
import type { GraphQLFormattedError } from 'graphql'
import { createHeartbeats } from './heartbeats.ts'
import {
  createResultQueue,
  formatDocument,
  type Result,
  type ResultQueue,
  type ResultSink,
  type SubscriptionDocument,
} from './result-queue.ts'

/** What Apollo Client sends with a subscription. */
export const MULTIPART_ACCEPT =
  'multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/graphql-response+json,application/json;q=0.9'

/** One operation with its own HTTP response. */
export interface MultipartSubscription<Data> extends ResultQueue<Data> {
  readonly status: number
  readonly headers: Headers
  /** Resolves with the number of heartbeats once that many have come. */
  heartbeats(count: number): Promise<number>
  /** Of the last part with errors beside its payload. */
  readonly connectionErrors: readonly GraphQLFormattedError[]
  /** Aborts the request. */
  unsubscribe(): void
}

/** What parts become. */
interface Sinks<Data> {
  readonly results: ResultSink<Data>
  readonly beat: () => void
  readonly onConnectionErrors: (errors: readonly GraphQLFormattedError[]) => void
}

/** Sends an operation to a server's `http://…` address at `/graphql`, asking for a multipart response. */
export async function subscribeMultipart<Data = Record<string, unknown>, Variables = Record<string, unknown>>(
  url: string,
  document: SubscriptionDocument<Data, Variables>,
  variables?: Variables,
  moreHeaders: Record<string, string> = {},
  body: Record<string, unknown> = { query: formatDocument(document), variables: variables ?? {} },
): Promise<MultipartSubscription<Data>> {
  const queue = createResultQueue<Data>()
  const { beat, heartbeats } = createHeartbeats()
  const abort = new AbortController()
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    signal: abort.signal,
    headers: { accept: MULTIPART_ACCEPT, 'content-type': 'application/json', ...moreHeaders },
    body: JSON.stringify(body),
  })
  let connectionErrors: readonly GraphQLFormattedError[] = []
  const sinks: Sinks<Data> = {
    results: queue,
    beat,
    onConnectionErrors(errors) {
      connectionErrors = errors
      // Read like any other result by the suites that run on all transports.
      queue.push({ errors } as Result<Data>)
    },
  }
  void read(response, sinks).catch((error: unknown) =>
    queue.end({
      kind: 'closed',
      reason: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    }),
  )
  return Object.defineProperties(
    Object.assign(queue, {
      status: response.status,
      headers: response.headers,
      heartbeats,
      unsubscribe: () => abort.abort(),
    }),
    { connectionErrors: { get: () => connectionErrors } },
  ) as unknown as MultipartSubscription<Data>
}

async function read<Data>(response: Response, sinks: Sinks<Data>): Promise<void> {
  const type = response.headers.get('content-type') ?? ''
  if (!type.startsWith('multipart/mixed')) {
    sinks.results.push((await response.json()) as Result<Data>)
    return sinks.results.end({ kind: 'complete' })
  }
  const [, boundary] = /;boundary=([^;]+);subscriptionSpec=1\.0$/.exec(type) ?? []
  if (boundary === undefined) throw new Error(`No boundary: ${type}`)
  const delimiter = `\r\n--${boundary}`
  const decoder = new TextDecoder()
  let text = ''
  let isBegun = false
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true })
    for (let at = text.indexOf(delimiter); at >= 0; at = text.indexOf(delimiter)) {
      const before = text.slice(0, at)
      text = text.slice(at + delimiter.length)
      // What is before the first is the preamble, and empty.
      if (isBegun) readPart(before, sinks)
      else if (before !== '') throw new Error(`Unexpected preamble: ${before}`)
      isBegun = true
    }
  }
  if (text !== '--\r\n') throw new Error(`The response ended without the closing delimiter: ${text}`)
  sinks.results.end({ kind: 'complete' })
}

function readPart<Data>(part: string, { results, beat, onConnectionErrors }: Sinks<Data>): void {
  const head = '\r\ncontent-type: application/json\r\n\r\n'
  if (!part.startsWith(head)) throw new Error(`Unexpected part: ${part}`)
  const text = part.slice(head.length)
  if (text === '{}') {
    beat()
    return
  }
  const { payload, errors, ...more } = JSON.parse(text) as {
    readonly payload?: Result<Data> | null
    readonly errors?: readonly GraphQLFormattedError[]
  }
  if (Object.keys(more).length > 0 || (payload === null) !== (errors !== undefined))
    throw new Error(`Unexpected members: ${text}`)
  if (payload !== null && payload !== undefined) results.push(payload)
  else if (errors !== undefined) onConnectionErrors(errors)
  else throw new Error(`No payload: ${text}`)
}
