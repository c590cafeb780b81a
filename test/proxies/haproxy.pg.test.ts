/** Behind a real HAProxy: PostgreSQL, and two services whose clients stay through a rolling restart. With the settings of docs/proxies.md. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createClient } from 'graphql-ws'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { createSseClient } from '../../src/client/sse-client.ts'
import { findFreePort } from '../../src/embedded/free-port.ts'
import { buildRowcast, TABLES, watchOf } from '../scenarios/scenario.ts'
import { startServer } from '../server/server-fixture.ts'
import { openDatabase } from '../support/database.ts'
import { hasHaproxy, openHaproxy } from '../support/haproxy.ts'
import { openHttp2 } from '../support/http2.ts'
import { openService } from '../support/live-service.ts'
import { awaitSeen, fewestSeen, openStayingReader, startTagWriter } from '../support/staying-readers.ts'

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

/** A client that comes back at once, whatever ended its socket. */
function openStayingSocket(address: string) {
  return createClient({
    ...{ url: `ws://${address}`, webSocketImpl: WebSocket, shouldRetry: () => true },
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
    retryAttempts: Number.POSITIVE_INFINITY,
  })
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
      openService(database, {
        port: ports[which] ?? 0,
        config: { trustedProxyCount: 1, standbyPatienceMs: 1_000 },
      })
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
    const readers = [
      openStayingReader('a WebSocket', openStayingSocket(url), after),
      openStayingReader('another WebSocket', openStayingSocket(url), after),
      openStayingReader('an event stream', createSseClient({ url: `http://${url}` }), after),
    ]
    const writer = startTagWriter(database, 5)
    ends.push(...readers.map((reader) => reader.close), writer.stop)
    const states = () => running.map(({ service }) => service.rowcast.status().state)
    const awaitCount = (isEnough: (fewest: number) => boolean) =>
      awaitSeen(readers, writer, isEnough, () => `the services are ${states().join(' and ')}`)
    const awaitMore = () => {
      const target = fewestSeen(readers) + 20
      return awaitCount((fewest) => fewest > target)
    }
    for (let restart = 0; restart < 2; restart += 1) {
      await awaitMore()
      const findActive = () => states().indexOf('streaming')
      await expect.poll(findActive, WAIT).not.toBe(-1)
      const active = findActive()
      await running[active]?.[Symbol.asyncDispose]()
      running[active] = await open(active)
    }
    await awaitMore()
    await writer.stop()
    const { written } = writer
    await awaitCount((fewest) => fewest === written)
    const ledger = Array.from({ length: written }, (_, index) => String(index))
    for (const { seen } of readers) expect(seen).toEqual(ledger)
  }, 120_000)

  // HAProxy takes a server for one that is up before its first check: here it never learns that one of them is not ready.
  it('who reaches the service that stands by is sent away, and comes through with every change once', async () => {
    await using database = await openDatabase({ migrate: true })
    const config = { trustedProxyCount: 1, standbyPatienceMs: 500 }
    await using active = await openService(database, { config })
    await active.service.rowcast.ready()
    await using idle = await openService(database, { config })
    const after = await active.service.rowcast.changeCursor()
    const port = await findFreePort()
    const ports = [active, idle].map(({ url }) => Number(new URL(url).port))
    const unaware = serviceConfig(port, ports).replace('GET /health/ready', 'GET /health/live')
    await using _proxy = await openHaproxy(port, unaware)
    const arrivals = { idle: 0 }
    idle.service.rowcast.observe({
      onSubscribed() {
        arrivals.idle += 1
      },
    })
    const url = `127.0.0.1:${port}/graphql`
    // In turn: one of each kind begins at the one that stands by, or goes there once it is sent away.
    const readers = [
      openStayingReader('a WebSocket', openStayingSocket(url), after),
      openStayingReader('another WebSocket', openStayingSocket(url), after),
      openStayingReader('an event stream', createSseClient({ url: `http://${url}` }), after),
      openStayingReader('another event stream', createSseClient({ url: `http://${url}` }), after),
    ]
    const writer = startTagWriter(database, 5)
    await awaitSeen(readers, writer, (fewest) => fewest > 20)
    await writer.stop()
    const { written } = writer
    await awaitSeen(readers, writer, (fewest) => fewest === written)
    const ledger = Array.from({ length: written }, (_, index) => String(index))
    for (const reader of readers) {
      expect(reader.seen).toEqual(ledger)
      await reader.close()
    }
    expect(arrivals.idle).toBeGreaterThan(0)
    expect(idle.service.rowcast.status().state).toBe('standby')
  }, 90_000)

  // Checks follow one another after 100 ms, and an answer takes more.
  it('a service that is slow to answer is not taken for one that is gone', async () => {
    const nobody = new Int32Array(new SharedArrayBuffer(4))
    let checks = 0
    const health = () => {
      checks += 1
      Atomics.wait(nobody, 0, 0, 250)
      return { isReady: true }
    }
    const { url } = await startServer({ trustedProxyCount: 1, health })
    const port = await findFreePort()
    await using _proxy = await openHaproxy(port, serviceConfig(port, [Number(new URL(url).port)]))
    await expect.poll(() => checks, WAIT).toBeGreaterThan(3)
    const { status } = await fetch(`http://127.0.0.1:${port}/health/live`)
    expect(status).toBe(200)
  }, 60_000)

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
