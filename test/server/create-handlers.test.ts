/** rowcast's pipeline in a server that is somebody else's: by a listener, by a plugin of a Yoga, by sockets that others let in. */
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createSchema, createYoga } from 'graphql-yoga'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { RowcastError } from '../../src/errors.ts'
import { addChanges } from '../../src/graphql/kit/schema-kit.ts'
import { silentLogger } from '../../src/logger.ts'
import { createHandlers } from '../../src/server/create-server.ts'
import { type GivenOptions, type OwnServer, openWithHandlers, openWithYoga } from '../conformance/handlers.ts'
import { createConformanceFeed } from '../conformance/target.ts'
import { TRANSPORTS } from '../security/transports.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { createWsClient } from '../support/ws-client.ts'
import { postGraphql } from './server-fixture.ts'
import { buildTickSchema, createTickSource } from './tick-schema.ts'

type Open = (options: GivenOptions) => Promise<OwnServer>
const WAYS: readonly (readonly [string, Open])[] = [
  ['handle and attach', (options) => openWithHandlers(options)],
  ['yogaPlugin and useServer', (options) => openWithYoga(options)],
]

async function opened(open: Open, options: GivenOptions): Promise<OwnServer> {
  const server = await open(options)
  onTestFinished(async () => void (await server.close()))
  return server
}

/** What a WebSocket is closed with. */
function closeOf(url: string, headers: Record<string, string> = {}): Promise<string> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { headers })
  return new Promise((resolve) => {
    socket.once('error', ({ message }) => resolve(message))
    socket.once('close', (code, reason) => resolve(`${code} ${reason}`))
  })
}

