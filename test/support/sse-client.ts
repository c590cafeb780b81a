/** A GraphQL client over Server-Sent Events for tests: `fetch`, streamed, read by queues. */
import { createHeartbeats } from './heartbeats.ts'
import {
  createResultQueue,
  formatDocument,
  type Result,
  type ResultQueue,
  type ResultSink,
  type SubscriptionDocument,
} from './result-queue.ts'

/** One operation with its own HTTP response. */
export interface SseSubscription<Data> extends ResultQueue<Data> {
  readonly status: number
  readonly headers: Headers
  /** Resolves with the number of comments once that many have come: heartbeats. */
  heartbeats(count: number): Promise<number>
  /** The `id` of the last event that had one: what a browser would send back. */
  readonly lastEventId: string | null
  /** Aborts the request. */
  unsubscribe(): void
}

/** Sends an operation to a server's `http://…` address at `/graphql`, asking for an event stream. */
export async function subscribeSse<Data = Record<string, unknown>, Variables = Record<string, unknown>>(
  url: string,
  document: SubscriptionDocument<Data, Variables>,
  variables?: Variables,
  method: 'GET' | 'POST' = 'POST',
  moreHeaders: Record<string, string> = {},
  /** Without a byte for so long, heartbeats included, the link is given up. */
  silenceMs = 2 ** 31 - 1,
): Promise<SseSubscription<Data>> {
  const queue = createResultQueue<Data>()
  const { beat, heartbeats } = createHeartbeats()
  const abort = new AbortController()
  const operation = { query: formatDocument(document), variables: variables ?? {} }
  const silence = setTimeout(() => abort.abort(), silenceMs).unref()
  const response = await sendOperation(url, operation, method, moreHeaders, abort.signal).catch((error) => {
    clearTimeout(silence)
    throw error
  })
  const seen = { lastEventId: null as string | null }
  void readEvents(response, queue, seen, beat, silence)
  return Object.defineProperties(
    Object.assign(queue, {
      status: response.status,
      headers: response.headers,
      heartbeats,
      unsubscribe: () => abort.abort(),
    }),
    { lastEventId: { get: () => seen.lastEventId } },
  ) as unknown as SseSubscription<Data>
}

function sendOperation(
  url: string,
  { query, variables }: { readonly query: string; readonly variables: unknown },
  method: 'GET' | 'POST',
  moreHeaders: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  // The second lets a GET pass the server's guard against requests of other sites.
  const headers = { accept: 'text/event-stream', 'x-graphql-yoga-csrf': '1', ...moreHeaders }
  if (method === 'POST') {
    return fetch(`${url}/graphql`, {
      method,
      signal,
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
    })
  }
  const parameters = new URLSearchParams({ query, variables: JSON.stringify(variables) })
  return fetch(`${url}/graphql?${parameters}`, { headers, signal })
}

/** Parses events as the HTML Living Standard, section 9.2.6, has them, for the fields GraphQL over SSE uses. */
async function readEvents<Data>(
  response: Response,
  sink: ResultSink<Data>,
  seen: { lastEventId: string | null },
  onComment: () => void,
  silence: NodeJS.Timeout,
): Promise<void> {
  const decoder = new TextDecoder()
  let text = ''
  try {
    for await (const bytes of response.body ?? []) {
      silence.refresh()
      text += decoder.decode(bytes, { stream: true })
      const blocks = text.split('\n\n')
      text = blocks.pop() ?? ''
      for (const block of blocks) readEvent(block, sink, seen, onComment)
    }
    sink.end({ kind: 'closed', reason: endOf(response, text) })
  } catch (error) {
    sink.end({ kind: 'closed', reason: error instanceof Error ? error.name : String(error) })
  } finally {
    clearTimeout(silence)
  }
}

/** Where it is no event stream, what it is instead: else nobody could say afterwards why nothing came. */
function endOf({ status, headers }: Response, rest: string): string {
  const type = headers.get('content-type')
  if (type?.startsWith('text/event-stream') === true && rest === '') return 'end of response'
  return `end of response: ${status}, ${type ?? 'no media type'}, ${rest.slice(0, 500)}`
}

function readEvent<Data>(
  block: string,
  sink: ResultSink<Data>,
  seen: { lastEventId: string | null },
  onComment: () => void,
): void {
  let event = 'message'
  let data = ''
  for (const line of block.split('\n')) {
    if (line.startsWith(':')) onComment()
    else if (line.startsWith('event: ')) event = line.slice('event: '.length)
    else if (line.startsWith('id: ')) seen.lastEventId = line.slice('id: '.length)
    else if (line.startsWith('data: ')) data += line.slice('data: '.length)
  }
  if (event === 'next') sink.push(JSON.parse(data) as Result<Data>)
  if (event === 'complete') sink.end({ kind: 'complete' })
}
