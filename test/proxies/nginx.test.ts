/** Behind a real nginx, with the settings of docs/proxies.md and docker/nginx.conf: HTTP, WebSocket, SSE, and a path prefix. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { findFreePort } from '../../src/embedded/free-port.ts'
import type { ServerOptions } from '../../src/server/create-server.ts'
import { openRawSocket, subscribeMessage } from '../security/raw-socket.ts'
import { startServer } from '../server/server-fixture.ts'
import { buildTickSchema, createTickSource } from '../server/tick-schema.ts'
import { findBrowser, launchBrowser } from '../support/browser.ts'
import { buildPage } from '../support/build-page.ts'
import { openHttp2 } from '../support/http2.ts'
import { subscribeMultipart } from '../support/multipart-client.ts'
import { subscribeSse } from '../support/sse-client.ts'

const NGINX = ['/usr/sbin/nginx', '/usr/local/sbin/nginx'].find((path) => existsSync(path))
if (NGINX === undefined) process.stdout.write('No nginx was found: the tests behind it are skipped.\n')

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

/** What docs/proxies.md shows for a prefix, and docker/nginx.conf, both before this server. */
async function startBehindNginx(
  options: Partial<ServerOptions> = {},
  alter: (site: string) => string = (site) => site,
) {
  const fixture = await startServer({ trustedProxyCount: 1, ...options })
  const upstream = new URL(fixture.url).host
  const port = await findFreePort()
  const [, location = ''] = /```nginx\n([\s\S]*?)```/.exec(read('docs/proxies.md')) ?? []
  const site = read('docker/nginx.conf')
    .replace(/server gateway-1:4000[^;]*;/, `server ${upstream};`)
    .replace(/\s*server gateway-2:4000[^;]*;/, '')
    .replace('listen 80;', `listen 127.0.0.1:${port};`)
    .replace('  location / {', `${location.replace('127.0.0.1:4000', upstream)}\n  location / {`)
  const folder = await mkdtemp(join(tmpdir(), 'rowcast-nginx-'))
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  )
  const config = `daemon off; pid ${folder}/pid; error_log stderr warn; worker_processes 1;
    events {} http { access_log off; ${paths.join(' ')} ${alter(site)} }`
  await writeFile(join(folder, 'nginx.conf'), config)
  const nginx = spawn(NGINX ?? '', ['-e', 'stderr', '-p', folder, '-c', join(folder, 'nginx.conf')])
  onTestFinished(async () => {
    await stop(nginx)
    await rm(folder, { recursive: true })
  })
  await vi.waitUntil(() => answers(port), { timeout: 20_000 })
  return { ...fixture, port, proxied: `http://localhost:${port}` }
}