describe.each(WAYS)('%s', (_way, open) => {
  const schema = () => buildTickSchema(createTickSource(3))

  it('resolves a field once for those who see the same, over both transports', async () => {
    let resolved = 0
    const feed = createConformanceFeed()
    feed.open()
    const team = createSchema({
      typeDefs: 'type Tag { id: Int! loud: String! } type Query { hello: String }',
      resolvers: { Tag: { loud: () => `${++resolved}` } },
    })
    const models = { Tag: { type: 'Tag' } }
    const { url } = await opened(open, { schema: addChanges(team, feed, { models, shareBy: () => '' }) })
    const query = 'subscription { tagChanged { new { loud } } }'
    const sockets = createWsClient(url)
    const streams = [sockets.subscribe(query), sockets.subscribe(query), await subscribeSse(url, query)]
    await expect.poll(() => feed.requests.length).toBe(3)
    feed.commit({ model: 'Tag', action: 'INSERT', new: { id: 1, name: 'a' } })
    for (const stream of streams)
      expect(await stream.nextData()).toEqual({ tagChanged: { new: { loud: '1' } } })
    expect(resolved).toBe(1)
  })

  it('lets in whom `context` lets in, on all transports, and says why not', async () => {
    const context = () => null
    const { url } = await opened(open, { schema: schema(), context })
    const { body } = await postGraphql(url, '{ hello }')
    expect(body).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] })
    expect((await subscribeSse(url, 'subscription { ticks }')).status).toBe(401)
    const sockets = createWsClient(url)
    sockets.subscribe('subscription { ticks }')
    expect(await sockets.closed()).toMatchObject({ code: 4403, reason: 'UNAUTHENTICATED' })
  })

  it.each(TRANSPORTS.map((transport) => [transport.name, transport] as const))(
    'waits for a `context` that hangs no longer than for an introduction, over %s',
    async (name, { ask }) => {
      const context = () => new Promise<never>(() => undefined)
      const limits = { connectionInitTimeoutMs: 50 }
      const { url } = await opened(open, { schema: schema(), context, limits })
      const { status, errors, closed } = await ask(url, '{ hello }')
      expect([status ?? closed?.code, errors[0]?.extensions?.['code'] ?? closed?.reason]).toEqual(
        name === 'WebSocket' ? [4408, 'CONTEXT_TIMEOUT'] : [503, 'CONTEXT_TIMEOUT'],
      )
    },
  )

  it('ends a session whose time is over', async () => {
    const session = () => ({ context: { viewer: 'ada' }, expiresAt: new Date(Date.now() + 300) })
    const { url } = await opened(open, { schema: buildTickSchema(createTickSource()), context: session })
    const sockets = createWsClient(url)
    sockets.subscribe('subscription { ticks }')
    const stream = await subscribeSse(url, 'subscription { ticks }')
    expect(await sockets.closed()).toMatchObject({ code: 4403, reason: 'SESSION_EXPIRED' })
    expect(await stream.next()).toMatchObject({ errors: [{ extensions: { code: 'SESSION_EXPIRED' } }] })
  })

  it('gives resolvers the session’s context, and bounds documents', async () => {
    const context = () => ({ context: { viewer: 'ada' } })
    const { url } = await opened(open, { schema: schema(), context, limits: { queryTokensMax: 30 } })
    expect((await postGraphql(url, '{ viewer }')).body).toEqual({ data: { viewer: 'ada' } })
    const { body } = await postGraphql(url, `{ ${'hello '.repeat(40)} }`)
    expect(body).toMatchObject({ errors: [{ extensions: { code: 'QUERY_OVER_LIMIT' } }] })
    const tooLong = createWsClient(url).subscribe(`{ ${'hello '.repeat(40)} }`)
    await expect(tooLong.next()).rejects.toThrow('QUERY_OVER_LIMIT')
  })

  it('runs documents of the manifest alone where it is to', async () => {
    const persistedDocuments = { manifest: { abc: '{ hello }' }, onlyPersisted: true }
    const { url } = await opened(open, { schema: schema(), persistedDocuments })
    const { body } = await postGraphql(url, '{ viewer }')
    expect(body).toMatchObject({ errors: [{ extensions: { code: 'QUERY_NOT_PERSISTED' } }] })
    const named = JSON.stringify({ extensions: { persistedQuery: { version: 1, sha256Hash: 'abc' } } })
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const answer = await fetch(`${url}/graphql`, { method: 'POST', headers, body: named })
    expect(await answer.json()).toEqual({ data: { hello: 'world' } })
  })

  it('refuses pages of other origins, whatever CORS the server around has', async () => {
    const allowedOrigins = ['https://app.example']
    const { url } = await opened(open, { schema: schema(), allowedOrigins })
    const post = async (origin: string) => {
      const headers = { 'content-type': 'application/json', accept: 'application/json', origin }
      const body = '{"query":"{ hello }"}'
      const response = await fetch(`${url}/graphql`, { method: 'POST', headers, body })
      return [response.status, response.headers.get('access-control-allow-origin')]
    }
    const [status] = await post('https://evil.example')
    expect(status).toBe(403)
    expect(await post('https://app.example')).toEqual([200, 'https://app.example'])
    expect(await closeOf(url, { origin: 'https://evil.example' })).toMatch(/403/)
    expect(await closeOf(url, { origin: 'https://evil.example' })).not.toMatch(/1006/)
  })

  it('ends what is open so that clients come back, and takes no one new', async () => {
    const source = createTickSource()
    const { url, live } = await opened(open, { schema: buildTickSchema(source) })
    const sockets = createWsClient(url)
    sockets.subscribe('subscription { ticks }')
    await source.subscribed
    expect(live.connections()).toMatchObject({ webSockets: 1 })
    live.refuse()
    expect(await closeOf(url)).toMatch(/1012 SERVER_STOPPING|503/)
    const closed = sockets.closed()
    await live.close()
    expect(await closed).toMatchObject({ code: 1012 })
    expect(live.connections()).toMatchObject({ webSockets: 0 })
    const { body } = await postGraphql(url, '{ hello }')
    expect(body).toMatchObject({ errors: [{ extensions: { code: 'SERVER_STOPPING' } }] })
  })

  // graphql-ws, Apollo Client and urql take an error for final, and come back after a socket that is closed so.
  it.each([
    ['once the server closes', 12_000, true],
    ['at the next ping, where the server goes on', 20, false],
  ])(
    'ends no subscription whose rowcast stops first: its socket is closed with 1012 %s',
    async (_when, pingIntervalMs, isClosing) => {
      const source = createTickSource()
      const { url, live } = await opened(open, {
        schema: buildTickSchema(source),
        limits: { pingIntervalMs },
      })
      const sockets = createWsClient(url)
      const ticks = sockets.subscribe('subscription { ticks }')
      await source.subscribed
      const late = sockets.subscribe('subscription { failsToStart(kind: "stopping") }')
      source.fail(new RowcastError('SERVER_STOPPING', 'Stopping.', { details: { retryAfterMs: 5 } }))
      if (isClosing) {
        // What is answered later than what has ended.
        expect(await sockets.subscribe('{ hello }').nextData()).toEqual({ hello: 'world' })
        await live.close()
      }
      for (const stream of [ticks, late])
        expect(await stream.ended()).toMatchObject({
          kind: 'closed',
          reason: expect.stringContaining('1012'),
        })
    },
  )
})

