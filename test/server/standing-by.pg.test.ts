/**
 * Of two processes on one slot one gets changes, and the other stands by: whoever waits there would hear nothing as long as the first one
 * lives. After `standbyPatienceMs` he is sent away, on every transport, and goes on where the changes are.
 */
import { createClient } from 'graphql-ws'
import { describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { RowcastModels } from '../../prisma/generated/rowcast.ts'
import { followChanges } from '../../src/client/followed-changes.ts'
import { followList } from '../../src/client/followed-list.ts'
import { resumingConnectionParams } from '../../src/client/resuming-connection-params.ts'
import { createSseClient } from '../../src/client/sse-client.ts'
import type { Rowcast } from '../../src/rowcast.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService, type RunningService } from '../support/live-service.ts'
import { subscribeMultipart } from '../support/multipart-client.ts'
import { PATIENCE_MS } from '../support/patience-ms.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { awaitSeen, openStayingReader, startTagWriter } from '../support/staying-readers.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { createWsClient } from '../support/ws-client.ts'
import { postGraphql } from './server-fixture.ts'

const WAIT = { timeout: PATIENCE_MS }
const SENT_AWAY = 'SERVER_STANDING_BY'
const CLOSED = { code: 1013, reason: SENT_AWAY }
const CHANGES = 'subscription ($after: Cursor) { tagChanged(after: $after) { cursor new { name } } }'
const RELATED = `subscription ($after: Cursor) {
  postChanged(after: $after, where: { author: { is: { email: { equals: "a" } } } }) { cursor }
}`
const TRANSACTIONS = 'subscription ($after: Cursor) { changes(of: { tag: {} }, after: $after) { cursor } }'
const LIST = 'subscription { tagList { cursor } }'
const TOTALS = 'subscription { tagTotals { cursor } }'
/** They do not come to their own deadline first. */
const config = (standbyPatienceMs: number) => ({ standbyPatienceMs, answerTimeoutMs: 60_000 })

const stateOf = ({ service }: RunningService) => service.rowcast.status().state

/** Two processes, of which the second stands by. */
async function openPair(database: TestDatabase, patienceMs = 300) {
  const active = await openService(database)
  await active.service.rowcast.ready()
  const idle = await openService(database, { config: config(patienceMs) })
  await expect.poll(() => stateOf(idle), WAIT).toBe('standby')
  let stopping: Promise<void> | null = null
  const stopActive = (): Promise<void> => {
    stopping ??= active.service.stop()
    return stopping
  }
  return {
    ...{ active, idle, stopActive },
    after: await active.service.rowcast.changeCursor(),
    async [Symbol.asyncDispose]() {
      await Promise.all([stopActive(), idle.service.stop()])
    },
  }
}

/** What ends an iterator of the library. */
function endOf(iterator: AsyncIterator<unknown>): Promise<unknown> {
  return iterator.next().then(
    () => 'a value',
    (error: unknown) => error,
  )
}

describe('a process that stands by', () => {
  it.each([
    ['changes', CHANGES],
    ['changes by related rows', RELATED],
    ['whole transactions', TRANSACTIONS],
    ['a list', LIST],
    ['totals', TOTALS],
  ])('sends away who comes for %s, at the end of its patience or at once after it', async (_name, query) => {
    await using database = await openDatabase({ migrate: true })
    await using pair = await openPair(database, 2_000)
    const { url } = pair.idle
    const hasCursor = query.includes('$after')
    const variables = hasCursor ? { after: pair.after } : {}
    for (const isAfter of [false, true]) {
      const plain = createWsClient(url)
      const resuming = createWsClient(url, { rowcast: { resumes: true } })
      const answers = [plain, resuming].map((client) => client.subscribe(query, variables))
      const events = subscribeSse(url, query, variables)
      const parts = subscribeMultipart(url, query, variables)
      expect(await plain.closed(), String(isAfter)).toEqual(CLOSED)
      expect(await resuming.closed()).toEqual(CLOSED)
      // No error, which would be the end for good to most clients.
      for (const answer of answers) expect(await answer.ended()).toMatchObject({ kind: 'closed' })
      expect(await (await events).ended()).toEqual({ kind: 'closed', reason: 'end of response' })
      expect((await events).length).toBe(0)
      const { errors } = await (await parts).next()
      expect(errors).toMatchObject([{ extensions: { code: SENT_AWAY, retryAfterMs: expect.any(Number) } }])
      // What does not even begin is no stream.
      const { status, headers } = await parts
      expect([status, headers.get('retry-after') !== null]).toEqual(hasCursor ? [200, false] : [503, true])
    }
  })

  it('goes on with queries and mutations, but not with the position of a stream that it does not have', async () => {
    await using database = await openDatabase({ migrate: true })
    await using pair = await openPair(database)
    const { url, service } = pair.idle
    await expect(service.rowcast.subscribe('Tag').next()).rejects.toMatchObject({ code: SENT_AWAY })

    const client = createWsClient(url)
    const tags = '{ tags { name } }'
    expect(await client.subscribe(tags).next()).toEqual({ data: { tags: [] } })
    expect(await postGraphql(url, tags)).toMatchObject({ status: 200, body: { data: { tags: [] } } })
    const body = JSON.stringify({ query: '{ changeCursor }' })
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const refused = await fetch(`${url}/graphql`, { method: 'POST', headers, body })
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toMatch(/^[12]$/)
    expect(await refused.json()).toMatchObject({ errors: [{ extensions: { code: SENT_AWAY } }] })
    // Who asks for the position is to ask where it is to be had.
    const asking = client.subscribe('{ changeCursor }')
    expect(await client.closed()).toEqual(CLOSED)
    expect(await asking.ended()).toMatchObject({ kind: 'closed' })
  })

  it('ends what an application reads, and serves all once it has the slot', async () => {
    await using database = await openDatabase({ migrate: true })
    await using pair = await openPair(database, 1_000)
    const rowcast = pair.idle.service.rowcast as unknown as Rowcast<RowcastModels>
    const { after } = pair
    const reads = () => [
      rowcast.subscribe('Tag'),
      rowcast.subscribe('Tag', { after }),
      rowcast.subscribe(['Tag', 'User']),
      rowcast.subscribe('Post', { include: ['comments'], after }),
      rowcast.transactions({ Tag: {}, User: {} }),
      rowcast.messages(),
    ]
    // Those that wait, and those who come when others have been sent away.
    for (const round of ['waiting', 'refused'])
      for (const end of await Promise.all(reads().map(endOf)))
        expect(end, round).toMatchObject({ code: SENT_AWAY, retry: 'backoff' })
    await pair.stopActive()
    await expect.poll(() => stateOf(pair.idle), WAIT).toBe('streaming')
    await database.query(`INSERT INTO "Tag" (name) VALUES ('here')`)
    const { value } = await rowcast.subscribe('Tag', { after }).next()
    expect(value).toMatchObject({ new: { name: 'here' } })
    const client = createWsClient(pair.idle.url)
    const changes = client.subscribe(CHANGES, { after })
    expect(await changes.nextData()).toMatchObject({ tagChanged: { new: { name: 'here' } } })
    await client.close()
  })

  it('has nobody leave within its patience, nor with one that has no end', async () => {
    await using database = await openDatabase({ migrate: true })
    await using pair = await openPair(database, Number.POSITIVE_INFINITY)
    const client = createWsClient(pair.idle.url)
    const changes = client.subscribe(CHANGES, { after: pair.after })
    const counts = () => pair.idle.service.rowcast.status().subscriptions.get('Tag')
    await expect.poll(counts, WAIT).toBe(1)
    await pair.stopActive()
    await database.query(`INSERT INTO "Tag" (name) VALUES ('here')`)
    expect(await changes.nextData()).toMatchObject({ tagChanged: { new: { name: 'here' } } })
    await client.close()
  })
})

it('a process that lost its connection, and its slot to another one, sends away who was there with all that came before', async () => {
  await using database = await openDatabase({ migrate: true })
  const { port } = database.target
  await using proxy = await openTcpProxy(port)
  const databaseUrl = database.url.replace(`:${port}/`, `:${proxy.port}/`)
  // The Prisma Client has the same way.
  await using first = await openService(database, { databaseUrl, config: config(300) })
  await first.service.rowcast.ready()
  const client = createWsClient(first.url)
  const socket = client.subscribe<{ tagChanged: { cursor: string } }>(CHANGES)
  const events = await subscribeSse<{ tagChanged: { cursor: string } }>(first.url, CHANGES)
  const iterator = first.service.rowcast.subscribe('Tag')
  const counts = () => first.service.rowcast.status().subscriptions.get('Tag')
  await expect.poll(counts, WAIT).toBe(3)
  await database.query(`INSERT INTO "Tag" (name) VALUES ('before')`)
  const { cursor } = (await socket.nextData()).tagChanged
  await events.nextData()
  await iterator.next()

  proxy.refuse(true)
  proxy.cut()
  await using second = await openService(database)
  await second.service.rowcast.ready()
  // The database is away for the first: all wait, as long as nobody knows of another process.
  await database.query(`INSERT INTO "Tag" (name) VALUES ('between')`)
  expect(counts()).toBe(3)
  proxy.refuse(false)
  expect(await client.closed()).toEqual(CLOSED)
  expect(await events.ended()).toEqual({ kind: 'closed', reason: 'end of response' })
  expect(events.lastEventId ?? '').not.toBe('')
  await expect(iterator.next()).rejects.toMatchObject({
    code: SENT_AWAY,
    details: { cursor: expect.any(String) },
  })
  for (const after of [cursor, events.lastEventId]) {
    const next = createWsClient(second.url)
    const changes = next.subscribe(CHANGES, { after })
    expect(await changes.nextData()).toMatchObject({ tagChanged: { new: { name: 'between' } } })
    await next.close()
  }
})

/** Clients behind a balancer without checks of its own: each connection goes to the other process, first to the one that stands by. */
function openTurning({ active, idle }: { readonly active: RunningService; readonly idle: RunningService }) {
  const seen = { connections: 0 }
  const turn = (scheme: string): string => {
    const { host } = new URL(seen.connections % 2 === 0 ? idle.url : active.url)
    seen.connections += 1
    return `${scheme}://${host}/graphql`
  }
  const overWebSocket = () =>
    createClient({
      webSocketImpl: WebSocket,
      url: () => turn('ws'),
      shouldRetry: () => true,
      retryAttempts: Number.POSITIVE_INFINITY,
      retryWait: () => Promise.resolve(),
      connectionParams: resumingConnectionParams(),
    })
  const overSse = () =>
    createSseClient({ url: 'http://balancer/graphql', fetch: (_, init) => fetch(turn('http'), init) })
  return { seen, open: { webSocket: overWebSocket, eventStream: overSse } }
}

describe.each(['webSocket', 'eventStream'] as const)(
  'rowcast/client over %s that reaches it',
  (transport) => {
    it('comes through in the end, with each change once', async () => {
      await using database = await openDatabase({ migrate: true })
      await using pair = await openPair(database)
      const { seen, open } = openTurning(pair)
      const reader = openStayingReader('the reader', open[transport](), pair.after)
      const writer = startTagWriter(database, 5)
      await awaitSeen([reader], writer, (fewest) => fewest > 50)
      await writer.stop()
      await awaitSeen([reader], writer, (fewest) => fewest === writer.written)
      expect(reader.seen).toEqual(Array.from({ length: writer.written }, (_, index) => String(index)))
      expect(seen.connections).toBeGreaterThan(1)
      await reader.close()
    })

    it('has its lists and its changes from now on as well', async () => {
      await using database = await openDatabase({ migrate: true })
      await using pair = await openPair(database)
      const changesClient = openTurning(pair).open[transport]()
      const listClient = openTurning(pair).open[transport]()
      const got: string[] = []
      const changes = followChanges<{ new: { name: string } }>({
        client: changesClient,
        request: { query: CHANGES },
        onChange: (change) => got.push(change.new.name),
      })
      const list = followList<{ id: string; name: string }>({
        client: listClient,
        key: 'id',
        request: {
          query: `subscription { tagList(orderBy: [{ id: ASC }]) { cursor
          ... on TagListSnapshot { rows { id name } }
          ... on TagListPatch { operations { kind index key { rowId } row { id name } } } } }`,
        },
      })
      await expect.poll(() => [changes.state.status, list.state.status], WAIT).toEqual(['live', 'live'])
      const names = Array.from({ length: 20 }, (_, index) => String(index))
      for (const name of names) await database.query(`INSERT INTO "Tag" (name) VALUES ('${name}')`)
      await expect.poll(() => got, WAIT).toEqual(names)
      await expect.poll(() => list.state.rows.map(({ name }) => name), WAIT).toEqual(names)
      for (const end of [() => changes.stop(), () => list.stop()]) end()
      for (const client of [changesClient, listClient]) await client.dispose()
    })
  },
)
