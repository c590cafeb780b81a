/** Apollo Client 4 with nothing but its HttpLink: subscriptions over multipart HTTP. */
import { createHash } from 'node:crypto'
import { ApolloClient, type ApolloLink, type ErrorLike, gql, HttpLink, InMemoryCache } from '@apollo/client'
import { CombinedGraphQLErrors, CombinedProtocolErrors } from '@apollo/client/errors'
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries'
import { print } from 'graphql'
import { expect, onTestFinished, test, vi } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { startServer } from './server-fixture.ts'

const TICKS = gql('subscription { ticks }')

function subscribe(
  url: string,
  document = TICKS,
  link: ApolloLink = new HttpLink({ uri: `${url}/graphql` }),
) {
  const client = new ApolloClient({ link, cache: new InMemoryCache() })
  const seen = { data: [] as unknown[], errors: [] as ErrorLike[], isComplete: false }
  const subscription = client.subscribe({ query: document }).subscribe({
    next({ data, error }) {
      if (error === undefined) seen.data.push(data)
      else seen.errors.push(error)
    },
    error: (error: ErrorLike) => void seen.errors.push(error),
    complete() {
      seen.isComplete = true
    },
  })
  onTestFinished(() => {
    subscription.unsubscribe()
    client.stop()
  })
  return { seen, subscription }
}

test('results come at once, heartbeats are none, and leaving ends the subscription', async () => {
  const { url, source } = await startServer({ limits: { pingIntervalMs: 20 } })
  const { seen, subscription } = subscribe(url)
  await source.subscribed
  for (const value of [1, 2, 3]) {
    source.push(value)
    await vi.waitUntil(() => seen.data.length === value)
  }
  expect(seen.data).toEqual([{ ticks: 1 }, { ticks: 2 }, { ticks: 3 }])
  subscription.unsubscribe()
  await source.returned
  expect(seen.errors).toEqual([])
})

test('the end of the subscription completes', async () => {
  const { url, source } = await startServer()
  const { seen } = subscribe(url)
  source.push(1)
  await vi.waitUntil(() => seen.data.length === 1)
  await source.return?.()
  await vi.waitUntil(() => seen.isComplete)
  expect(seen.errors).toEqual([])
})

test('an error of the subscription is one of GraphQL, with its code and cursor', async () => {
  const { url, source } = await startServer()
  const { seen } = subscribe(url)
  await source.subscribed
  source.fail(new RowcastError('SUBSCRIBER_TOO_SLOW', 'Too slow.', { details: { cursor: 'x' } }))
  await vi.waitUntil(() => seen.errors.length > 0)
  const [error] = seen.errors
  expect(CombinedGraphQLErrors.is(error) && error.errors).toMatchObject([
    { extensions: { code: 'SUBSCRIBER_TOO_SLOW', cursor: 'x' } },
  ])
})

test('a server that stops is an error of the protocol, with what to go on after', async () => {
  const { url, source, server } = await startServer()
  const { seen } = subscribe(url)
  await source.subscribed
  server.refuse()
  source.fail(new RowcastError('SERVER_STOPPING', 'Stopping.', { details: { cursor: 'x', retryAfterMs: 5 } }))
  await vi.waitUntil(() => seen.errors.length > 0)
  const [error] = seen.errors
  expect(CombinedProtocolErrors.is(error) && error.errors).toMatchObject([
    { extensions: { code: 'SERVER_STOPPING', cursor: 'x', retryAfterMs: 5 } },
  ])
})

test('who is refused, and what does not begin, is an error', async () => {
  const { url } = await startServer({ context: () => null })
  const { seen } = subscribe(url)
  await vi.waitUntil(() => seen.errors.length > 0)
  expect(JSON.stringify(seen.errors[0])).toContain('UNAUTHENTICATED')
  const other = await startServer()
  const failing = subscribe(other.url, gql('subscription { failsToStart(kind: "graphql") }'))
  await vi.waitUntil(() => failing.seen.errors.length > 0)
  expect(CombinedGraphQLErrors.is(failing.seen.errors[0])).toBe(true)
})

test('its PersistedQueryLink names the document, also where no other is run', async () => {
  const text = print(TICKS)
  const sha256 = (document: string) => createHash('sha256').update(document).digest('hex')
  const { url, source } = await startServer({
    persistedDocuments: { manifest: { [sha256(text)]: text }, onlyPersisted: true },
  })
  const link = new PersistedQueryLink({ sha256 }).concat(new HttpLink({ uri: `${url}/graphql` }))
  const { seen } = subscribe(url, TICKS, link)
  source.push(1)
  await vi.waitUntil(() => seen.data.length === 1)
  expect(seen.data).toEqual([{ ticks: 1 }])
  const other = subscribe(url, gql('subscription Other { ticks }'), link)
  await vi.waitUntil(() => other.seen.errors.length > 0)
  expect(JSON.stringify(other.seen.errors[0])).toContain('QUERY_NOT_PERSISTED')
})

test('a connection that is cut is an error', async () => {
  const { url, source } = await startServer()
  await using proxy = await openTcpProxy(Number(new URL(url).port))
  const { seen } = subscribe(`http://127.0.0.1:${proxy.port}`)
  source.push(1)
  await vi.waitUntil(() => seen.data.length === 1)
  proxy.cut()
  await vi.waitUntil(() => seen.errors.length > 0)
  expect(seen.data).toEqual([{ ticks: 1 }])
})