it('leaves upgrades to other paths to whoever listens besides, and refuses them where nobody does', async () => {
  const live = createHandlers({ schema: buildTickSchema(createTickSource()), logger: silentLogger })
  const http = createServer(live.handle)
  live.attach(http)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void http.close())
  const { port } = http.address() as AddressInfo
  const ask = () =>
    new Promise<number | undefined>((resolve) => {
      const headers = { connection: 'upgrade', upgrade: 'websocket' }
      get({ port, path: '/other', headers, agent: false }, ({ statusCode }) => resolve(statusCode))
    })
  expect(await ask()).toBe(404)
  http.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 418 I am a teapot\r\n\r\n'))
  expect(await ask()).toBe(418)
})

it('has other plugins of a Yoga beside it, and refuses operations that come past its sockets', async () => {
  const [seen, lines]: string[][] = [[], []]
  const logger = { ...silentLogger, error: (message: string) => void lines?.push(message) }
  const plugin = { onExecute: () => void seen?.push('executed') }
  const schema = buildTickSchema(createTickSource())
  const { url, live } = await opened((options) => openWithYoga(options, [plugin]), { schema, logger })
  expect((await postGraphql(url, '{ hello }')).body).toEqual({ data: { hello: 'world' } })
  expect(seen).toEqual(['executed'])
  const { contextFactory } = createYoga({ schema, plugins: [live.yogaPlugin] }).getEnveloped({} as never)
  await expect((async () => contextFactory())()).rejects.toThrow('Unexpected error.')
  expect(lines).toEqual(['An operation came to a Yoga without a session.'])
})

it('leaves names of documents to other plugins of a Yoga where it has no manifest', async () => {
  const schema = buildTickSchema(createTickSource())
  const names = {
    onParams({ params, setParams }: { params: object; setParams: (params: object) => void }) {
      if ('extensions' in params) setParams({ ...params, query: '{ hello }' })
    },
  }
  const ask = async (options: Partial<GivenOptions>) => {
    const { url } = await opened((given) => openWithYoga(given, [names]), { schema, ...options })
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ extensions: { persistedQuery: { version: 1, sha256Hash: 'x' } } }),
    })
    return await response.json()
  }
  expect(await ask({})).toEqual({ data: { hello: 'world' } })
  const refused = { errors: [{ extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } }] }
  expect(await ask({ persistedDocuments: { manifest: {} } })).toMatchObject(refused)
})

it('refuses options that cannot be meant, by name', () => {
  const schema = buildTickSchema(createTickSource())
  expect(() => createHandlers({ schema, logger: silentLogger, path: 'graphql' })).toThrow(
    /CONFIG_BAD_FIELD.*path/,
  )
  expect(() => createHandlers({ schema, logger: silentLogger, port: 4000 } as never)).toThrow(
    /CONFIG_BAD_FIELD.*port/,
  )
  expect(() => createHandlers({} as never)).toThrow(/CONFIG_BAD_FIELD.*schema/)
})
