/** What a query has not read yet is not read once its client has left, on every transport. */
import { GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql'
import { expect, test } from 'vitest'
import { type OperationReads, ReadPool, readAs } from '../../src/graphql/reading/read-pool.ts'
import { startServer } from '../server/server-fixture.ts'
import { createDeferred } from '../support/deferred.ts'
import { MULTIPART_ACCEPT } from '../support/multipart-client.ts'
import { openRawSocket, subscribeMessage } from './raw-socket.ts'

/** A schema whose one field reads until it is said to go on. */
function createSlowRead() {
  const pool = new ReadPool({ timeoutMs: 600_000 })
  const begun = createDeferred<OperationReads>()
  const ended = createDeferred<void>()
  const slow = {
    type: new GraphQLNonNull(GraphQLString),
    resolve: (_root: unknown, _args: unknown, context: unknown) =>
      readAs(pool, context, async (reads) => {
        await reads.reserve(1_000)
        begun.resolve(reads)
        await ended.promise
        return 'read'
      }),
  }
  const schema = new GraphQLSchema({
    query: new GraphQLObjectType({ name: 'Query', fields: { slow } }),
    mutation: new GraphQLObjectType({ name: 'Mutation', fields: { slow } }),
  })
  return { pool, schema, begun: begun.promise, end: ended.resolve }
}

/** Asks; returns what leaves. */
type Ask = (url: string, query: string) => Promise<() => void>

const overFetch =
  (method: 'GET' | 'POST', accept: string): Ask =>
  async (url, query) => {
    const controller = new AbortController()
    const isGet = method === 'GET'
    const asked = fetch(isGet ? `${url}/graphql?${new URLSearchParams({ query })}` : `${url}/graphql`, {
      ...{ method, signal: controller.signal },
      headers: { accept, 'content-type': 'application/json', 'x-graphql-yoga-csrf': '1' },
      ...(isGet ? {} : { body: JSON.stringify({ query }) }),
    })
    asked.catch(() => undefined)
    return () => controller.abort()
  }

const overWebSocket =
  (leaves: 'completes' | 'goes'): Ask =>
  async (url, query) => {
    const { socket, send } = await openRawSocket(url)
    send(subscribeMessage('1', query))
    return () => (leaves === 'goes' ? socket.terminate() : send({ id: '1', type: 'complete' }))
  }

const WAYS: readonly (readonly [string, Ask])[] = [
  ['HTTP POST', overFetch('POST', 'application/json')],
  ['HTTP GET', overFetch('GET', 'application/json')],
  ['SSE POST', overFetch('POST', 'text/event-stream')],
  ['SSE GET', overFetch('GET', 'text/event-stream')],
  ['multipart', overFetch('POST', MULTIPART_ACCEPT)],
  ['a WebSocket that completes it', overWebSocket('completes')],
  ['a WebSocket that goes', overWebSocket('goes')],
]

const isOver = (reads: OperationReads): boolean => {
  try {
    reads.check()
    return false
  } catch {
    return true
  }
}

test.each(WAYS)('over %s', async (_, ask) => {
  const { pool, schema, begun, end } = createSlowRead()
  const { url, logged } = await startServer({ schema })
  const leave = await ask(url, '{ slow }')
  const reads = await begun
  expect([isOver(reads), pool.bytes]).toEqual([false, 1_000])
  leave()
  await expect.poll(() => isOver(reads)).toBe(true)
  expect(pool.bytes).toBe(0)
  end()
  expect(logged).toEqual([])
})

test('a mutation goes on: a part of it may have been done', async () => {
  const { schema, begun, end } = createSlowRead()
  const { url, server } = await startServer({ schema })
  const leave = await overWebSocket('goes')(url, 'mutation { slow }')
  const reads = await begun
  leave()
  await expect.poll(() => server.connections().webSockets).toBe(0)
  expect(isOver(reads)).toBe(false)
  end()
})
