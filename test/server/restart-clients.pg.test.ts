/**
 * The clients that people have, as their manuals set them up, through a rolling restart: no error, no end, and every change
 * that is written while they are there once. Those that hand a cursor back are in rolling-restart.
 */
import { ApolloClient, gql, InMemoryCache } from '@apollo/client'
import { GraphQLWsLink } from '@apollo/client/link/subscriptions'
import { subscriptionExchange, Client as UrqlClient } from '@urql/core'
import { createClient as createSseClient } from 'graphql-sse'
import { createClient, type Client as SocketClient } from 'graphql-ws'
import { expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

const QUERY = 'subscription { tagChanged(action: INSERT) { new { name } } }'
const NET_MS = 40_000

interface Result {
  readonly data?: { readonly tagChanged: { readonly new: { readonly name: string } } } | null | undefined
}

/** One client, subscribed: what it was sent, and how it ended, if it did. */
interface Subscribed {
  readonly names: string[]
  end: string | null
  dispose(): unknown
}

type Subscribe = (port: number, seen: Subscribed) => () => unknown

const nameOf = ({ data }: Result): string => data?.tagChanged.new.name ?? 'no data'

/** As graphql-ws comes, but that it does not wait for seconds before it tries again. */
function openSocket(port: number): SocketClient {
  return createClient({
    url: `ws://127.0.0.1:${port}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 100,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 50)),
  })
}

/** What each client calls its listeners. */
function sinkOf(seen: Subscribed) {
  return {
    next(result: object) {
      seen.names.push(nameOf(result as Result))
    },
    error(error: unknown) {
      seen.end = `error: ${JSON.stringify(error)}`
    },
    complete() {
      seen.end ??= 'complete'
    },
  }
}

const CLIENTS: Readonly<Record<string, Subscribe>> = {
  'graphql-ws'(port, seen) {
    const client = openSocket(port)
    client.subscribe({ query: QUERY }, sinkOf(seen))
    return () => client.dispose()
  },
  'Apollo Client'(port, seen) {
    const socket = openSocket(port)
    const client = new ApolloClient({ link: new GraphQLWsLink(socket), cache: new InMemoryCache() })
    const query = gql(QUERY)
    const subscription = client.subscribe<NonNullable<Result['data']>>({ query }).subscribe(sinkOf(seen))
    return () => {
      subscription.unsubscribe()
      client.stop()
      return socket.dispose()
    }
  },
  urql(port, seen) {
    const socket = openSocket(port)
    const exchange = subscriptionExchange({
      forwardSubscription: (request) => ({
        subscribe: (sink) => ({
          unsubscribe: socket.subscribe(
            { query: request.query ?? '', variables: request.variables },
            { ...sink, next: ({ data = null }) => sink.next({ data }) },
          ),
        }),
      }),
    })
    const client = new UrqlClient({
      url: `http://127.0.0.1:${port}/graphql`,
      exchanges: [exchange],
      preferGetMethod: false,
    })
    const { unsubscribe } = client.subscription(QUERY, {}).subscribe(({ data, error }) => {
      if (error) seen.end = `error: ${error.message}`
      else if (data) seen.names.push(nameOf({ data }))
    })
    return () => {
      unsubscribe()
      return socket.dispose()
    }
  },
  'graphql-sse'(port, seen) {
    const client = createSseClient({
      url: `http://127.0.0.1:${port}/graphql`,
      retryAttempts: 100,
      retry: () => new Promise((resolve) => setTimeout(resolve, 50)),
    })
    client.subscribe({ query: QUERY }, sinkOf(seen))
    return () => client.dispose()
  },
}

// Apollo's link looks at it when a connection fails; Node.js has it from 22 on.
globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket

it('each of them goes on at the next process by itself', { timeout: 120_000 }, async () => {
  await using database = await openDatabase({ migrate: true })
  let running = await openService(database)
  const portOf = ({ url }: { readonly url: string }) => Number(new URL(url).port)
  await using proxy = await openTcpProxy(portOf(running))
  await running.service.rowcast.ready()
  const clients = Object.entries(CLIENTS).map(([name, subscribe]) => {
    const seen: Subscribed = { names: [], end: null, dispose: () => undefined }
    seen.dispose = subscribe(proxy.port, seen)
    return { name, seen }
  })
  const written: string[] = []
  async function write(): Promise<void> {
    await running.service.rowcast.ready()
    // Each client is there.
    await expect
      .poll(() => running.service.rowcast.status().subscriptions.get('Tag'), { timeout: NET_MS })
      .toBe(clients.length)
    for (let change = 0; change < 5; change += 1) {
      const name = String(written.length)
      written.push(name)
      await database.query('INSERT INTO "Tag" (name) VALUES ($1)', [name])
    }
    for (const { name, seen } of clients)
      await expect
        .poll(() => [name, seen.end, ...seen.names], { timeout: NET_MS })
        .toEqual([name, null, ...written])
  }
  await write()
  for (let restart = 0; restart < 2; restart += 1) {
    const next = await openService(database)
    await expect.poll(() => next.service.rowcast.status().state, { timeout: NET_MS }).toBe('standby')
    proxy.retarget(portOf(next))
    await running[Symbol.asyncDispose]()
    running = next
    await write()
  }
  for (const { seen } of clients) await seen.dispose()
  await running[Symbol.asyncDispose]()
})
