/** A GraphQL client over WebSocket for tests: graphql-ws's own client on the `ws` package, read by queues. */
import { createClient } from 'graphql-ws'
import { WebSocket } from 'ws'
import { createDeferred } from './deferred.ts'
import {
  createResultQueue,
  formatDocument,
  type ResultQueue,
  type StreamEnd,
  type SubscriptionDocument,
} from './result-queue.ts'

/** One operation over the socket. */
export interface WsSubscription<Data> extends ResultQueue<Data> {
  /** Sends `complete`. */
  unsubscribe(): void
}

/** A client with one socket. */
export interface WsClient {
  /** Resolves once the server acknowledged the connection. */
  connected(): Promise<WebSocket>
  subscribe<Data = Record<string, unknown>, Variables = Record<string, unknown>>(
    document: SubscriptionDocument<Data, Variables>,
    variables?: Variables,
  ): WsSubscription<Data>
  /** Close code and reason of the socket. */
  closed(): Promise<{ readonly code: number; readonly reason: string }>
  close(): Promise<void>
}

/** Connects to a server's `http://…` address at `/graphql`. It does not reconnect: tests see each end. @param headers of the upgrade, a page's cookie */
export function createWsClient(
  url: string,
  connectionParams: Record<string, unknown> = {},
  headers: Readonly<Record<string, string>> = {},
): WsClient {
  const connected = createDeferred<WebSocket>()
  const closed = createDeferred<{ code: number; reason: string }>()
  connected.promise.catch(() => undefined)
  const client = createClient({
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: class extends WebSocket {
      constructor(address: string, protocols: string[]) {
        super(address, protocols, { headers })
      }
    },
    connectionParams,
    lazy: false,
    retryAttempts: 0,
    onNonLazyError: connected.reject,
    on: {
      connected: (socket) => connected.resolve(socket as WebSocket),
      closed: (event) => closed.resolve(toClosed(event)),
    },
  })
  return {
    connected: () => connected.promise,
    subscribe<Data, Variables>(document: SubscriptionDocument<Data, Variables>, variables?: Variables) {
      const queue = createResultQueue<Data>()
      const unsubscribe = client.subscribe<Data, Record<string, unknown>>(
        { query: formatDocument(document), variables: variables ?? {} },
        {
          next: (result) => queue.push(result as Parameters<typeof queue.push>[0]),
          error: (error) => queue.end(toEnd(error)),
          complete: () => queue.end({ kind: 'complete' }),
        },
      )
      return Object.assign(queue, { unsubscribe })
    },
    closed: () => closed.promise,
    async close() {
      await client.dispose()
    },
  }
}

function toEnd(error: unknown): StreamEnd {
  if (Array.isArray(error)) return { kind: 'errors', errors: error }
  return { kind: 'closed', reason: JSON.stringify(toClosed(error)) }
}

function toClosed(event: unknown): { code: number; reason: string } {
  const { code, reason } = event as { code?: number; reason?: string }
  return { code: code ?? 0, reason: reason ?? String(event) }
}
