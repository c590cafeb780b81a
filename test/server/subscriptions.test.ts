/** Subscriptions over WebSocket and SSE: delivery, unsubscribing, heartbeats, back-pressure. */
import { expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { createDeferred } from '../support/deferred.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { createWsClient } from '../support/ws-client.ts'
import { startServer } from './server-fixture.ts'
import { createTickSource } from './tick-schema.ts'

/** Of 64 KiB each, ready to be sent: 64 MiB, more than any socket holds. */
const READY_BLOBS = 1024
const TICKS = 'subscription { ticks }'

test('a WebSocket client gets values in order, and its complete reaches the iterator', async () => {
  const { url, source } = await startServer()
  const client = createWsClient(url)
  const ticks = client.subscribe(TICKS)
  source.push(1, 2, 3)
  expect([await ticks.nextData(), await ticks.nextData(), await ticks.nextData()]).toEqual([
    { ticks: 1 },
    { ticks: 2 },
    { ticks: 3 },
  ])
  ticks.unsubscribe()
  await source.returned
  await client.close()
})

test('a WebSocket that is cut reaches the iterator', async () => {
  const { url, source } = await startServer()
  const client = createWsClient(url)
  client.subscribe(TICKS)
  await source.subscribed
  const socket = await client.connected()
  socket.terminate()
  await source.returned
})

test.each(['POST', 'GET'] as const)('an SSE client over %s gets values in order', async (method) => {
  const { url, source } = await startServer()
  const ticks = await subscribeSse(url, TICKS, {}, method)
  expect(ticks.status).toBe(200)
  expect(ticks.headers.get('content-type')).toContain('text/event-stream')
  expect(ticks.headers.get('x-accel-buffering')).toBe('no')
  expect(ticks.headers.get('cache-control')).toContain('no-cache')
  source.push(7, 8)
  expect([await ticks.nextData(), await ticks.nextData()]).toEqual([{ ticks: 7 }, { ticks: 8 }])
  ticks.unsubscribe()
  await source.returned
})

test('an SSE client that leaves while nothing happens reaches the iterator', async () => {
  const { url, source } = await startServer()
  const ticks = await subscribeSse(url, TICKS)
  await source.subscribed
  ticks.unsubscribe()
  await source.returned
})

test('a source that ends completes the subscription on both transports', async () => {
  const { url, source } = await startServer()
  const client = createWsClient(url)
  const overWs = client.subscribe(TICKS)
  await source.subscribed
  await source.return?.()
  expect(await overWs.ended()).toEqual({ kind: 'complete' })
  expect(await (await subscribeSse(url, TICKS)).ended()).toEqual({ kind: 'complete' })
  await client.close()
})

test('SSE sends heartbeats while nothing happens', async () => {
  const { url } = await startServer({ limits: { pingIntervalMs: 20 } })
  const ticks = await subscribeSse(url, TICKS)
  expect(await ticks.heartbeats(2)).toBe(2)
  ticks.unsubscribe()
})

test('a WebSocket that does not answer pings is cut', async () => {
  const { url, source } = await startServer({ limits: { pingIntervalMs: 200 } })
  const socket = new WebSocket(`${url}/graphql`, 'graphql-transport-ws', { autoPong: false })
  // Until it has subscribed it answers: a busy machine takes longer than a ping for that.
  const answer = () => socket.pong()
  socket.on('ping', answer)
  const closed = createDeferred<number>()
  socket.on('close', closed.resolve)
  socket.on('open', () => socket.send('{"type":"connection_init"}'))
  socket.once('message', () => {
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: TICKS } }))
  })
  await source.subscribed
  socket.off('ping', answer)
  expect(await closed.promise).toBe(1006)
  await source.returned
})

test('only graphql-transport-ws is spoken', async () => {
  const { url } = await startServer()
  const socket = new WebSocket(`${url}/graphql`, 'graphql-ws')
  const closed = createDeferred<unknown>()
  socket.on('error', closed.resolve)
  socket.on('close', closed.resolve)
  const end = await closed.promise
  expect(end === 4406 || end instanceof Error).toBe(true)
})

test('a malformed message closes its own socket with 4400 and no other', async () => {
  const { url, source } = await startServer()
  const honest = createWsClient(url)
  const ticks = honest.subscribe(TICKS)
  await source.subscribed
  const socket = new WebSocket(`${url}/graphql`, 'graphql-transport-ws')
  const closed = createDeferred<number>()
  socket.on('close', closed.resolve)
  socket.on('open', () => socket.send('{"type":"nonsense"'))
  expect(await closed.promise).toBe(4400)
  source.push(5)
  expect(await ticks.nextData()).toEqual({ ticks: 5 })
  await honest.close()
})

test('a paused WebSocket client is not produced for: the source waits within the bound', async () => {
  const source = createTickSource(READY_BLOBS)
  const blobBytes = 64 * 1024
  const socketBufferedBytesMax = 256 * 1024
  const { url } = await startServer({ limits: { socketBufferedBytesMax } }, source)
  const client = createWsClient(url)
  const socket = await client.connected()
  const blobs = client.subscribe(`subscription { blobs(bytes: ${blobBytes}) }`)
  await blobs.nextData()
  socket.pause()
  const pulledAtRest = await settled(() => source.pulled)
  // What the kernel's two socket buffers take is not ours, but it is far from all of them.
  expect(pulledAtRest * blobBytes).toBeLessThan(32 * 1024 * 1024)
  socket.resume()
  await vi.waitUntil(() => source.pulled > pulledAtRest, { timeout: 10_000 })
  await client.close()
})

test('an SSE client that does not read is not produced for', async () => {
  const source = createTickSource(READY_BLOBS)
  const { url } = await startServer({}, source)
  const response = await fetch(`${url}/graphql?query=subscription{blobs(bytes:65536)}`, {
    headers: { accept: 'text/event-stream', 'x-graphql-yoga-csrf': '1' },
  })
  const pulledAtRest = await settled(() => source.pulled)
  expect(pulledAtRest * 65_536).toBeLessThan(32 * 1024 * 1024)
  const reader = response.body?.getReader()
  await vi.waitUntil(async () => {
    await reader?.read()
    return source.pulled > pulledAtRest
  })
  await reader?.cancel()
  await source.returned
})

/** The value once it has stayed the same and above zero for a good while of the event loop's turns. */
async function settled(read: () => number): Promise<number> {
  let last = read()
  let steadyTurns = 0
  await vi.waitUntil(
    () => {
      const now = read()
      steadyTurns = now === last && now > 0 ? steadyTurns + 1 : 0
      last = now
      return steadyTurns >= 20
    },
    { timeout: 10_000, interval: 10 },
  )
  return last
}
