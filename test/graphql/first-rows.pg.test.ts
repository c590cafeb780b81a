/** Subscriptions of GraphQL that begin with the rows there are, on every transport, with a real database behind. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ContextFunction } from '../../src/server/session/context.ts'
import { type Answer, STREAM_TRANSPORTS, type Stream } from '../security/transports.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService, type RunningService } from '../support/live-service.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { openRole } from '../support/scaled-rowcast.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { countStatements, type StatementCounter } from '../support/statement-counter.ts'
import { insertTag } from '../support/tags.ts'
import { createWsClient } from '../support/ws-client.ts'

const ROWS = `subscription ($after: Cursor, $where: UserWhere) {
  userChanged(initial: true, pageSize: 7, where: $where, after: $after) {
    __typename action transition cause cursor key { rowId } old { email } new { id email role } committedAt transaction { index }
  }
}`
const ACTIVE = { isActive: { equals: true } }

interface UserEvent {
  readonly __typename: string
  readonly action: string
  readonly transition: string | null
  readonly cause: string | null
  readonly cursor: string
  readonly key: { readonly rowId: string } | null
  readonly new: { readonly id: string; readonly email: string; readonly role: string } | null
  readonly committedAt: string | null
  readonly transaction: object | null
}

const context: ContextFunction = (source) => {
  const token =
    source.kind === 'websocket'
      ? source.connectionParams['token']
      : source.headers.authorization?.replace('Bearer ', '')
  return { context: { viewer: token } }
}

/** An admin sees all; everybody else those with a role, and no balance. */
const models = {
  User: {
    rows: ({ viewer }: { viewer: string }) =>
      viewer === 'admin' ? ('all' as const) : { role: { not: 'MEMBER' as const } },
    fields: ({ viewer }: { viewer: string }) =>
      viewer === 'admin' ? ('all' as const) : (['id', 'email', 'role', 'isActive'] as const),
  },
  Post: { rows: () => 'all' as const },
  Tag: { rows: () => 'all' as const },
}

async function eventOf(stream: Stream): Promise<UserEvent> {
  const { data, errors }: Answer = await stream.next()
  if (errors.length > 0) throw new Error(JSON.stringify(errors))
  return (data as { userChanged: UserEvent }).userChanged
}

async function untilReady(stream: Stream) {
  const rows: UserEvent[] = []
  for (;;) {
    const event = await eventOf(stream)
    if (event.action === 'READY') return { rows, ready: event }
    rows.push(event)
  }
}

const codeOf = ({ errors, closed }: Answer) => errors[0]?.extensions?.['code'] ?? closed?.reason ?? 'no error'

let database: TestDatabase
let running: RunningService
let counter: StatementCounter

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  counter = countStatements()
  running = await openService(database, {
    context,
    limits: { payloadBytesMax: 50_000, replaysPerSocketMax: 100, replaysPerAddressMax: 2_000 },
    config: {
      models: models as never,
      createPrisma: counter.createPrisma,
      slowSubscribers: { mayClientsChoose: true },
    },
  })
  await running.service.rowcast.ready()
})

