/** The service end to end: a real PostgreSQL on one side, real WebSocket and SSE clients on the other. */
import { describe, expect, it } from 'vitest'
import type { PrismaClient } from '../prisma/generated/client/client.ts'
import { UserChangedDocument, type UserChangedSubscription } from './generated/gql/graphql.ts'
import { openRawSocket, subscribeMessage } from './security/raw-socket.ts'
import { openDatabase, type TestDatabase } from './support/database.ts'
import { openService, type RunningService } from './support/live-service.ts'
import { openPostgres } from './support/postgres.ts'
import type { ResultQueue } from './support/result-queue.ts'
import { subscribeSse } from './support/sse-client.ts'
import { createWsClient } from './support/ws-client.ts'

type UserSubscription = AsyncDisposable & {
  readonly results: ResultQueue<UserChangedSubscription>
}

type Transport = (url: string, variables: Record<string, unknown>) => Promise<UserSubscription>

const overWebSocket: Transport = async (url, variables) => {
  const client = createWsClient(url)
  await client.connected()
  const results = client.subscribe<UserChangedSubscription>(UserChangedDocument, variables)
  return { results, [Symbol.asyncDispose]: () => client.close() }
}

const overSse: Transport = async (url, variables) => {
  const results = await subscribeSse<UserChangedSubscription>(url, UserChangedDocument, variables)
  return { results, [Symbol.asyncDispose]: async () => results.unsubscribe() }
}

/** A subscription is live on the server a moment after the client sent it: write until the first one arrives. */
async function untilLive(database: TestDatabase, subscription: UserSubscription): Promise<void> {
  const email = 'probe@example.com'
  await expect
    .poll(
      async () => {
        await database.query('INSERT INTO users (email) VALUES ($1)', [email])
        await database.query('UPDATE users SET full_name = $2 WHERE email = $1', [email, 'Probe'])
        await database.query('DELETE FROM users WHERE email = $1', [email])
        return subscription.results.length
      },
      { timeout: 20_000 },
    )
    .toBeGreaterThan(0)
  await database.query(`INSERT INTO users (email, full_name) VALUES ('last@example.com', 'Last')`)
  await database.query(`UPDATE users SET full_name = 'Really last' WHERE email = 'last@example.com'`)
  await database.query(`DELETE FROM users WHERE email = 'last@example.com'`)
}

/** Takes results until the probes of `untilLive` are over. */
async function drainProbes(subscription: UserSubscription, lastAction: string): Promise<void> {
  for (;;) {
    const { userChanged: change } = await subscription.results.nextData()
    const row = change.new ?? change.old
    if (row?.email === 'last@example.com' && change.action === lastAction) return
  }
}

async function subscribe(
  transport: Transport,
  running: RunningService,
  database: TestDatabase,
  variables: Record<string, unknown>,
  lastAction: string,
): Promise<UserSubscription> {
  await running.service.rowcast.ready()
  const subscription = await transport(running.url, variables)
  await untilLive(database, subscription)
  await drainProbes(subscription, lastAction)
  return subscription
}

describe.each([
  ['WebSocket', overWebSocket],
  ['SSE', overSse],
])('over %s', (_name, transport) => {
  it('INSERT, UPDATE and DELETE of a User arrive as typed objects', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    await using subscription = await subscribe(transport, running, database, {}, 'DELETE')
    const next = async () => (await subscription.results.nextData()).userChanged

    const [user] = await database.query<{ id: string }>(
      `INSERT INTO users (email, balance, storage_bytes, role, tags, settings)
       VALUES ('ada@example.com', 12.50, 9007199254740993, 'administrator', '{a,b}', '{"theme":"dark"}') RETURNING id`,
    )
    await database.query(`INSERT INTO "Post" ("authorId", title) VALUES ($1, 'First')`, [user?.id])
    const inserted = await next()
    expect(inserted).toMatchObject({
      action: 'INSERT',
      old: null,
      key: { rowId: user?.id },
      new: {
        email: 'ada@example.com',
        balance: '12.50',
        storageBytes: '9007199254740993',
        role: 'ADMIN',
        tags: ['a', 'b'],
        settings: { theme: 'dark' },
      },
      unavailable: [],
      transaction: { index: 0, last: true },
    })
    expect(inserted.changed).toEqual([])
    expect(Date.parse(inserted.committedAt ?? '')).toBeGreaterThan(Date.parse('2020-01-01'))

    await database.query(`UPDATE users SET full_name = 'Ada' WHERE id = $1`, [user?.id])
    expect(await next()).toMatchObject({
      action: 'UPDATE',
      old: { email: 'ada@example.com', fullName: null },
      new: { fullName: 'Ada', posts: [{ title: 'First' }] },
      changed: ['fullName'],
    })

    await database.query('DELETE FROM users WHERE id = $1', [user?.id])
    expect(await next()).toMatchObject({
      action: 'DELETE',
      old: { rowId: user?.id, fullName: 'Ada', email: 'ada@example.com' },
      new: null,
      key: { rowId: user?.id },
      changed: [],
    })
  })

  it('the rows of a transaction arrive contiguous, numbered and after its commit; a rollback sends nothing', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    await using subscription = await subscribe(transport, running, database, {}, 'DELETE')
    await database.query('BEGIN')
    await database.query(`INSERT INTO users (email) VALUES ('never@example.com')`)
    await database.query('ROLLBACK')
    await database.query('BEGIN')
    await database.query(`INSERT INTO users (email) VALUES ('1@example.com'), ('2@example.com')`)
    const prisma = running.service.prisma as PrismaClient
    await prisma.user.create({ data: { email: 'other@example.com' } })
    await database.query(`UPDATE users SET full_name = 'One' WHERE email = '1@example.com'`)
    await database.query('COMMIT')
    const seen = []
    for (let i = 0; i < 4; i += 1) {
      const { userChanged: change } = await subscription.results.nextData()
      seen.push([change.action, change.new?.email, change.transaction?.index, change.transaction?.last])
    }
    expect(seen).toEqual([
      ['INSERT', 'other@example.com', 0, true],
      ['INSERT', '1@example.com', 0, false],
      ['INSERT', '2@example.com', 1, false],
      ['UPDATE', '1@example.com', 2, true],
    ])
  })

  it.each([
    ['one action', 'UPDATE', ['UPDATE'], 'UPDATE'],
    ['a list of actions', ['INSERT', 'DELETE'], ['INSERT', 'DELETE'], 'DELETE'],
  ])('action filters: %s', async (_case, action, expected, lastAction) => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    await using subscription = await subscribe(transport, running, database, { action }, lastAction)
    await database.query(`INSERT INTO users (email) VALUES ('a@example.com')`)
    await database.query(`UPDATE users SET full_name = 'A'`)
    await database.query('DELETE FROM users')
    for (const wanted of expected) {
      expect((await subscription.results.nextData()).userChanged.action).toBe(wanted)
    }
  })
})

