/** Behind a real HAProxy: PostgreSQL, and two services whose clients stay through a rolling restart. With the settings of docs/proxies.md. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createClient } from 'graphql-ws'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { subscribeResumable } from '../../src/client/resumable-subscription.ts'
import { createSseClient } from '../../src/client/sse-client.ts'
import { findFreePort } from '../../src/embedded/free-port.ts'
import { buildRowcast, TABLES, watchOf } from '../scenarios/scenario.ts'
import { startServer } from '../server/server-fixture.ts'
import { openDatabase } from '../support/database.ts'
import { hasHaproxy, openHaproxy } from '../support/haproxy.ts'
import { openHttp2 } from '../support/http2.ts'
import { openService } from '../support/live-service.ts'

const read = (path: string) => readFileSync(join(import.meta.dirname, '../..', path), 'utf8')
const WAIT = { timeout: 40_000 }

/** Idle connections last 1.5 s: PostgreSQL's own default would let them be silent for a minute. */
const postgresConfig = (port: number, servers: string) => `
defaults
  mode tcp
  timeout connect 2s
  timeout client 1500ms
  timeout server 1500ms
listen postgres
  bind 127.0.0.1:${port}
  ${servers}
`

/** What docs/proxies.md shows, before these services. */
function serviceConfig(port: number, ports: readonly number[]): string {
  const [, block = ''] = /^## HAProxy.*\n\n((?: {4}.*\n)+)/m.exec(read('docs/proxies.md')) ?? []
  const servers = ports.map((each) => `  server s${each} 127.0.0.1:${each} check inter 100ms fall 1 rise 1\n`)
  return block
    .replace(/^ {4}/gm, '')
    .replace('bind :80', `bind 127.0.0.1:${port}`)
    .replace(/(?:^ +server .*\n)+/m, servers.join(''))
}

const QUERY =
  'subscription ($after: Cursor) { tagChanged(after: $after, action: INSERT) { cursor new { name } } }'

interface TagChanged {
  readonly tagChanged: { readonly cursor: string; readonly new: { readonly name: string } }
}