function stop(child: ChildProcess): Promise<unknown> {
  const over = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  return over
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

describe.skipIf(NGINX === undefined)('behind nginx', () => {
  /** Idle connections end after a second. */
  const impatient = (site: string) => site.replaceAll('proxy_read_timeout 1h;', 'proxy_read_timeout 1s;')
  const limits = { pingIntervalMs: 250 }

  test.each(['', '/rowcast'])(
    'HTTP, SSE and WebSocket of a page of the server work, at %s/',
    async (prefix) => {
      const { proxied, source } = await startBehindNginx()
      const base = `${proxied}${prefix}`
      const answer = await fetch(`${base}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: '{ hello }' }),
      })
      expect(await answer.json()).toEqual({ data: { hello: 'world' } })
      const events = await subscribeSse(base, 'subscription { ticks }')
      source.push(1)
      // At once, and not when a buffer is full.
      expect(await events.nextData()).toEqual({ ticks: 1 })
      events.unsubscribe()
      await source.returned
    },
  )

  // X-Accel-Buffering counts without `proxy_buffering off`.
  test.each(['proxy_buffering off;', ''])(
    'each part of a multipart response comes at once, and heartbeats keep it open, with "%s"',
    async (buffering) => {
      const { proxied, source } = await startBehindNginx({ limits }, (site) =>
        impatient(site).replaceAll('proxy_buffering off;', buffering),
      )
      const results = await subscribeMultipart(proxied, 'subscription { ticks }')
      source.push(1)
      expect(await results.nextData()).toEqual({ ticks: 1 })
      // A second and a half.
      await results.heartbeats(6)
      source.push(2)
      expect(await results.nextData()).toEqual({ ticks: 2 })
      results.unsubscribe()
      await source.returned
    },
  )

  test.each(['', '/rowcast'])('a WebSocket of a page of the server is let in, at %s/', async (prefix) => {
    const { proxied, source } = await startBehindNginx()
    const client = await openRawSocket(`${proxied}${prefix}`, { headers: { origin: proxied } })
    client.send(subscribeMessage('1', 'subscription { ticks }'))
    await source.subscribed
    source.push(1)
    await vi.waitUntil(() => client.received.some(({ type }) => type === 'next'))
  })

  test('a quiet WebSocket outlives the idle timeout by its pings', async () => {
    const { proxied, source } = await startBehindNginx({ limits }, impatient)
    const socket = new WebSocket(`${proxied.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
    let pings = 0
    const received: string[] = []
    socket.on('ping', () => {
      pings += 1
    })
    socket.on('message', (bytes) => received.push(String(bytes)))
    await once(socket, 'open')
    onTestFinished(() => socket.terminate())
    socket.send(JSON.stringify({ type: 'connection_init' }))
    await vi.waitUntil(() => received.length === 1)
    socket.send(JSON.stringify(subscribeMessage('1', 'subscription { ticks }')))
    await source.subscribed
    // A second and a half.
    await vi.waitUntil(() => pings >= 6, { timeout: 20_000 })
    source.push(1)
    await vi.waitUntil(() => received.some((text) => text.includes('"ticks":1')))
  })

  // X-Accel-Buffering counts without `proxy_buffering off`.
  test.each(['proxy_buffering off;', ''])(
    'a quiet event stream over HTTP/2 outlives the idle timeout, and has each event at once, with "%s"',
    async (buffering) => {
      const { proxied, source } = await startBehindNginx({ limits }, (site) =>
        impatient(site)
          .replace(/listen [^;]*/, '$& http2')
          .replaceAll('proxy_buffering off;', buffering),
      )
      await using http2 = await openHttp2(proxied)
      const stream = http2.session.request({
        ...{ ':method': 'POST', ':path': '/graphql', 'content-type': 'application/json' },
        accept: 'text/event-stream',
      })
      let text = ''
      stream.on('data', (bytes: Buffer) => {
        text += bytes.toString()
      })
      stream.end(JSON.stringify({ query: 'subscription { ticks }' }))
      // A second and a half of comments.
      await vi.waitUntil(() => text.split('\n:').length > 6, { timeout: 20_000 })
      source.push(1)
      await vi.waitUntil(() => text.includes('{"data":{"ticks":1}}'))
      expect(http2.session.destroyed).toBe(false)
    },
  )

  test('a page of another origin is refused with a body, and the log has both values once', async () => {
    const { proxied, logged, port } = await startBehindNginx()
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const { ended } = await openRawSocket(proxied, { headers: { origin: 'https://evil.example' } })
      expect((await ended).code).toBe(403)
    }
    const lines = logged.filter((line) => line.includes('CROSS_SITE_REQUEST'))
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      origin: 'https://evil.example',
      host: `localhost:${port}`,
    })
  })

  test('an address is the client’s, and not nginx’s', async () => {
    const addresses: string[] = []
    const { proxied } = await startBehindNginx({
      context: ({ remoteAddress }) => {
        addresses.push(remoteAddress)
        return { context: {} }
      },
    })
    await openRawSocket(proxied, { headers: { 'x-forwarded-for': '203.0.113.9' } })
    expect(['127.0.0.1', '::1']).toContain(addresses[0])
  })

  test.skipIf(findBrowser() === null)(
    'a page under a prefix finds its files and its stream; an EventSource works over plain HTTP',
    async () => {
      await buildPage()
      const { port, source } = await startBehindNginx({
        activitySchema: buildTickSchema(createTickSource()),
        graphiql: true,
        allowedHosts: ['app.test'],
      })
      const browser = await launchBrowser(findBrowser() ?? '', [
        '--host-resolver-rules=MAP app.test 127.0.0.1',
      ])
      onTestFinished(() => browser.close())
      const page = await browser.newPage()
      const failed: string[] = []
      page.on('response', (response) => {
        if (response.status() >= 400) failed.push(`${response.status()} ${response.url()}`)
      })
      const opened = page.waitForEvent('websocket')
      await page.goto(`http://app.test:${port}/rowcast/`)
      expect((await opened).url()).toBe(`ws://app.test:${port}/rowcast/graphql/activity`)
      expect(failed).toEqual([])
      await page.goto(`http://app.test:${port}/rowcast/graphql/?query={hello}`)
      await page.getByRole('button', { name: /Execute query/ }).waitFor()
      expect(page.url()).toBe(`http://app.test:${port}/rowcast/graphql?query={hello}`)
      expect(failed).toEqual([])
      // Not this page, which sends no referrer.
      await page.goto(`http://app.test:${port}/rowcast/health/live`)
      const first = page.evaluate(
        () =>
          new Promise((resolve) => {
            const events = new EventSource('../graphql?query=subscription{ticks}')
            events.addEventListener('next', ({ data }) => resolve(data))
            events.onerror = () => resolve('error')
          }),
      )
      await source.subscribed
      source.push(5)
      expect(await first).toBe('{"data":{"ticks":5}}')
    },
    60_000,
  )
})
