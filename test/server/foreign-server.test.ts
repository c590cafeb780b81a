/** What a server that is not rowcast's does with the handlers, and what its clients try. */
import { once } from 'node:events'
import { createServer, request, type Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { useServer as useGraphqlWs } from 'graphql-ws/use/ws'
import { createSchema } from 'graphql-yoga'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { arrivals } from '../../src/bus/arrivals.ts'
import { addChanges } from '../../src/graphql/kit/schema-kit.ts'
import { silentLogger } from '../../src/logger.ts'
import { createHandlers, IncomingRequest, type RowcastHandlers } from '../../src/server/create-server.ts'
import { type GivenOptions, type OwnServer, openWithHandlers, openWithYoga } from '../conformance/handlers.ts'
import { createConformanceFeed } from '../conformance/target.ts'
import { subscribeMultipart } from '../support/multipart-client.ts'
import { openRawSocket } from '../support/raw-socket.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { createWsClient } from '../support/ws-client.ts'
import { buildTickSchema, createTickSource, type TickSource } from './tick-schema.ts'

type Open = (options: GivenOptions) => Promise<OwnServer>
const WAYS: readonly (readonly [string, Open])[] = [
  ['handle and attach', (options) => openWithHandlers(options)],
  ['yogaPlugin and useServer', (options) => openWithYoga(options)],
]
const PROTOCOL = 'graphql-transport-ws'
const ticks = (readyCount = 0) => buildTickSchema(createTickSource(readyCount))

async function opened(open: Open, options: GivenOptions): Promise<OwnServer> {
  const server = await open(options)
  onTestFinished(async () => void (await server.close()))
  return server
}

async function listening(http: Server): Promise<string> {
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  onTestFinished(() => {
    http.closeAllConnections()
    http.close()
  })
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`
}

/** What a WebSocket comes to: `open`, why it was closed, or why it never was. */
function fateOf(socket: WebSocket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('open', () => setTimeout(() => resolve('open'), 100))
    socket.once('error', ({ message }) => resolve(message))
    socket.once('close', (code, reason) => resolve(`${code} ${reason}`))
  })
}

const socketUrl = (url: string) => `${url.replace('http', 'ws')}/graphql`

/** POSTs JSON, in one piece or in chunks whose length nobody says before. */
function post(url: string, headers: Record<string, string>, body = '{"query":"{ hello }"}'): Promise<string> {
  const { port, hostname } = new URL(url)
  const all = { 'content-type': 'application/json', accept: 'application/json', ...headers }
  return new Promise((resolve, reject) => {
    const sent = request(
      { port, hostname, path: '/graphql', method: 'POST', headers: all, agent: false },
      (response) => {
        let text = ''
        response.on('data', (data) => {
          text += String(data)
        })
        response.on('end', () => resolve(`${response.statusCode} ${text}`))
      },
    )
    sent.on('error', reject)
    sent.write(body)
    sent.end()
  })
}

/** A client that asks for an event stream of long results and takes nothing of it. */
async function stalledStream(
  server: { readonly url: string },
  accept = 'text/event-stream',
): Promise<Socket> {
  const { socket } = await openRawSocket(server)
  socket.pause()
  const body = JSON.stringify({ query: 'subscription { blobs(bytes: 500000) }' })
  const headers = `host: localhost\r\naccept: ${accept}\r\ncontent-type: application/json`
  socket.write(`POST /graphql HTTP/1.1\r\n${headers}\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
  return socket
}

/** Resolves once nobody takes anything of a source that has more. */
async function stalled(source: TickSource): Promise<void> {
  let pulled = 0
  const isStill = () => {
    const wasPulled = pulled
    pulled = source.pulled
    return pulled > 0 && pulled === wasPulled
  }
  await expect.poll(isStill, { interval: 100 }).toBe(true)
}

describe.each(WAYS)('%s', (way, open) => {
  it('is not asked under a name that a page has made its own', async () => {
    const { url } = await opened(open, { schema: ticks() })
    const host = `evil.example:${new URL(url).port}`
    expect(await post(url, { host, origin: `http://${host}` })).toMatch(/^403 .*HOST_NOT_ALLOWED/)
    const socket = new WebSocket(socketUrl(url), PROTOCOL, { headers: { host, origin: `http://${host}` } })
    expect(await fateOf(socket)).toMatch(/403|HOST_NOT_ALLOWED/)
  })

  it('reads no body that is longer than it may be, nor one whose length nobody says', async () => {
    const { url } = await opened(open, { schema: ticks(), limits: { requestBytesMax: 1_000 } })
    const body = JSON.stringify({ query: '{ hello }', variables: { x: 'x'.repeat(5_000) } })
    expect(await post(url, {}, body)).toMatch(/^413 /)
    expect(await post(url, { 'content-length': String(body.length) }, body)).toMatch(/^413 /)
    expect(await post(url, {})).toMatch(/^200 /)
  })

  it('cuts the stream of an ended session that nobody reads', async () => {
    const ends: (() => void)[] = []
    const watch = (end: () => void) => {
      ends.push(end)
      return () => undefined
    }
    const source = createTickSource(10_000)
    const limits = { closeTimeoutMs: 100, payloadBytesMax: 2_000_000 }
    const context = () => ({ context: {}, watch })
    const server = await opened(open, { schema: buildTickSchema(source), context, limits })
    for (const accept of ['text/event-stream', 'multipart/mixed;subscriptionSpec=1.0'])
      await stalledStream(server, accept)
    await expect.poll(() => ends.length).toBe(2)
    await stalled(source)
    const { eventStreams, multipartStreams } = server.live.connections()
    expect([eventStreams, multipartStreams]).toEqual([1, 1])
    for (const end of ends) end()
    await expect
      .poll(() => server.live.connections(), { timeout: 5_000 })
      .toMatchObject({ eventStreams: 0, multipartStreams: 0 })
  })

  it('resolves every close() once what is open has ended', async () => {
    const server = await opened(open, { schema: ticks(1_000), limits: { closeTimeoutMs: 200 } })
    const { live } = server
    const socket = new WebSocket(socketUrl(server.url), PROTOCOL)
    await once(socket, 'open')
    // It never answers the close frame.
    socket.pause()
    await stalledStream(server)
    await expect.poll(() => live.connections()).toMatchObject({ webSockets: 1, eventStreams: 1 })
    void live.close()
    await live.close()
    expect(live.connections()).toMatchObject({ webSockets: 0, eventStreams: 0 })
  })

  it('bounds messages of WebSockets, and inflates none', async () => {
    const { url } = await opened(open, { schema: ticks(), limits: { requestBytesMax: 1_000 } })
    const socket = new WebSocket(socketUrl(url), PROTOCOL)
    await once(socket, 'open')
    expect(socket.extensions).toBe('')
    socket.send('x'.repeat(2_000))
    const [code] = await once(socket, 'close')
    expect(code).toBe(1009)
  })

  it('goes on after a Last-Event-ID, and speaks multipart', async () => {
    const feed = createConformanceFeed()
    feed.open()
    const sdl = createSchema({ typeDefs: 'type Query { hello: String }' })
    const { url } = await opened(open, { schema: addChanges(sdl, feed, { models: { Tag: {} } }) })
    const query = 'subscription { tagChanged { action } }'
    const stream = await subscribeMultipart(url, query)
    expect(stream.headers.get('content-type')).toContain('multipart/mixed')
    await expect.poll(() => feed.requests.length).toBe(1)
    feed.commit({ model: 'Tag', action: 'INSERT', new: { id: 1, name: 'a' } })
    expect(await stream.nextData()).toEqual({ tagChanged: { action: 'INSERT' } })
    await subscribeSse(url, query, {}, 'POST', { 'last-event-id': 'nonsense' }).then((after) =>
      expect(after.next()).resolves.toMatchObject({ errors: [{}] }),
    )
  })

  it('outlives what its callbacks throw', async () => {
    const fail = () => {
      throw new Error(`thrown in ${way}`)
    }
    const logger = { debug: fail, info: fail, warn: fail, error: fail }
    const { url } = await opened(open, { schema: ticks(3), logger, context: fail, onDelivered: fail })
    expect(await post(url, {})).toMatch(/INTERNAL_SERVER_ERROR|Unexpected error/)
    const sockets = createWsClient(url)
    expect(await sockets.closed()).toMatchObject({ code: expect.any(Number) })
    expect(await post(url, {})).not.toContain('thrown in')
  })
})

describe('a server that is not ours', () => {
  function serving(options: Partial<GivenOptions> = {}): RowcastHandlers {
    const live = createHandlers({ schema: ticks(), logger: silentLogger, ...options })
    onTestFinished(() => live.close())
    return live
  }
  const behindProxy = { trustedProxyCount: 1, limits: { connectionsPerAddressMax: 1, closeTimeoutMs: 100 } }
  const headers = { 'x-forwarded-for': '203.0.113.9' }

  it('has short turns while connections come, as ours has', async () => {
    const note = vi.spyOn(arrivals, 'note')
    const http = createServer()
    serving().attach(http)
    await openRawSocket({ url: await listening(http) })
    await expect.poll(() => note.mock.calls.length).toBe(1)
  })

  it('may hand an upgrade over whose client has left meanwhile', async () => {
    const live = serving(behindProxy)
    const http = createServer()
    let isFirst = true
    const handedOver = new Promise<void>((resolve) => {
      http.on('upgrade', async (asked, socket, head) => {
        const waits = isFirst
        isFirst = false
        if (waits) await once(socket.destroy(), 'close')
        live.upgrade(asked, socket, head)
        resolve()
      })
    })
    const url = await listening(http)
    expect(await fateOf(new WebSocket(socketUrl(url), PROTOCOL, { headers }))).toContain('hang up')
    await handedOver
    expect(await fateOf(new WebSocket(socketUrl(url), PROTOCOL, { headers }))).toBe('open')
  })

  it('may hand a WebSocket over that has closed meanwhile', async () => {
    const live = serving(behindProxy)
    const sockets = new WebSocketServer({ noServer: true })
    live.useServer(sockets)
    const http = createServer()
    let waits = true
    http.on('upgrade', (asked, socket, head) => {
      sockets.handleUpgrade(asked, socket, head, async (webSocket) => {
        if (waits) await once(webSocket, 'close')
        waits = false
        sockets.emit('connection', webSocket, asked)
      })
    })
    const url = await listening(http)
    const gone = new WebSocket(socketUrl(url), PROTOCOL, { headers })
    await once(gone, 'open')
    gone.close()
    await expect.poll(() => waits).toBe(false)
    expect(live.connections()).toMatchObject({ webSockets: 0 })
    expect(await fateOf(new WebSocket(socketUrl(url), PROTOCOL, { headers }))).toBe('open')
    await live.close()
  })

  it('survives malformed frames of a WebSocket that was refused', async () => {
    const http = createServer()
    serving().useServer(new WebSocketServer({ server: http, path: '/graphql', perMessageDeflate: true }))
    const url = await listening(http)
    const { socket, text } = await openRawSocket({ url })
    const key = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13'
    const asked = `host: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\norigin: https://evil.example\r\n${key}`
    socket.write(`GET /graphql HTTP/1.1\r\n${asked}\r\n\r\n`)
    await expect.poll(text).toContain('CROSS_SITE_REQUEST')
    socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))
    socket.resume()
    await once(socket, 'close')
    expect(await fateOf(new WebSocket(socketUrl(url), PROTOCOL))).toBe('open')
  })

  it('has no second GraphQL on the same sockets', async () => {
    const errors: string[] = []
    const logger = { ...silentLogger, error: (message: string) => void errors.push(message) }
    const live = serving({ logger })
    const before = new WebSocketServer({ noServer: true })
    useGraphqlWs({ schema: ticks() }, before)
    expect(() => live.useServer(before)).toThrow(/CONFIG_BAD_FIELD.*connection/)
    const twice = new WebSocketServer({ noServer: true })
    live.useServer(twice)
    expect(() => live.useServer(twice)).toThrow(/CONFIG_BAD_FIELD.*connection/)
    const http = createServer()
    const behind = new WebSocketServer({ server: http })
    live.useServer(behind)
    useGraphqlWs({ schema: ticks() }, behind)
    const url = await listening(http)
    const socket = new WebSocket(socketUrl(url), PROTOCOL)
    socket.once('open', () => socket.send('{"type":"connection_init"}'))
    const [code] = await once(socket, 'close')
    expect(code).toBe(1011)
    expect(errors).toHaveLength(1)
  })

  it('has responses count whose prototype was replaced, as Express does', async () => {
    const live = serving({ schema: ticks(1_000), limits: { payloadBytesMax: 2_000_000 } })
    const prototype: object = Object.create(ServerResponse.prototype)
    const http = createServer((asked, response) => {
      Object.setPrototypeOf(response, prototype)
      live.handle(asked, response)
    })
    await stalledStream({ url: await listening(http) })
    await expect.poll(() => live.connections().unsentBytes).toBeGreaterThan(0)
  })

  it('answers who offers another protocol beside HTTP/1.1, where its requests are ours', async () => {
    const live = serving({ schema: ticks() })
    const http = createServer({ IncomingMessage: IncomingRequest }, live.handle)
    live.attach(http)
    const url = await listening(http)
    for (const upgrade of ['h2c', 'TLS/1.0', 'h2c, websocket'])
      expect(await post(url, { connection: 'Upgrade, HTTP2-Settings', upgrade })).toMatch(/^200 .*world/)
    expect(await fateOf(new WebSocket(socketUrl(url), PROTOCOL))).toBe('open')
  })

  it('may be given its path with a slash behind', async () => {
    const http = createServer()
    serving({ path: '/graphql/' }).attach(http)
    const url = await listening(http)
    expect(await fateOf(new WebSocket(socketUrl(url), PROTOCOL))).toBe('open')
  })
})
