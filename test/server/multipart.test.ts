/** Subscriptions over multipart HTTP, byte for byte; what all transports do alike is in test/security. */
import { connect } from 'node:net'
import { buildSchema } from 'graphql'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import { createDeferred } from '../support/deferred.ts'
import { MULTIPART_ACCEPT, subscribeMultipart } from '../support/multipart-client.ts'
import { startServer, untilStill } from './server-fixture.ts'
import { createTickSource } from './tick-schema.ts'

const TICKS = 'subscription { ticks }'
const CURSOR = `01${'0'.repeat(48)}`

/** The whole response, until it ends. */
async function readAll(url: string, query: string, accept = MULTIPART_ACCEPT) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { accept, 'content-type': 'application/json' },
    body: JSON.stringify({ query }),
  })
  const boundary = /boundary=([^;]+)/.exec(response.headers.get('content-type') ?? '')?.[1] ?? ''
  return { response, boundary, text: () => response.text() }
}

const part = (json: string) => `\r\ncontent-type: application/json\r\n\r\n${json}\r\n--B`

describe('a multipart response', () => {
  test('is a heartbeat at once, a part for each result, each with the delimiter behind it, and the closing one', async () => {
    const { url, source } = await startServer()
    const { response, boundary, text } = await readAll(url, TICKS)
    source.push(1, 2)
    await vi.waitUntil(() => source.pulled === 2)
    await source.return?.()
    expect((await text()).replaceAll(boundary, 'B')).toBe(
      `\r\n--B${part('{}')}${part('{"payload":{"data":{"ticks":1}}}')}${part('{"payload":{"data":{"ticks":2}}}')}--\r\n`,
    )
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(
      `multipart/mixed;boundary=${boundary};subscriptionSpec=1.0`,
    )
    // As an event stream: no cache, no compression, no buffer in between.
    expect(response.headers.get('cache-control')).toBe('no-cache, no-transform')
    expect(response.headers.get('x-accel-buffering')).toBe('no')
  })

  test('has a delimiter of its own, which no row can hold', async () => {
    const { url } = await startServer()
    const boundaries = new Set<string>()
    for (let n = 0; n < 20; n += 1) {
      const stream = await subscribeMultipart(url, TICKS)
      boundaries.add(stream.headers.get('content-type') ?? '')
      stream.unsubscribe()
    }
    expect(boundaries.size).toBe(20)
  })

  test('keeps what looks like a delimiter in a row within its part', async () => {
    const hostile = '\r\n--graphql--\r\n\r\n{"payload":{"data":{"text":"forged"}}}\r\n--graphql'
    const schema = buildSchema('type Query { text: String } type Subscription { text: String }')
    const { text } = schema.getSubscriptionType()?.getFields() ?? {}
    if (text === undefined) throw new Error('The schema has no text.')
    text.subscribe = async function* () {
      yield { text: hostile }
    }
    const { url } = await startServer({ schema })
    const stream = await subscribeMultipart(url, 'subscription { text }')
    expect(await stream.nextData()).toEqual({ text: hostile })
    expect(await stream.ended()).toEqual({ kind: 'complete' })
  })

  test('is kept alive by heartbeats, and by nothing else', async () => {
    const { url } = await startServer({ limits: { pingIntervalMs: 20 } })
    const stream = await subscribeMultipart(url, TICKS)
    expect(await stream.heartbeats(4)).toBe(4)
    expect(stream.length).toBe(0)
    stream.unsubscribe()
  })

  test('counts as open until its client has left', async () => {
    const { url, server, source } = await startServer()
    const stream = await subscribeMultipart(url, TICKS)
    await source.subscribed
    expect(server.connections()).toMatchObject({ multipartStreams: 1, eventStreams: 0, webSockets: 0 })
    stream.unsubscribe()
    await source.returned
    await expect.poll(() => server.connections().multipartStreams).toBe(0)
  })

  test('that is not read is not produced for', async () => {
    const source = createTickSource(1_000_000)
    const { url } = await startServer({}, source)
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' })
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => undefined).pause()
    const body = JSON.stringify({ query: TICKS })
    socket.write(
      `POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: ${MULTIPART_ACCEPT}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    )
    await untilStill(source)
    expect(source.pulled).toBeLessThan(1_000_000)
    socket.destroy()
    await source.returned
  })
})

test('who does not read is sent no heartbeats, which would wait as well', async () => {
  const intervalMs = 2
  let ticks = 0
  const ticking = setInterval(() => {
    ticks += 1
  }, intervalMs)
  onTestFinished(() => clearInterval(ticking))
  const source = createTickSource(1_000_000)
  const { url } = await startServer({ limits: { pingIntervalMs: intervalMs } }, source)
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined).pause()
  const body = JSON.stringify({ query: 'subscription { blobs(bytes: 65000) }' })
  socket.write(
    `POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: ${MULTIPART_ACCEPT}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
  const whileStalled = 200
  let [whileRead, pulled] = [0, -1]
  // Not a stall where anything was taken meanwhile: a busy machine may have kept the server from it for a while.
  while (pulled !== source.pulled) {
    await untilStill(source)
    whileRead = ticks
    pulled = source.pulled
    await vi.waitUntil(() => ticks >= whileRead + whileStalled)
  }
  const untilResumed = ticks
  await source.return?.()
  let text = ''
  socket.on('data', (data) => {
    text += data.toString('latin1')
  })
  socket.resume()
  await vi.waitUntil(() => text.includes('--\r\n\r\n0\r\n'))
  const heartbeats = text.split('\r\n\r\n{}\r\n').length - 1
  expect(heartbeats).toBeGreaterThan(0)
  expect(heartbeats).toBeLessThan(whileRead + (ticks - untilResumed) + whileStalled / 2)
})

describe('errors', () => {
  test('of GraphQL are in the payload, before and after data, and the end follows what ends the subscription', async () => {
    const { url, source } = await startServer()
    const stream = await subscribeMultipart(url, TICKS)
    source.push(1)
    expect(await stream.nextData()).toEqual({ ticks: 1 })
    source.fail(new RowcastError('RESYNC_REQUIRED', 'Changes are missing.'))
    expect(await stream.next()).toMatchObject({ errors: [{ extensions: { code: 'RESYNC_REQUIRED' } }] })
    expect(await stream.ended()).toEqual({ kind: 'complete' })
    expect(stream.connectionErrors).toEqual([])
  })

  test('before the start are an answer of their own, with its status, in JSON where that is accepted', async () => {
    const { url } = await startServer({ context: () => null })
    const refused = await readAll(url, TICKS)
    expect(refused.response.status).toBe(401)
    expect(refused.response.headers.get('content-type')).toMatch(/^application\/graphql-response\+json/)
    expect(JSON.parse(await refused.text())).toMatchObject({
      errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
    })
    const alone = await readAll(url, TICKS, 'multipart/mixed;subscriptionSpec=1.0')
    expect(alone.response.status).toBe(401)
    expect((await alone.text()).replaceAll(alone.boundary, 'B')).toMatch(
      /^\r\n--B\r\ncontent-type: application\/json\r\n\r\n\{"payload":\{"errors":\[.*UNAUTHENTICATED.*\]\}\}\r\n--B--\r\n$/s,
    )
  })

  test.each(['subscription { failsToStart(kind: "graphql") }', 'subscription { nothing }', '{ hello }'])(
    '%s is one result',
    async (query) => {
      const { url } = await startServer()
      const { boundary, text } = await readAll(url, query, 'multipart/mixed;subscriptionSpec=1.0')
      expect((await text()).split(`--${boundary}`)).toHaveLength(3)
    },
  )

  test('of the connection are beside the payload: a session that is revoked', async () => {
    let isValid = true
    const { url, server, source } = await startServer({
      context: () => ({ context: {}, revalidate: () => isValid }),
    })
    const { boundary, text } = await readAll(url, TICKS)
    await source.subscribed
    isValid = false
    await server.revalidateSessions()
    expect((await text()).replaceAll(boundary, 'B')).toMatch(
      /\{\}\r\n--B\r\ncontent-type: application\/json\r\n\r\n\{"payload":null,"errors":\[\{"message":"[^"]*","extensions":\{"code":"SESSION_REVOKED".*\}\]\}\r\n--B--\r\n$/s,
    )
  })

  test('of a server that stops say where and when to go on, whether its source ends or not', async () => {
    for (const isEndedBySource of [true, false]) {
      const { url, source, server } = await startServer()
      const stream = await subscribeMultipart(url, TICKS)
      await source.subscribed
      server.refuse()
      const details = { cursor: CURSOR, retryAfterMs: 70 }
      if (isEndedBySource) source.fail(new RowcastError('SERVER_STOPPING', 'Stopping.', { details }))
      else await server.close()
      const { errors } = await stream.next()
      expect(stream.connectionErrors).toEqual(errors)
      expect(errors).toMatchObject([
        { extensions: { code: 'SERVER_STOPPING', ...(isEndedBySource ? details : {}) } },
      ])
      expect(await stream.ended()).toEqual({ kind: 'complete' })
    }
  })
})

test('who leaves before the subscription has begun leaves nothing', async () => {
  const asked = createDeferred<void>()
  const gate = createDeferred<void>()
  const { url, server } = await startServer({
    context: async () => {
      asked.resolve()
      await gate.promise
      return { context: {} }
    },
  })
  const abort = new AbortController()
  const response = fetch(`${url}/graphql`, {
    method: 'POST',
    signal: abort.signal,
    headers: { accept: MULTIPART_ACCEPT, 'content-type': 'application/json' },
    body: JSON.stringify({ query: TICKS }),
  }).catch(() => undefined)
  await asked.promise
  abort.abort()
  await response
  await (await fetch(`${url}/health/live`)).text()
  gate.resolve()
  await expect.poll(() => server.connections().multipartStreams).toBe(0)
})

test('other protocols of the media type are refused with a hint, and not read wrongly', async () => {
  const { url } = await startServer()
  for (const accept of ['multipart/mixed', 'multipart/mixed;deferSpec=20220824,application/json']) {
    const { response, text } = await readAll(url, TICKS, accept)
    expect(response.status).toBe(406)
    expect(JSON.parse(await text())).toMatchObject({
      errors: [
        { extensions: { code: 'NOT_ACCEPTABLE', hint: expect.stringContaining('subscriptionSpec=1.0') } },
      ],
    })
  }
})
