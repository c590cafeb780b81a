/** The server's routes, health, listening and end, on a real socket. */
import { expect, test } from 'vitest'
import { silentLogger } from '../../src/log.ts'
import { createServer } from '../../src/server/create-server.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { createWsClient } from '../support/ws-client.ts'
import { postGraphql, startServer } from './server-fixture.ts'
import { buildTickSchema, createTickSource } from './tick-schema.ts'

test('listen() takes a free port for 0 and says where it is', async () => {
  const { url } = await startServer()
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  expect(await postGraphql(url, '{ hello }')).toEqual({ status: 200, body: { data: { hello: 'world' } } })
})

test('a port in use is an error that names the hint', async () => {
  const { url } = await startServer()
  const port = Number(new URL(url).port)
  const second = createServer({
    schema: buildTickSchema(createTickSource()),
    logger: silentLogger,
    port,
    health: () => ({ isReady: true }),
  })
  await expect(second.listen()).rejects.toThrow(
    `[SERVER_PORT_IN_USE] Port ${port} on 127.0.0.1 is taken by another program. Hint: Stop it, or choose another port: PORT=${port + 1}`,
  )
  await second.close()
})

test('a host that is not of this machine is an error that names HOST', async () => {
  const server = createServer({
    schema: buildTickSchema(createTickSource()),
    logger: silentLogger,
    host: '192.0.2.1',
    port: 0,
    health: () => ({ isReady: true }),
  })
  await expect(server.listen()).rejects.toThrow(/^\[SERVER_LISTEN_FAILED\] .*192\.0\.2\.1.*HOST/)
})

test('/health/live answers 200, /health/ready 503 until changes flow', async () => {
  let isReady = false
  const { url } = await startServer({
    health: () => ({ isReady, details: { replication: isReady ? 'streaming' : 'connecting' } }),
  })
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(url + path)
    return {
      status: response.status,
      cache: response.headers.get('cache-control'),
      body: await response.json(),
    }
  }
  expect(await get('/health/live')).toEqual({ status: 200, cache: 'no-store', body: { status: 'live' } })
  expect(await get('/health/ready')).toEqual({
    status: 503,
    cache: 'no-store',
    body: { status: 'not_ready', replication: 'connecting' },
  })
  isReady = true
  expect(await get('/health/ready')).toEqual({
    status: 200,
    cache: 'no-store',
    body: { status: 'ready', replication: 'streaming' },
  })
})

test('any other path is a 404 that says where GraphQL is', async () => {
  const { url } = await startServer()
  const response = await fetch(`${url}/graphiql?x=1`)
  expect(response.status).toBe(404)
  expect(await response.json()).toEqual({ error: 'NOT_FOUND', message: expect.stringContaining('/graphql') })
})

test('an upgrade on another path is refused', async () => {
  const { url } = await startServer()
  await expect(createWsClient(`${url}/elsewhere`).connected()).rejects.toBeDefined()
})

test('close() ends clients so that they know to come back, and frees the port', async () => {
  const { url, server, source } = await startServer()
  const sseSource = await subscribeSse<{ ticks: number }>(url, 'subscription { ticks }')
  source.push(1)
  expect(await sseSource.nextData()).toEqual({ ticks: 1 })
  const client = createWsClient(url)
  const overWs = client.subscribe('subscription { ticks }')
  await client.connected()

  await server.close()

  expect(await client.closed()).toEqual({ code: 1012, reason: 'Server is stopping' })
  expect((await overWs.ended()).kind).toBe('closed')
  // Neither an error nor a completion: clients take both for final.
  expect(await sseSource.ended()).toEqual({ kind: 'closed', reason: 'end of response' })
  expect(sseSource.length).toBe(0)
  await source.returned
  await expect(fetch(`${url}/health/live`)).rejects.toThrow()
})

test('close() is bounded even when clients do not answer', async () => {
  const { url, server } = await startServer({ limits: { closeTimeoutMs: 50 } }, createTickSource(1024))
  const client = createWsClient(url)
  const socket = await client.connected()
  client.subscribe('subscription { blobs(bytes: 65536) }')
  socket.pause()
  const stalled = await fetch(`${url}/graphql?query=subscription{blobs(bytes:65536)}`, {
    headers: { accept: 'text/event-stream', 'x-graphql-yoga-csrf': '1' },
  })
  await server.close()
  socket.resume()
  expect((await client.closed()).code).toBeGreaterThanOrEqual(1001)
  await expect(stalled.text()).rejects.toThrow()
})