describe('relation fields', () => {
  it('load under new, and under old by the foreign keys the row had', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    await running.service.rowcast.ready()
    const client = createWsClient(running.url)
    await using _closed = { [Symbol.asyncDispose]: () => client.close() }
    await client.connected()
    const results = client.subscribe<{ postChanged: Record<string, unknown> }>(
      `subscription { postChanged(action: [UPDATE, DELETE]) {
         action old { author { email } } new { author { email } } } }`,
    )
    const users = await database.query<{ id: string }>(
      `INSERT INTO users (email) VALUES ('a@example.com'), ('b@example.com') RETURNING id`,
    )
    const [a, b] = users.map((user) => user.id)
    await database.query(`INSERT INTO "Post" (id, "authorId", title) VALUES (7, $1, 'x')`, [a])
    // The first write that finds the subscription live is the one that counts.
    await expect
      .poll(
        async () => {
          await database.query(`UPDATE "Post" SET "authorId" = $1 WHERE id = 7`, [b])
          await database.query(`UPDATE "Post" SET "authorId" = $1 WHERE id = 7`, [a])
          return results.length
        },
        { timeout: 20_000 },
      )
      .toBeGreaterThan(0)
    await database.query(`DELETE FROM "Post" WHERE id = 7`)
    for (;;) {
      const { postChanged: change } = await results.nextData()
      if (change['action'] === 'DELETE') {
        expect(change).toEqual({ action: 'DELETE', old: { author: { email: 'a@example.com' } }, new: null })
        break
      }
      const emails = [change['old'], change['new']].map((image) => JSON.stringify(image)).sort()
      expect(emails).toEqual(['{"author":{"email":"a@example.com"}}', '{"author":{"email":"b@example.com"}}'])
    }
  })
})

describe('health', () => {
  it('is live at once, ready only while changes flow, and says what is in the way', async () => {
    await using postgres = await openPostgres()
    const { cluster } = postgres
    await using database = await openDatabase({ migrate: true, serverUrl: cluster.connectionString() })
    await cluster.stop()
    await using running = await openService(database)
    const get = async (path: string) => {
      const response = await fetch(`${running.url}${path}`)
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    }
    expect((await get('/health/live')).status).toBe(200)
    await expect
      .poll(async () => (await get('/health/ready')).body['error'], { timeout: 20_000 })
      .toBe('SOURCE_CONNECTION_REFUSED')
    expect((await get('/health/ready')).status).toBe(503)
    await cluster.start()
    await running.service.rowcast.ready()
    expect(await get('/health/ready')).toMatchObject({
      status: 200,
      body: { replication: 'streaming', error: null },
    })
  })
})

it('counts a subscription whose id is used again once, and none when its socket has closed', async () => {
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database)
  await running.service.rowcast.ready()
  const subscriptions = async (): Promise<unknown> =>
    ((await (await fetch(`${running.url}/health/ready`)).json()) as Record<string, unknown>)['subscriptions']
  const before = await subscriptions()
  const client = await openRawSocket(running.url)
  const query = 'subscription { tagChanged { new { name } } }'
  for (let round = 0; round < 50; round += 1) {
    client.send(subscribeMessage('r', query))
    client.send({ id: 'r', type: 'complete' })
  }
  client.send(subscribeMessage('r', query))
  await expect.poll(subscriptions, { timeout: 20_000 }).toBe(Number(before) + 1)
  await database.query(`INSERT INTO "Tag" (name) VALUES ('one')`)
  await expect.poll(() => client.received.length, { timeout: 20_000 }).toBe(2)
  client.socket.terminate()
  await expect.poll(subscriptions, { timeout: 20_000 }).toBe(before)
  expect(client.received.filter(({ type }) => type === 'next')).toHaveLength(1)
})
