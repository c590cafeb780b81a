/** A service that is asked to stop: what waits is delivered, the slot is let go, clients go on elsewhere where they were. */
import { createClient } from 'graphql-ws'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { resumingConnectionParams } from '../../src/client/resuming-connection-params.ts'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { awaitSeen, fewestSeen, openStayingReader, startTagWriter } from '../support/staying-readers.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { createWsClient } from '../support/ws-client.ts'

interface TagChanged {
  readonly tagChanged: { readonly cursor: string; readonly new: { readonly name: string } }
}

const QUERY =
  'subscription ($after: Cursor) { tagChanged(after: $after, action: INSERT) { cursor new { name } } }'
/** In `connection_init`: this client takes SERVER_STOPPING for what it is. */
const RESUMES = { rowcast: { resumes: true } }
const NET_MS = 40_000

describe('a service that stops', () => {
  it.each(['webSocket', 'eventStream'] as const)(
    'delivers what waits and says where to go on, over %s',
    { timeout: 90_000 },
    async (transport) => {
      await using database = await openDatabase({ migrate: true })
      await using running = await openService(database)
      const { rowcast } = running.service
      await rowcast.ready()
      const client = transport === 'webSocket' ? createWsClient(running.url, RESUMES) : null
      const events = client === null ? await subscribeSse<TagChanged>(running.url, QUERY) : null
      const stream = events ?? client?.subscribe<TagChanged>(QUERY)
      if (stream === undefined) throw new Error('There is no such transport.')
      await expect.poll(() => rowcast.status().subscriptions.get('Tag'), { timeout: NET_MS }).toBe(1)
      await database.query(`INSERT INTO "Tag" (name) VALUES ('one'), ('two')`)
      expect((await stream.nextData()).tagChanged.new.name).toBe('one')
      await running.service.stop()

      const last = (await stream.nextData()).tagChanged
      expect(last.new.name).toBe('two')
      let after: string | null | undefined
      if (client !== null) {
        const end = await stream.ended()
        const [error] = ('errors' in end ? end.errors : null) ?? []
        expect(error?.extensions).toMatchObject({
          code: 'SERVER_STOPPING',
          retryAfterMs: expect.any(Number),
          cursor: expect.any(String),
        })
        after = String(error?.extensions?.['cursor'])
        expect((await client.closed()).code).toBe(1012)
      } else {
        // The cursor is the last event's id, which an EventSource sends back by itself.
        expect(await stream.ended()).toEqual({ kind: 'closed', reason: 'end of response' })
        after = events?.lastEventId
      }

      // A next process goes on from there, with nothing twice and nothing lost.
      await database.query(`INSERT INTO "Tag" (name) VALUES ('three')`)
      await using next = await openService(database)
      expect(String(after) >= last.cursor).toBe(true)
      const resumed = createWsClient(next.url)
      const changes = resumed.subscribe<TagChanged>(QUERY, { after })
      expect((await changes.nextData()).tagChanged.new.name).toBe('three')
      await resumed.close()
    },
  )

  it('delivers what waits and leaves the operations of other clients open over WebSocket', {
    timeout: 90_000,
  }, async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    const { rowcast } = running.service
    await rowcast.ready()
    const client = createWsClient(running.url)
    const changes = client.subscribe<TagChanged>(QUERY)
    await expect.poll(() => rowcast.status().subscriptions.get('Tag'), { timeout: NET_MS }).toBe(1)
    await database.query(`INSERT INTO "Tag" (name) VALUES ('one'), ('two')`)
    expect((await changes.nextData()).tagChanged.new.name).toBe('one')
    await running.service.stop()
    expect(await client.closed()).toEqual({ code: 1012, reason: 'Server is stopping' })
    expect((await changes.nextData()).tagChanged.new.name).toBe('two')
    // Neither an error nor a completion: the client ends it because its socket was closed.
    expect(await changes.ended()).toMatchObject({ kind: 'closed' })
    expect(changes.length).toBe(0)
  })

  it('does not wait for a client that does not read', { timeout: 90_000 }, async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database, {
      limits: { drainTimeoutMs: 200, closeTimeoutMs: 200, socketBufferedBytesMax: 20_000 },
    })
    const { rowcast } = running.service
    await rowcast.ready()
    const client = createWsClient(running.url)
    const socket = await client.connected()
    client.subscribe('subscription { userChanged { new { tags } } }')
    const reader = createWsClient(running.url)
    const changes = reader.subscribe('subscription { userChanged { action } }')
    await expect.poll(() => rowcast.status().subscriptions.get('User'), { timeout: NET_MS }).toBe(2)
    socket.pause()
    await database.query(
      `INSERT INTO users (email, tags) SELECT n || '@x.org', ARRAY[repeat('x', 20000)] FROM generate_series(1, 600) n`,
    )
    // One that reads has them all: more than the other's connection holds.
    for (let change = 0; change < 600; change += 1) await changes.nextData()
    await reader.close()
    await running.service.stop()
    socket.resume()
    expect((await client.closed()).code).toBeGreaterThanOrEqual(1001)
  })
})

it('a rolling restart behind a proxy: every change once, in order, to clients that stay', {
  timeout: 150_000,
}, async () => {
  await using database = await openDatabase({ migrate: true })
  let running = await openService(database)
  const portOf = ({ url }: { readonly url: string }) => Number(new URL(url).port)
  await using proxy = await openTcpProxy(portOf(running))
  await running.service.rowcast.ready()
  const after = await running.service.rowcast.changeCursor()
  const readers = [0, 1, 2].map((index) => {
    const client = createClient({
      url: `ws://127.0.0.1:${proxy.port}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: Number.POSITIVE_INFINITY,
      shouldRetry: () => true,
      // One gets SERVER_STOPPING, the others a socket that is closed.
      ...(index === 0 ? { connectionParams: resumingConnectionParams() } : {}),
      retryWait: () => new Promise((resolve) => setTimeout(resolve, 20)),
    })
    return openStayingReader(`client ${index}`, client, after)
  })
  const writer = startTagWriter(database, 2)
  const awaitMore = () => {
    const target = fewestSeen(readers) + 50
    return awaitSeen(readers, writer, (fewest) => fewest > target)
  }
  for (let restart = 0; restart < 3; restart += 1) {
    await awaitMore()
    // The next one waits for the slot, and takes new clients before the old one ends.
    const next = await openService(database)
    await expect.poll(() => next.service.rowcast.status().state, { timeout: NET_MS }).toBe('standby')
    proxy.retarget(portOf(next))
    await running[Symbol.asyncDispose]()
    running = next
  }
  await awaitMore()
  await writer.stop()
  const { written } = writer
  await awaitSeen(readers, writer, (fewest) => fewest === written)
  const ledger = Array.from({ length: written }, (_, index) => String(index))
  for (const { seen } of readers) expect(seen).toEqual(ledger)
  // Three restarts and three clients, each of which came back.
  expect(proxy.accepted).toBeGreaterThanOrEqual(12)
  for (const reader of readers) await reader.close()
  await running[Symbol.asyncDispose]()
})
