/** Who is let in, as whom, and for how long: one user-supplied function, the same on every transport. */

import { buildSchema, GraphQLError } from 'graphql'
import { SignJWT, UnsecuredJWT } from 'jose'
import { describe, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { createJwtContext } from '../../examples/jwt-context.ts'
import { RowcastError } from '../../src/errors.ts'
import type { ContextFunction, ContextSource } from '../../src/server/session/context.ts'
import { createDeferred } from '../support/deferred.ts'
import { openRawSocket, subscribeMessage } from './raw-socket.ts'
import { type Answer, STREAM_TRANSPORTS, startProbe, TRANSPORTS } from './transports.ts'

/** How each transport says that a client is not let in. */
function refusalOf({ status, closed, errors }: Answer): { code: unknown; status: number } {
  return closed === undefined
    ? { code: errors[0]?.extensions?.['code'], status: status ?? 0 }
    : { code: closed.reason, status: closed.code }
}

describe.each(TRANSPORTS)('over $name', ({ name, kind, ask }) => {
  const isWebSocket = name === 'WebSocket'

  test('the function is given kind, headers, address and, of a WebSocket, the connection parameters', async () => {
    const sources: ContextSource[] = []
    const { url } = await startProbe({
      context: (source) => {
        sources.push(source)
        return { context: { viewer: 'ada' } }
      },
    })
    const { data } = await ask(url, '{ viewer }', { token: 'T' })
    expect(data).toEqual({ viewer: 'ada' })
    const [source] = sources
    expect(sources).toHaveLength(1)
    expect(source?.remoteAddress).toBe('127.0.0.1')
    expect(source?.kind).toBe(kind)
    if (source?.kind === 'websocket') expect(source.connectionParams).toEqual({ token: 'T' })
    else expect(source?.headers.authorization).toBe('Bearer T')
  })

  test('each operation gets a context of its own, even when the function always returns the same', async () => {
    const shared = { viewer: 'ada' }
    const { url, contexts } = await startProbe({ context: () => ({ context: shared }) })
    await ask(url, '{ viewer }')
    await ask(url, '{ viewer }')
    expect(contexts).toHaveLength(2)
    expect(new Set([...contexts, shared]).size).toBe(3)
    expect(shared).toEqual({ viewer: 'ada' })
  })

  test('null refuses the client before its document is looked at', async () => {
    const { url } = await startProbe({ context: () => null })
    for (const query of ['{ hello }', '{ nothing }', '{ syntax']) {
      const answer = await ask(url, query)
      expect(answer.data).toBeNull()
      expect(refusalOf(answer)).toEqual({ code: 'UNAUTHENTICATED', status: isWebSocket ? 4403 : 401 })
    }
  })

  test('a session that has already expired is refused', async () => {
    for (const expiresAt of [Date.now() - 1, new Date(0), Number.NaN]) {
      const { url } = await startProbe({ context: () => ({ context: {}, expiresAt }) })
      const refusal = refusalOf(await ask(url, '{ hello }'))
      expect(refusal).toEqual({ code: 'SESSION_EXPIRED', status: isWebSocket ? 4403 : 401 })
    }
  })

  test('a GraphQLError of the function reaches the client, any other error only as an id', async () => {
    const failWith = (error: Error) =>
      startProbe({
        context: () => {
          throw error
        },
      })
    const meant = await failWith(new GraphQLError('Banned.', { extensions: { code: 'BANNED' } }))
    expect(refusalOf(await ask(meant.url, '{ hello }')).code).toBe('BANNED')
    const accident = await failWith(new Error('redis://:hunter2@cache is down'))
    const answer = await ask(accident.url, '{ hello }')
    expect(answer.data).toBeNull()
    expect(JSON.stringify([answer, accident.logged])).not.toContain('hunter2')
    const id = isWebSocket ? answer.closed?.reason.split(' ').at(-1) : answer.errors[0]?.extensions?.['id']
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    expect(accident.logged.filter((line) => line.includes(String(id)))).toHaveLength(1)
    expect(isWebSocket ? answer.closed?.code : answer.status).toBe(isWebSocket ? 1013 : 500)
  })

  test.each(['SERVER_STOPPING', 'TOO_MANY_CONNECTIONS', 'QUERY_TOO_SLOW', 'CONTEXT_TIMEOUT'] as const)(
    'what passes is worth another attempt: %s',
    async (code) => {
      const { url } = await startProbe({
        context: () => {
          throw new RowcastError(code, 'Not now.')
        },
      })
      if (code === 'SERVER_STOPPING' && kind === 'sse') {
        // To most clients of event streams an error is final: they come back from a response that ends without one.
        await expect(ask(url, '{ hello }')).rejects.toThrow('end of response')
        return
      }
      const answer = await ask(url, '{ hello }')
      expect(refusalOf(answer).code).toBe(code)
      // What graphql-ws' client takes for passing.
      if (isWebSocket) expect([1013, 4408]).toContain(answer.closed?.code)
    },
  )
})

describe.each(STREAM_TRANSPORTS)('a subscription over $name', ({ open }) => {
  test('gets its changes and is let go, whatever the application calls what it has in its context', async () => {
    const own = { request: { headers: {} }, res: { mine: true }, req: null, params: 'mine', viewer: 'ada' }
    const { url, server, source, contexts, logged } = await startProbe({ context: () => ({ context: own }) })
    const stream = await open(url, 'subscription { viewer }')
    source.push(1)
    expect(await stream.next()).toMatchObject({ data: { viewer: 'ada' } })
    expect(contexts).toMatchObject([own])
    await stream.leave()
    await source.returned
    const none = { webSockets: 0, eventStreams: 0, multipartStreams: 0 }
    await expect.poll(() => server.connections()).toMatchObject(none)
    expect(logged).toEqual([])
  })

  async function openTicks(context: ContextFunction, revalidateIntervalMs = 10) {
    const probe = await startProbe({ context, limits: { revalidateIntervalMs } })
    const ticks = await open(probe.url, 'subscription { ticks }')
    probe.source.push(1)
    expect(await ticks.next()).toMatchObject({ data: { ticks: 1 } })
    return { ...probe, ticks }
  }

  test('ends when its session expires, and its source with it', async () => {
    const expiresAt = Date.now() + 400
    const { ticks, source } = await openTicks(() => ({ context: {}, expiresAt }))
    expect(await ticks.ended()).toBe('SESSION_EXPIRED')
    expect(Date.now()).toBeGreaterThanOrEqual(expiresAt)
    await source.returned
  })

  test.each([
    ['answers no', async () => false],
    ['answers nothing', async () => undefined as unknown as boolean],
    [
      'fails',
      async () => {
        throw new Error('hunter2')
      },
    ],
    ['never answers', () => new Promise<boolean>(() => undefined)],
  ])('ends when the check %s', async (_name, revalidate) => {
    let isArmed = false
    const { ticks, source, logged } = await openTicks(() => ({
      context: {},
      revalidate: () => (isArmed ? revalidate() : true),
    }))
    isArmed = true
    expect(await ticks.ended()).toBe('SESSION_REVOKED')
    await source.returned
    expect(logged.join()).not.toContain('hunter2')
  })

  test('goes on while the check says yes, and ends at once on demand', async () => {
    let isValid = true
    const revalidate = vi.fn(() => isValid)
    const { ticks, source, server } = await openTicks(() => ({ context: {}, revalidate }))
    await vi.waitUntil(() => revalidate.mock.calls.length > 2)
    source.push(2)
    expect(await ticks.next()).toMatchObject({ data: { ticks: 2 } })
    isValid = false
    await server.revalidateSessions()
    expect(await ticks.ended()).toBe('SESSION_REVOKED')
  })

  test('whose session ends later than a timer can wait goes on', async () => {
    const { ticks, source } = await openTicks(() => ({ context: {}, expiresAt: Date.now() + 2 ** 33 }))
    source.push(2)
    expect(await ticks.next()).toMatchObject({ data: { ticks: 2 } })
    await ticks.leave()
  })

  test('that is left is asked no more', async () => {
    const revalidate = vi.fn(() => true)
    const { ticks, source, server } = await openTicks(() => ({ context: {}, revalidate }), 60_000)
    await server.revalidateSessions()
    expect(revalidate).toHaveBeenCalledTimes(1)
    await ticks.leave()
    await source.returned
    await server.revalidateSessions()
    expect(revalidate).toHaveBeenCalledTimes(1)
  })
})

test('a WebSocket client that ignores the close of its session is not served, and is cut', async () => {
  let isValid = true
  const { url, server, contexts } = await startProbe({
    context: () => ({ context: {}, revalidate: () => isValid }),
    limits: { closeTimeoutMs: 200 },
  })
  const { socket, send, received, ended } = await openRawSocket(url)
  send(subscribeMessage('1', '{ viewer }'))
  await vi.waitUntil(() => received.some(({ type }) => type === 'complete'))
  expect(contexts).toHaveLength(1)
  const closed = createDeferred<void>()
  const { _receiver: receiver } = socket as unknown as { _receiver: NodeJS.EventEmitter }
  // Where ws would answer the close frame.
  receiver.removeAllListeners('conclude').on('conclude', () => closed.resolve())
  isValid = false
  await server.revalidateSessions()
  await closed.promise
  send(subscribeMessage('2', '{ viewer }'))
  await ended
  expect(contexts).toHaveLength(1)
})

test('a WebSocket client that leaves while it is let in holds nothing', async () => {
  const entered = createDeferred<void>()
  const answer = createDeferred<boolean>()
  const revalidate = vi.fn(() => true)
  const { url, server } = await startProbe({
    async context() {
      entered.resolve()
      await answer.promise
      return { context: {}, revalidate }
    },
  })
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
  socket.onopen = () => socket.send('{"type":"connection_init"}')
  const closed = createDeferred<void>()
  socket.onclose = () => closed.resolve()
  await entered.promise
  socket.close()
  await closed.promise
  answer.resolve(true)
  await answer.promise
  await server.revalidateSessions()
  expect(revalidate).not.toHaveBeenCalled()
})

const secret = new TextEncoder().encode('a secret of at least thirty-two bytes')
const jwtOptions = { secret, issuer: 'https://issuer.example', audience: 'rowcast' }
const claims = () => new SignJWT({}).setIssuer(jwtOptions.issuer).setAudience(jwtOptions.audience)
const sign = (jwt: SignJWT, key = secret) => jwt.setProtectedHeader({ alg: 'HS256' }).sign(key)

describe.each(TRANSPORTS)('the JWT example over $name', ({ ask }) => {
  test('lets in who has a valid token, and nobody else', async () => {
    const { url } = await startProbe({
      context: createJwtContext({ ...jwtOptions, isRevoked: (subject) => subject === 'eve' }),
    })
    const token = await sign(claims().setSubject('ada').setExpirationTime('1h'))
    expect((await ask(url, '{ viewer }', { token })).data).toEqual({ viewer: 'ada' })
    const other = new TextEncoder().encode('another secret of thirty-two bytes')
    const bad = [
      await sign(claims().setSubject('ada').setExpirationTime('1h'), other),
      await sign(claims().setSubject('ada').setExpirationTime('-1h')),
      await sign(claims().setSubject('ada')),
      await sign(claims().setSubject('eve').setExpirationTime('1h')),
      await sign(claims().setSubject('ada').setAudience('elsewhere').setExpirationTime('1h')),
      new UnsecuredJWT({ sub: 'ada' }).setExpirationTime('1h').encode(),
      'not.a.token',
    ]
    for (const each of [{}, ...bad.map((token) => ({ token }))]) {
      expect(refusalOf(await ask(url, '{ viewer }', each)).code).toBe('UNAUTHENTICATED')
    }
  })
})

describe.each(STREAM_TRANSPORTS)('the JWT example over $name', ({ open }) => {
  test('ends the stream with the token', async () => {
    const { url } = await startProbe({ context: createJwtContext(jwtOptions) })
    const exp = Math.floor(Date.now() / 1000) + 1
    const token = await sign(claims().setSubject('ada').setExpirationTime(exp))
    const ticks = await open(url, 'subscription { ticks }', { token })
    expect(await ticks.ended()).toBe('SESSION_EXPIRED')
  })
})

class PrivateViewer {
  readonly #id = 1
  get id(): number {
    return this.#id
  }
}

describe.each(TRANSPORTS)('over $name', ({ name, ask }) => {
  const isWebSocket = name === 'WebSocket'
  const refused = { code: 'UNAUTHENTICATED', status: isWebSocket ? 4403 : 401 }
  interface Viewer {
    readonly id: number
  }

  test('the pattern of the docs refuses where there is no viewer', async () => {
    for (const viewer of [null, undefined, false, 0, '', Number.NaN, 0n] as unknown as Viewer[]) {
      const { url } = await startProbe({ context: () => viewer && { context: { viewer } } })
      expect(refusalOf(await ask(url, '{ hello }'))).toEqual(refused)
    }
  })

  test.each<[string, unknown]>([
    ['{}', {}],
    ['[]', []],
    ['a list of sessions', [{ context: {} }]],
    ['context: null', { context: null }],
    ['a viewerKey that is no text', { context: {}, viewerKey: { id: 1 } }],
    ['a viewerKey that is a list', { context: {}, viewerKey: [] }],
    ['a viewerKey that is false', { context: {}, viewerKey: false }],
    ['a viewerKey that is a symbol', { context: {}, viewerKey: Symbol('ada') }],
    ['a viewerKey that is a function', { context: {}, viewerKey: () => 1 }],
    ['a viewerKey that is a promise', { context: {}, viewerKey: Promise.resolve(1) }],
    ['context: undefined', { context: undefined }],
    ['context: false', { context: false }],
    ['context: a text', { context: 'ada' }],
    ['context: a list', { context: [] }],
    ['context: a promise', { context: Promise.resolve({}) }],
    ['context: a function', { context: () => ({}) }],
    ['true', true],
    ['1', 1],
    ['a text', 'ada'],
    ['a function', () => ({ context: {} })],
    ['a symbol', Symbol('ada')],
    ['a date', new Date()],
    ['a list with a context', Object.assign([], { context: {} })],
    ['a map', new Map([['context', {}]])],
    ['context: a map', { context: new Map([['viewer', 1]]) }],
    ['context: a set', { context: new Set([1]) }],
    ['context: a date', { context: new Date() }],
    ['context: an error', { context: new Error('No such viewer.') }],
    ['context: a regular expression', { context: /ada/ }],
    ['context: bytes', { context: Buffer.from('ada') }],
    ['context: a boxed text', { context: Object('ada') }],
    ['context: an answer of fetch', { context: new Response('{}') }],
    ['context: a viewer whose fields are private', { context: new PrivateViewer() }],
    ['context: a generator', { context: (function* () {})() }],
    ['context: a promise behind a proxy', { context: new Proxy({}, { get: () => () => undefined }) }],
    ['context: a list behind a proxy', { context: new Proxy([], {}) }],
    ['an inherited context that is a list', Object.create({ context: [] })],
  ])('%s lets nobody in, a promise of it neither', async (_what, answer) => {
    for (const given of [answer, Promise.resolve(answer)]) {
      const { url, logged } = await startProbe({ context: (() => given) as ContextFunction })
      expect(refusalOf(await ask(url, '{ hello }'))).toEqual(refused)
      await ask(url, '{ hello }')
      expect(logged.filter((line) => line.includes('no session'))).toHaveLength(1)
    }
  })

  test('each part of an answer is read once, whatever it would be the next time', async () => {
    let reads = 0
    const answer = {
      get context(): object {
        reads += 1
        return reads === 1 ? { viewer: 'ada' } : []
      },
    }
    const { url } = await startProbe({ context: () => answer })
    expect((await ask(url, '{ viewer }')).data).toEqual({ viewer: 'ada' })
    expect(reads).toBe(1)
  })

  test.each(['', Number.NaN, 'undefined'])(
    'a viewerKey that names nobody (%j) lets in, and is logged',
    async (key) => {
      const { url, logged } = await startProbe({ context: () => ({ context: {}, viewerKey: key }) })
      expect((await ask(url, '{ hello }')).data).toEqual({ hello: 'world' })
      await ask(url, '{ hello }')
      expect(logged.filter((line) => line.includes('names nobody'))).toHaveLength(1)
    },
  )

  test('a function that hangs ends with the time for the introduction', async () => {
    const { url } = await startProbe({
      context: () => new Promise(() => undefined),
      limits: { connectionInitTimeoutMs: 50 },
    })
    const refusal = refusalOf(await ask(url, '{ hello }'))
    expect(refusal).toEqual({ code: 'CONTEXT_TIMEOUT', status: isWebSocket ? 4408 : 503 })
  })

  test('so many are asked at once, and the others after them', async () => {
    let running = 0
    let mostRunning = 0
    const { url } = await startProbe({
      limits: { contextCallsMax: 2, connectionInitTimeoutMs: 20_000 },
      context: async () => {
        running += 1
        mostRunning = Math.max(mostRunning, running)
        await new Promise((resolve) => setTimeout(resolve, 5))
        running -= 1
        return { context: {} }
      },
    })
    const answers = await Promise.all(Array.from({ length: 9 }, () => ask(url, '{ hello }')))
    for (const { data } of answers) expect(data).toEqual({ hello: 'world' })
    expect(mostRunning).toBe(2)
  })
})

test("a function that hangs ends in time at the live page's own path, too, over every transport", async () => {
  const { url } = await startProbe({
    context: () => new Promise(() => undefined),
    limits: { connectionInitTimeoutMs: 50 },
    activitySchema: buildSchema('type Query { hello: String } type Subscription { ticks: Int }'),
  })
  const at = `${url}/graphql/activity`
  const headers = { 'x-graphql-yoga-csrf': '1', 'content-type': 'application/json' }
  for (const accept of ['application/json', 'text/event-stream']) {
    const body = JSON.stringify({ query: '{ hello }' })
    for (const response of [
      await fetch(at, { method: 'POST', headers: { ...headers, accept }, body }),
      await fetch(`${at}?query={hello}`, { headers: { ...headers, accept } }),
    ]) {
      expect(response.status).toBe(503)
      expect(await response.text()).toContain('CONTEXT_TIMEOUT')
    }
  }
  const socket = new WebSocket(at.replace('http', 'ws'), 'graphql-transport-ws')
  socket.onopen = () => socket.send('{"type":"connection_init"}')
  const closed = createDeferred<number>()
  socket.onclose = ({ code }) => closed.resolve(code)
  expect(await closed.promise).toBe(4408)
})
