/** The server's routes, health, listening and end, on a real socket. */
import { expect, test } from 'vitest'
import { silentLogger } from '../../src/logger.ts'
import { createServer } from '../../src/server/create-server.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { createWsClient } from '../support/ws-client.ts'
import { postGraphql, startServer, untilStill } from './server-fixture.ts'
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

test.each<[object, RegExp]>([
  [{ limit: {} }, /`createServer` has an unknown field "limit".*Did you mean "limits"/],
  [{ limits: { queryDepth: 3 } }, /`limits` has an unknown field "queryDepth".*"queryDepthMax"/],
  [{ limits: { queryDepthMax: 0 } }, /`limits.queryDepthMax` is not a whole number/],
  [{ limits: { queryDepthMax: '8' } }, /`limits.queryDepthMax` is not a whole number/],
  [{ limits: null }, /`limits` is not an object/],
  [{ schema: {} }, /`schema` is no GraphQLSchema/],
  [{ schema: null }, /`schema` is no GraphQLSchema/],
  [{ activitySchema: 'x' }, /`activitySchema` is no GraphQLSchema/],
  [{ logger: undefined }, /`logger` is no logger/],
  [{ logger: { error() {} } }, /`logger` is no logger/],
  [{ health: true }, /`health` is not a function/],
  [{ port: '4000' }, /`port` is not a whole number from 0 to 65535/],
  [{ host: 1 }, /`host` is not a text/],
  [{ graphiql: 'yes' }, /`graphiql` is neither true nor false/],
  [{ context: {} }, /`context` is not a function/],
  [{ allowedOrigins: ['https://a.example/x'] }, /which is no origin/],
  [{ allowedHosts: 'http://a' }, /which is no name of a host/],
  [{ trustedProxyCount: -1 }, /`trustedProxyCount` is not a whole number/],
  [{ metrics: { text: () => '' } }, /`metrics` is not of the form/],
  [{ onDelivered: 1 }, /`onDelivered` is not a function/],
  [{ persistedDocuments: { manifest: [] } }, /CONFIG_BAD_FIELD/],
])('%j is refused with what is wrong', (options, message) => {
  const given = { schema: buildTickSchema(createTickSource()), logger: silentLogger, health: () => ({}) }
  const create = () => createServer({ ...given, ...options } as never)
  expect(create).toThrow(message)
  expect(create).toThrow(/^\[CONFIG_BAD_FIELD\]/)
})

test('one origin may stand for a list of one', async () => {
  const origin = 'https://a.example'
  const { url } = await startServer({ allowedOrigins: origin as never })
  const statusFrom = async (from: string) =>
    (await fetch(`${url}/graphql?query={hello}`, { headers: { origin: from } })).status
  expect(await statusFrom(origin)).toBe(200)
  expect(await statusFrom('https://b.example')).toBe(403)
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
  const source = createTickSource(1_000_000)
  const { url, server } = await startServer({ limits: { closeTimeoutMs: 50 } }, source)
  const client = createWsClient(url)
  const socket = await client.connected()
  client.subscribe('subscription { blobs(bytes: 65536) }')
  socket.pause()
  const stalled = await fetch(`${url}/graphql?query=subscription{blobs(bytes:65536)}`, {
    headers: { accept: 'text/event-stream', 'x-graphql-yoga-csrf': '1' },
  })
  // Both have as much unread as they may.
  await untilStill(source)
  await server.close()
  socket.resume()
  expect((await client.closed()).code).toBeGreaterThanOrEqual(1001)
  await expect(stalled.text()).rejects.toThrow()
})