afterAll(async () => {
  await running[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

/** Sixty users: half of them with a role, a third active. */
async function fill(): Promise<void> {
  await database.query('DELETE FROM users')
  await database.query(`INSERT INTO users (email, role, is_active)
    SELECT 'u' || n || '@x', (CASE WHEN n % 2 = 0 THEN 'administrator' ELSE 'MEMBER' END)::user_role, n % 3 = 0
    FROM generate_series(1, 60) AS n`)
}

const found = async (condition: string) =>
  (await database.query<{ email: string }>(`SELECT email FROM users WHERE ${condition} ORDER BY id`)).map(
    ({ email }) => email,
  )

describe.each(STREAM_TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'first rows over %s',
  (_, transport) => {
    const open = (after: string | null = null, token = 'ada') =>
      transport.open(running.url, ROWS, { token, variables: { where: ACTIVE, after } })

    it('are those of `where` that the viewer may see; READY and the changes follow', async () => {
      await fill()
      const stream = await open()
      const { rows, ready } = await untilReady(stream)
      expect(rows.map((event) => event.new?.email)).toEqual(
        await found(`is_active AND role = 'administrator'`),
      )
      expect(rows).toHaveLength(10)
      for (const event of rows) {
        expect(event).toMatchObject({
          ...{ __typename: 'UserRead', action: 'READ', transition: 'ENTERED', cause: 'INITIAL', old: null },
          ...{ key: { rowId: event.new?.id }, committedAt: null, transaction: null },
        })
      }
      expect(ready).toMatchObject({ __typename: 'UserReady', key: null, new: null, cause: null })
      await database.query(`INSERT INTO users (email, is_active) VALUES ('hidden@x', true)`)
      await database.query(`UPDATE users SET email = 'six@x' WHERE email = 'u6@x'`)
      await database.query(`UPDATE users SET role = 'MEMBER' WHERE email = 'u12@x'`)
      expect(await eventOf(stream)).toMatchObject({
        ...{ action: 'UPDATE', transition: 'STAYED', cause: null, new: { email: 'six@x' } },
        ...{ old: { email: 'u6@x' }, transaction: { index: 0 } },
      })
      expect(await eventOf(stream)).toMatchObject({ __typename: 'UserDeleted', new: null })
      await stream.leave()
      const admin = await open(null, 'admin')
      const seen = (await untilReady(admin)).rows.map((event) => event.new?.email)
      expect(seen).toEqual(await found('is_active'))
      await admin.leave()
    })

    it('can be gone on after from READY on, and not before', async () => {
      await fill()
      const stream = await open()
      const { rows, ready } = await untilReady(stream)
      await database.query(`UPDATE users SET email = 'first@x' WHERE email = 'u18@x'`)
      const change = await eventOf(stream)
      await stream.leave()
      await database.query(`UPDATE users SET email = 'second@x' WHERE email = 'u24@x'`)
      for (const [cursor, emails] of [
        [ready.cursor, ['first@x', 'second@x']],
        [change.cursor, ['second@x']],
      ] as const) {
        const resumed = await open(cursor)
        for (const email of emails)
          expect(await eventOf(resumed)).toMatchObject({ action: 'UPDATE', new: { email } })
        await resumed.leave()
      }
      for (const { cursor } of [rows.at(0), rows.at(-1)] as UserEvent[]) {
        const partial = await open(cursor)
        expect(codeOf(await partial.next())).toBe('RESYNC_REQUIRED')
        await partial.leave()
      }
      const bad = await open('nonsense')
      expect(codeOf(await bad.next())).toMatch(/BAD_CURSOR|BAD_USER_INPUT|GRAPHQL_VALIDATION|no error/)
      await bad.leave()
    })

    it('end with a code that nobody retries where PostgreSQL rejects a value, or a row is too long', async () => {
      await fill()
      const open = (where: object) =>
        transport.open(running.url, ROWS, { token: 'ada', variables: { where } })
      const rejected = await open({ email: { contains: 'a\0' } })
      const answer = await rejected.next()
      expect(codeOf(answer)).toBe('FIRST_ROWS_REJECTED')
      expect(answer.errors[0]?.extensions).not.toHaveProperty('cursor')
      await rejected.leave()
      await database.query(`UPDATE users SET settings = to_jsonb(repeat('x', 60000)) WHERE email = 'u2@x'`)
      const source = `subscription { userChanged(initial: true, where: { email: { equals: "u2@x" } }) { action cursor new { settings } } }`
      const long = await transport.open(running.url, source, { token: 'admin' })
      const tooLong = await long.next()
      expect(codeOf(tooLong)).toBe('FIRST_ROWS_REJECTED')
      expect(tooLong.errors[0]?.extensions).not.toHaveProperty('cursor')
      await long.leave()
    })

    it('come before what is conflated', async () => {
      await fill()
      const source = `subscription { userChanged(initial: true, overflow: CONFLATE) { action new { email } } }`
      const stream = await transport.open(running.url, source, { token: 'ada' })
      const actions: string[] = []
      for (let action = ''; action !== 'READY'; actions.push(action)) action = (await eventOf(stream)).action
      expect(actions.length).toBeGreaterThan(1)
      expect(new Set(actions.slice(0, -1))).toEqual(new Set(['READ']))
      await database.query(`UPDATE users SET is_active = NOT is_active WHERE email = 'u2@x'`)
      expect((await eventOf(stream)).action).toBe('UPDATE')
      await stream.leave()
    })

    it('are refused with what says nothing of a set of rows, and where they would not be right', async () => {
      const asked = [
        'action: INSERT',
        'changed: [email]',
        'old: { isActive: { equals: true } }',
        'new: { isActive: { equals: true } }',
        'pageSize: 0',
        'pageSize: 10001',
      ]
      for (const args of asked) {
        const source = `subscription { userChanged(initial: true, ${args}) { action cursor } }`
        const stream = await transport.open(running.url, source, { token: 'ada' })
        expect(codeOf(await stream.next()), args).toBe('FIRST_ROWS_REFUSED')
        await stream.leave()
      }
    })
  },
)

describe('an event stream', () => {
  it('goes on after the id of READY, and not after that of a row', async () => {
    await fill()
    const stream = await subscribeSse<{ userChanged: UserEvent }>(running.url, ROWS, { where: ACTIVE })
    const ids: string[] = []
    for (;;) {
      const { userChanged } = await stream.nextData()
      ids.push(userChanged.cursor)
      if (userChanged.action === 'READY') break
    }
    stream.unsubscribe()
    await database.query(`UPDATE users SET email = 'third@x' WHERE email = 'u30@x'`)
    const again = (id: string) =>
      subscribeSse<{ userChanged: UserEvent }>(running.url, ROWS, { where: ACTIVE }, 'GET', {
        'last-event-id': id,
      })
    const resumed = await again(ids.at(-1) ?? '')
    expect((await resumed.nextData()).userChanged).toMatchObject({ action: 'UPDATE' })
    resumed.unsubscribe()
    const partial = await again(ids[0] ?? '')
    expect((await partial.next()).errors?.[0]?.extensions?.['code']).toBe('RESYNC_REQUIRED')
    partial.unsubscribe()
  })
})

describe('subscribers of one audience', () => {
  it('have their rows from one read where they come together, and share what follows', async () => {
    await fill()
    const { rowcast } = running.service
    const sockets = Array.from({ length: 4 }, () => createWsClient(running.url, { token: 'ada' }))
    await Promise.all(sockets.map((socket) => socket.connected()))
    const source = `subscription {
      userChanged(initial: true, where: { isActive: { equals: true } }) { action cursor new { email posts { title } } } }`
    const before = counter.readsOf('users')
    // Nobody gets the page before all have asked for it.
    const release = counter.holdTransactions()
    const subscriptions = sockets.flatMap((socket) =>
      Array.from({ length: 100 }, () => socket.subscribe<{ userChanged: UserEvent }>(source)),
    )
    await expect
      .poll(() => rowcast.status().subscriptions.get('User'), { timeout: 60_000, interval: 20 })
      .toBe(400)
    release()
    for (const subscription of subscriptions) {
      const actions: string[] = []
      for (let action = ''; action !== 'READY'; actions.push(action))
        action = (await subscription.nextData(60_000)).userChanged.action
      expect(actions).toEqual([...Array.from({ length: 10 }, () => 'READ'), 'READY'])
    }
    // One that was under way, and one for those who had their cursor after it began.
    expect(counter.readsOf('users') - before).toBeLessThanOrEqual(3)
    const posts = counter.readsOf('Post')
    await database.query(`UPDATE users SET email = 'all@x' WHERE email = 'u36@x'`)
    for (const subscription of subscriptions)
      expect((await subscription.nextData(60_000)).userChanged).toMatchObject({ new: { email: 'all@x' } })
    // How many they are, and the posts: of one change, for all.
    expect(counter.readsOf('Post') - posts).toBeLessThanOrEqual(2)
    for (const socket of sockets) await socket.close()
  }, 120_000)
})

describe.skipIf(NO_REDIS !== null)('a gateway', () => {
  it('gives first rows, lists and totals', async () => {
    await using own = await openDatabase({ migrate: true })
    const name = await insertTag(own)
    await using redis = await openRedis()
    await using _tap = await openRole(own, 'tap', { redisUrl: redis.url })
    await using gateway = await openService(own, { config: { role: 'gateway', broker: redis.url } })
    await gateway.service.rowcast.ready()
    for (const transport of STREAM_TRANSPORTS) {
      const open = (field: string) => transport.open(gateway.url, `subscription { ${field} }`)
      const rows = await open('tagChanged(initial: true) { action new { name } }')
      const read = { action: 'READ', new: { name } }
      expect((await rows.next()).data, transport.name).toEqual({ tagChanged: read })
      expect((await rows.next()).data, transport.name).toEqual({ tagChanged: { action: 'READY', new: null } })
      await rows.leave()
      const list = await open('tagList(take: 3) { ... on TagListSnapshot { rows { name } } }')
      expect((await list.next()).data, transport.name).toEqual({ tagList: { rows: [{ name }] } })
      await list.leave()
      const totals = await open('tagTotals { count }')
      expect((await totals.next()).data, transport.name).toEqual({ tagTotals: { count: 1 } })
      await totals.leave()
    }
  })
})