describe.skipIf(!hasHaproxy())('behind HAProxy', () => {
  it('a quiet stream from PostgreSQL outlives the idle timeout; a reload and a server that is gone cost nothing', async () => {
    await using database = await openDatabase()
    await database.query(TABLES)
    const port = await findFreePort()
    const down = `server down 127.0.0.1:${await findFreePort()} check inter 100ms\n  `
    const server = `server db 127.0.0.1:${database.target.port}`
    await using proxy = await openHaproxy(port, postgresConfig(port, `${down}${server} backup`))
    const connectionString = database.url.replace(`:${database.target.port}/`, `:${port}/`)
    const rowcast = buildRowcast(database, { options: { connectionString } })
    onTestFinished(() => rowcast.stop())
    // The first server is down: until HAProxy knows, it refuses.
    await expect
      .poll(
        () =>
          rowcast.enable().then(
            () => true,
            () => false,
          ),
        WAIT,
      )
      .toBe(true)
    rowcast.start()
    await rowcast.ready()
    const readers = () =>
      database.query<{ pid: number; seconds: number }>(
        `SELECT active_pid AS pid, extract(epoch FROM now() - backend_start)::float8 AS seconds
           FROM pg_replication_slots JOIN pg_stat_activity ON pid = active_pid WHERE database = current_database()`,
      )
    const [first] = await readers()
    await expect.poll(async () => (await readers())[0]?.seconds, WAIT).toBeGreaterThan(3.5)
    expect((await readers())[0]?.pid).toBe(first?.pid)

    const watch = watchOf(rowcast, 'Item')
    await proxy.reload(postgresConfig(port, server))
    await database.query('INSERT INTO items SELECT n FROM generate_series(1, 50) n')
    // The old process has ended, and its connections with it.
    await expect.poll(async () => (await readers())[0]?.pid ?? first?.pid, WAIT).not.toBe(first?.pid)
    await database.query('INSERT INTO items SELECT n FROM generate_series(51, 100) n')
    const ids = (await watch.take(100)).map((change) => change.new?.['id'])
    expect(ids).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
    await rowcast.stop()
  }, 60_000)

  it('a rolling restart of two services: every change once, in order, to clients of WebSocket and event streams', async () => {
    await using database = await openDatabase({ migrate: true })
    const ports = [await findFreePort(), await findFreePort()] as const
    const port = await findFreePort()
    const open = (which: number) =>
      openService(database, { port: ports[which] ?? 0, config: { trustedProxyCount: 1 } })
    const running = [await open(0)]
    await running[0]?.service.rowcast.ready()
    running.push(await open(1))
    await using _proxy = await openHaproxy(port, serviceConfig(port, ports))
    /** Before the proxy and the database go. */
    const ends: (() => unknown)[] = []
    await using _ended = {
      async [Symbol.asyncDispose]() {
        for (const end of ends) await end()
        for (const each of running) await each[Symbol.asyncDispose]()
      },
    }
    const after = await running[0]?.service.rowcast.changeCursor()
    const url = `127.0.0.1:${port}/graphql`
    const openReader = (transport: 'webSocket' | 'eventStream') => {
      const retry = { retryWait: () => new Promise<void>((resolve) => setTimeout(resolve, 20)) }
      const webSocket = () =>
        createClient({
          ...{ url: `ws://${url}`, webSocketImpl: WebSocket, shouldRetry: () => true, ...retry },
          retryAttempts: Number.POSITIVE_INFINITY,
        })
      const client = transport === 'webSocket' ? webSocket() : createSseClient({ url: `http://${url}` })
      const seen: string[] = []
      const changes = subscribeResumable<TagChanged>(client, { query: QUERY }, { after })
      const reading = (async () => {
        for await (const { tagChanged } of changes) seen.push(tagChanged.new.name)
      })()
      reading.catch(() => undefined)
      ends.push(() => {
        void changes.return()
        return client.dispose()
      })
      return { seen, reading }
    }
    const readers = [openReader('webSocket'), openReader('webSocket'), openReader('eventStream')]
    const seenCount = () => Math.min(...readers.map(({ seen }) => seen.length))
    let written = 0
    let isWriting = true
    const writing = (async () => {
      while (isWriting) {
        await database.query('INSERT INTO "Tag" (name) VALUES ($1)', [String(written)])
        written += 1
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    })()
    ends.push(() => {
      isWriting = false
      return writing
    })
    for (let restart = 0; restart < 2; restart += 1) {
      const target = seenCount() + 20
      await expect.poll(seenCount, WAIT).toBeGreaterThan(target)
      const findActive = () =>
        running.findIndex((each) => each.service.rowcast.status().state === 'streaming')
      await expect.poll(findActive, WAIT).not.toBe(-1)
      const active = findActive()
      await running[active]?.[Symbol.asyncDispose]()
      running[active] = await open(active)
    }
    const target = seenCount() + 20
    await expect.poll(seenCount, WAIT).toBeGreaterThan(target)
    isWriting = false
    await writing
    await expect.poll(seenCount, WAIT).toBe(written)
    const ledger = Array.from({ length: written }, (_, index) => String(index))
    for (const { seen } of readers) expect(seen).toEqual(ledger)
  }, 120_000)

  it('a WebSocket over HTTP/2 has each event at once', async () => {
    const { url, source } = await startServer({ trustedProxyCount: 1 })
    const port = await findFreePort()
    const config = serviceConfig(port, [Number(new URL(url).port)]).replace(
      'GET /health/ready',
      'GET /health/live',
    )
    await using _proxy = await openHaproxy(port, config.replace(/bind .*/, '$& proto h2'))
    await using http2 = await openHttp2(`http://127.0.0.1:${port}`)
    // RFC 8441, what browsers use where the server offers it.
    const socket = http2.session.request({
      ...{
        ':path': '/graphql',
        ':method': 'CONNECT',
        ':protocol': 'websocket',
        'sec-websocket-version': '13',
      },
      'sec-websocket-protocol': 'graphql-transport-ws',
    })
    const [answer] = await once(socket, 'response')
    expect(answer[':status']).toBe(200)
    let text = ''
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1')
    })
    const socketText = () => text
    socket.write(maskedFrame(JSON.stringify({ type: 'connection_init' })))
    await expect.poll(socketText, WAIT).toContain('connection_ack')
    const payload = { query: 'subscription { ticks }' }
    socket.write(maskedFrame(JSON.stringify({ type: 'subscribe', id: '1', payload })))
    await source.subscribed
    source.push(7)
    await expect.poll(socketText, WAIT).toContain('{"data":{"ticks":7}}')
    socket.close()
  }, 60_000)
})

/** A text frame of a client, shorter than 126 bytes. Source: RFC 6455, 5.2. */
function maskedFrame(text: string): Buffer {
  const payload = Buffer.from(text)
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload])
}
