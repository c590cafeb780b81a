/** The transports of the server as one kind of client, so that one suite runs on each of them. */
import type { FormattedExecutionResult, GraphQLFormattedError } from 'graphql'

import type { ServerOptions } from '../../src/server/create-server.ts'
import type { ContextSource } from '../../src/server/session/context.ts'
import type { TransportKind } from '../../src/server/transport.ts'
import { type ServerFixture, startServer } from '../server/server-fixture.ts'
import { createTickSource, type TickSource } from '../server/tick-schema.ts'
import { subscribeMultipart } from '../support/multipart-client.ts'
import type { ResultQueue } from '../support/result-queue.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { createWsClient } from '../support/ws-client.ts'
import { buildProbeSchema, type Probe } from './probe-schema.ts'

/** Credentials and variables of an operation. */
export interface Ask {
  readonly variables?: Record<string, unknown>
  /** Goes into the authorization header, or into connectionParams. */
  readonly token?: string
  /** Whom a proxy in front says that the client is. */
  readonly address?: string
}

/** What came back: a result, or the end of the connection before one. */
export interface Answer {
  readonly data: unknown
  readonly errors: readonly GraphQLFormattedError[]
  /** HTTP status, where there is one of its own. */
  readonly status?: number
  /** Code and reason of a WebSocket that was closed instead. */
  readonly closed?: { readonly code: number; readonly reason: string }
}

/** An event stream, of either kind. */
export interface Stream {
  next(): Promise<Answer>
  /** The code of the error that ended it, or how else it ended. */
  ended(): Promise<string>
  leave(): Promise<void>
}

/** One transport. */
export interface Transport {
  readonly name: string
  /** What `context` is given. */
  readonly kind: ContextSource['kind']
  ask(url: string, query: string, options?: Ask): Promise<Answer>
}

/** A transport with event streams. */
export interface StreamTransport extends Transport {
  open(url: string, query: string, options?: Ask): Promise<Stream>
}

function answerOf(result: FormattedExecutionResult, more: Partial<Answer> = {}): Answer {
  return { data: result.data ?? null, errors: result.errors ?? [], ...more }
}

const bearer = ({ token }: Ask): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` }

const forwarded = ({ address }: Ask): Record<string, string> =>
  address === undefined ? {} : { 'x-forwarded-for': address }

function createHttp(method: 'GET' | 'POST'): Transport {
  return {
    name: `HTTP ${method}`,
    kind: 'http',
    async ask(url, query, options = {}) {
      const { variables = {} } = options
      const search = new URLSearchParams({ query, variables: JSON.stringify(variables) })
      const response = await fetch(method === 'GET' ? `${url}/graphql?${search}` : `${url}/graphql`, {
        method,
        headers: {
          accept: 'application/json',
          'x-graphql-yoga-csrf': '1',
          'content-type': 'application/json',
          ...bearer(options),
          ...forwarded(options),
        },
        ...(method === 'POST' ? { body: JSON.stringify({ query, variables }) } : {}),
      })
      return answerOf((await response.json()) as FormattedExecutionResult, { status: response.status })
    },
  }
}

/** What the clients of streams over HTTP have alike. */
interface HttpSubscription extends ResultQueue<Record<string, unknown>> {
  readonly status: number
  unsubscribe(): void
}

function createHttpStream(
  kind: StreamTransport['kind'],
  name: string,
  subscribe: (url: string, query: string, options: Ask) => Promise<HttpSubscription>,
): StreamTransport {
  const open: StreamTransport['open'] = async (url, query, options = {}) => {
    const stream = await subscribe(url, query, options)
    let lastCode = ''
    return {
      async next() {
        const result = await stream.next()
        lastCode = String(result.errors?.[0]?.extensions?.['code'] ?? '')
        return answerOf(result, { status: stream.status })
      },
      async ended() {
        const end = await stream.ended()
        while (stream.length > 0) {
          const { errors } = await stream.next()
          lastCode = String(errors?.[0]?.extensions?.['code'] ?? '')
        }
        return lastCode === '' ? end.kind : lastCode
      },
      leave: async () => stream.unsubscribe(),
    }
  }
  return {
    name,
    kind,
    open,
    async ask(url, query, options) {
      const stream = await open(url, query, options)
      const answer = await stream.next()
      await stream.leave()
      return answer
    },
  }
}

function createSse(method: 'GET' | 'POST'): StreamTransport {
  return createHttpStream('sse', `SSE ${method}`, (url, query, options) =>
    subscribeSse(url, query, options.variables ?? {}, method, { ...bearer(options), ...forwarded(options) }),
  )
}

const multipart = createHttpStream('multipart', 'multipart', (url, query, options) =>
  subscribeMultipart(url, query, options.variables ?? {}, { ...bearer(options), ...forwarded(options) }),
)

const webSocket: StreamTransport = {
  name: 'WebSocket',
  kind: 'websocket',
  async open(url, query, options = {}) {
    const { variables = {}, token } = options
    const client = createWsClient(url, token === undefined ? {} : { token }, forwarded(options))
    const results = client.subscribe(query, variables)
    return {
      async next() {
        try {
          return answerOf(await results.next())
        } catch {
          const end = await results.ended()
          if (end.kind === 'errors') return { data: null, errors: end.errors }
          return { data: null, errors: [], closed: await client.closed() }
        }
      },
      async ended() {
        const end = await results.ended()
        if (end.kind === 'errors') return String(end.errors[0]?.extensions?.['code'])
        return end.kind === 'closed' ? (await client.closed()).reason : end.kind
      },
      leave: () => client.close(),
    }
  },
  async ask(url, query, options) {
    const stream = await webSocket.open(url, query, options)
    const answer = await stream.next()
    await stream.leave()
    return answer
  },
}

/** Each transport of the server has at least one client here: the compiler misses it. */
const BY_KIND: Readonly<Record<TransportKind, readonly StreamTransport[]>> = {
  sse: [createSse('POST'), createSse('GET')],
  websocket: [webSocket],
  multipart: [multipart],
}

/** Those that keep a connection open. */
export const STREAM_TRANSPORTS: readonly StreamTransport[] = Object.values(BY_KIND).flat()
/** Every way in. */
export const TRANSPORTS: readonly Transport[] = [
  ...[createHttp('POST'), createHttp('GET')],
  ...STREAM_TRANSPORTS,
]

/** A server over the probe schema. */
export interface ProbeServer extends ServerFixture, Probe {}

/** Starts one, gone at the end of the test. */
export async function startProbe(
  options: Partial<ServerOptions> = {},
  source: TickSource = createTickSource(),
): Promise<ProbeServer> {
  const contexts: object[] = []
  const schema = buildProbeSchema({ source, contexts })
  return { ...(await startServer({ schema, ...options }, source)), contexts }
}
