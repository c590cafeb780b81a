/** Which web pages may use the server: Origin over WebSocket, CORS and the CSRF guard over HTTP and SSE. */
import { request } from 'node:http'
import { describe, expect, test } from 'vitest'
import { MULTIPART_ACCEPT } from '../support/multipart-client.ts'
import { openRawSocket } from './raw-socket.ts'
import { startProbe } from './transports.ts'

interface Reply {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly body: string
}

/** Sends headers that `fetch` does not let a program set. */
function send(url: string, method: string, headers: Record<string, string>, body = ''): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers }, (response) => {
      let text = ''
      response.on('data', (bytes) => {
        text += String(bytes)
      })
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

const APP = 'https://app.example.com'
const EVIL = 'https://evil.example'

describe('the upgrade to WebSocket', () => {
  test.each([
    ['no origin, as programs send', undefined, 101],
    ['its own origin', 'own', 101],
    ['a named origin', APP, 101],
    ['another site', EVIL, 403],
    ['a name that only starts like a named one', `${APP}.evil.example`, 403],
    ['the named host on another port', `${APP}:8443`, 403],
    ['the origin of a sandboxed page', 'null', 403],
    ['nonsense', 'x', 403],
  ])('%s', async (_name, origin, expected) => {
    const { url } = await startProbe({ allowedOrigins: [APP] })
    const own = origin === 'own' ? url : origin
    const { socket, ended } = await openRawSocket(url, own === undefined ? {} : { headers: { origin: own } })
    if (expected === 101) expect(socket.readyState).toBe(socket.OPEN)
    else expect((await ended).code).toBe(expected)
  })

  test('is refused to every other site when nothing is said', async () => {
    const { url } = await startProbe()
    expect((await (await openRawSocket(url, { headers: { origin: APP } })).ended).code).toBe(403)
  })
})

describe('CORS', () => {
  const preflight = (url: string, origin: string) =>
    send(`${url}/graphql`, 'OPTIONS', {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
    })
  const corsOf = ({ headers }: Reply) =>
    Object.keys(headers).filter((name) => name.startsWith('access-control'))

  test('is off when nothing is said', async () => {
    const { url } = await startProbe()
    expect(corsOf(await preflight(url, APP))).toEqual([])
  })

  test('lets named origins in, without cookies unless asked', async () => {
    const { url } = await startProbe({ allowedOrigins: [APP] })
    const reply = await preflight(url, APP)
    expect(reply.headers).toMatchObject({
      'access-control-allow-origin': APP,
      'access-control-allow-headers': 'content-type',
      'access-control-allow-methods': 'GET, POST',
    })
    expect(reply.headers['vary']).toContain('Origin')
    expect(reply.headers['access-control-allow-credentials']).toBeUndefined()
    expect(corsOf(await preflight(url, EVIL))).toEqual([])
    const withCookies = await startProbe({ allowedOrigins: [APP], allowCredentials: true })
    expect((await preflight(withCookies.url, APP)).headers['access-control-allow-credentials']).toBe('true')
  })

  test('for all never carries cookies', async () => {
    const { url } = await startProbe({ allowedOrigins: ['*'], allowCredentials: true })
    const { headers } = await preflight(url, EVIL)
    expect(headers['access-control-allow-origin']).toBe(EVIL)
    expect(headers['access-control-allow-credentials']).toBeUndefined()
  })
})

describe.each(['application/json', 'text/event-stream', MULTIPART_ACCEPT])('a request for %s', (accept) => {
  const query = '?query={hello}'
  const form = 'query=%7Bhello%7D'
  const json = '{"query":"{hello}"}'

  test.each<[string, 'pass' | 'refuse', string, Record<string, string>, string?]>([
    ['GET as an image or link of another site causes it', 'refuse', 'GET', {}],
    ['GET with a content type, which means nothing', 'refuse', 'GET', { 'content-type': 'application/json' }],
    ['GET of another site, as the browser says', 'refuse', 'GET', { 'sec-fetch-site': 'cross-site' }],
    ['GET of a neighbour, as the browser says', 'refuse', 'GET', { 'sec-fetch-site': 'same-site' }],
    ['GET with the origin of another site', 'refuse', 'GET', { origin: EVIL }],
    ['GET of a page of ours, as the browser says', 'pass', 'GET', { 'sec-fetch-site': 'same-origin' }],
    ['GET with a named origin, as EventSource sends it', 'pass', 'GET', { origin: APP }],
    ['GET with a header that needs a preflight', 'pass', 'GET', { 'x-graphql-yoga-csrf': '1' }],
    ['GET with a token, which no browser adds by itself', 'pass', 'GET', { authorization: 'Bearer abc' }],
    ...[
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: EVIL },
      { referer: `${EVIL}/a` },
    ].map((said): [string, 'refuse', string, Record<string, string>] => [
      `GET of ${JSON.stringify(said)} with the token that a proxy makes of a cookie`,
      'refuse',
      'GET',
      { authorization: 'Bearer abc', ...said },
    ]),
    ['GET with a password that the browser keeps', 'refuse', 'GET', { authorization: 'Basic YTpi' }],
    ['GET with nothing but the name of a token', 'refuse', 'GET', { authorization: 'Bearer' }],
    ['POST of a form', 'refuse', 'POST', { 'content-type': 'application/x-www-form-urlencoded' }, form],
    ['POST of plain text', 'refuse', 'POST', { 'content-type': 'text/plain' }, json],
    [
      'POST of plain text in disguise',
      'refuse',
      'POST',
      { 'content-type': 'Text/Plain; a=application/json' },
      json,
    ],
    ['POST without a type', 'refuse', 'POST', {}, json],
    ['POST of JSON', 'pass', 'POST', { 'content-type': 'application/json' }, json],
  ])('%s: %s', async (_name, expected, method, headers, body) => {
    const { url } = await startProbe({ allowedOrigins: [APP] })
    const target = `${url}/graphql${method === 'GET' ? query : ''}`
    const reply = await send(target, method, { accept, ...headers }, body)
    if (expected === 'pass') expect(reply.body).toContain('world')
    else {
      expect(reply.status).toBe(403)
      expect(reply.body).toContain('CROSS_SITE_REQUEST')
      expect(reply.body).not.toContain('world')
    }
  })
})

test('a request that names no page is in the log once for each host, too', async () => {
  const { url, logged } = await startProbe({ allowedHosts: ['a.test', 'b.test'] })
  for (const host of ['a.test', 'b.test', 'a.test'])
    expect((await send(`${url}/graphql?query={hello}`, 'GET', { host })).status).toBe(403)
  const lines = logged.filter((line) => line.includes('"CROSS_SITE_REQUEST"'))
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { level: 'warn', origin: null, host: 'a.test' },
    { level: 'warn', origin: null, host: 'b.test' },
  ])
})

test('no answer can be framed, or taken for another type', async () => {
  const { url } = await startProbe({ graphiql: true })
  for (const headers of [
    { accept: 'text/html' },
    { accept: 'application/json', 'x-graphql-yoga-csrf': '1' },
  ]) {
    const reply = await send(`${url}/graphql?query={hello}`, 'GET', headers as Record<string, string>)
    expect(reply.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' })
  }
})
