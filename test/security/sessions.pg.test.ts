/** Sessions that are rows: whose row is gone is disconnected before anything that committed later, on every transport and on gateways. */
import { describe, expect, it } from 'vitest'
import type { PrismaClient } from '../../prisma/generated/client/client.ts'
import type { RowcastModels } from '../../prisma/generated/rowcast.ts'
import type { ServiceConfig } from '../../src/config/config.ts'
import type { Rowcast } from '../../src/rowcast.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { openRole } from '../support/scaled-rowcast.ts'
import { createWsClient } from '../support/ws-client.ts'
import { STREAM_TRANSPORTS, TRANSPORTS } from './transports.ts'

const ADA = '00000000-0000-4000-8000-00000000000a'
const [FIRST, SECOND] = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002']
const QUERY = 'subscription { userChanged { action new { fullName } } }'
const NET = { timeout: 20_000 }

interface Viewer {
  readonly sessionId: string | undefined
}

const sessions = {
  model: 'Session',
  of: ({ sessionId }: Viewer) => (sessionId === 'nobody' ? null : { id: sessionId ?? '', userAgent: 'good' }),
} as const

async function openSessions(
  database: TestDatabase,
  more: Partial<ServiceConfig<RowcastModels, PrismaClient>> = {},
  state: 'streaming' | 'standby' = 'streaming',
) {
  const running = await openService(database, {
    // The first query of a process takes its time on a busy machine.
    limits: { connectionInitTimeoutMs: 30_000 },
    config: { models: { User: {} }, sessions, ...more },
    context(source) {
      const token =
        source.kind === 'websocket'
          ? source.connectionParams['token']
          : source.headers.authorization?.replace('Bearer ', '')
      return { context: { sessionId: token } }
    },
  })
  if (state === 'streaming') await running.service.rowcast.ready()
  else await expect.poll(() => running.service.rowcast.status().state, NET).toBe(state)
  return running
}

async function insertSessions(database: TestDatabase): Promise<void> {
  await database.query(`INSERT INTO users (id, email, full_name) VALUES ('${ADA}', 'ada@x', 'none')`)
  await database.query(
    `INSERT INTO sessions (id, user_id, token_hash, user_agent) VALUES ('${FIRST}', '${ADA}', '\\x01', 'good'), ('${SECOND}', '${ADA}', '\\x02', 'good')`,
  )
}

const ENDS = [
  ['is deleted', `DELETE FROM sessions WHERE id = '${FIRST}'`],
  [
    'is none of those that are asked for any more',
    `UPDATE sessions SET user_agent = 'bad' WHERE id = '${FIRST}'`,
  ],
  ['has another key', `UPDATE sessions SET id = gen_random_uuid() WHERE id = '${FIRST}'`],
] as const

describe.each(STREAM_TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'over %s',
  (_, transport) => {
    it.each(ENDS)(
      'a client whose session %s is gone, and has nothing of what comes after',
      async (_how, end) => {
        await using database = await openDatabase({ migrate: true })
        await insertSessions(database)
        await using running = await openSessions(database)
        const { rowcast } = running.service
        const mine = await transport.open(running.url, QUERY, { token: FIRST })
        const other = await transport.open(running.url, QUERY, { token: SECOND })
        const nobody = await transport.open(running.url, QUERY, { token: 'nobody' })
        await expect.poll(() => rowcast.status().subscriptions.get('User'), NET).toBe(3)
        // What is written to the row otherwise leaves it what it is.
        await database.query(`UPDATE sessions SET last_seen_at = now() WHERE id = '${FIRST}'`)
        await database.query(`UPDATE users SET full_name = 'before'`)
        for (const stream of [mine, other, nobody])
          expect((await stream.next()).data).toMatchObject({ userChanged: { new: { fullName: 'before' } } })
        // At once, so that the server reads both together.
        await database.query(`${end}; UPDATE users SET full_name = 'after'`)
        const last = await mine.next()
        expect(last.data).toBe(null)
        expect(last.closed?.code ?? 4403).toBe(4403)
        expect(last.closed?.reason ?? last.errors[0]?.extensions?.['code']).toBe('SESSION_REVOKED')
        for (const stream of [other, nobody])
          expect((await stream.next()).data).toMatchObject({ userChanged: { new: { fullName: 'after' } } })
        for (const stream of [other, nobody]) await stream.leave()
        // Nor does it come in again.
        const again = await transport.ask(running.url, QUERY, { token: FIRST })
        expect(again.closed?.reason ?? again.errors[0]?.extensions?.['code']).toBe('SESSION_REVOKED')
      },
    )
  },
)

it('go with the user whose they are, and with the whole table', async () => {
  await using database = await openDatabase({ migrate: true })
  await insertSessions(database)
  await using running = await openSessions(database)
  for (const end of ['TRUNCATE sessions', `DELETE FROM users WHERE id = '${ADA}'`]) {
    const streams = await Promise.all(
      STREAM_TRANSPORTS.map((transport) => transport.open(running.url, QUERY, { token: FIRST })),
    )
    await expect
      .poll(() => running.service.rowcast.status().subscriptions.get('User'), NET)
      .toBe(streams.length)
    await database.query(end)
    for (const stream of streams) expect(await stream.ended()).toBe('SESSION_REVOKED')
    await database.query(
      `INSERT INTO sessions (id, user_id, token_hash, user_agent) SELECT '${FIRST}', id, '\\x01', 'good' FROM users`,
    )
  }
})

it.each(TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'let in over %s whoever has one, and nobody else',
  async (_, transport) => {
    await using database = await openDatabase({ migrate: true })
    await insertSessions(database)
    await using running = await openSessions(database, { models: { User: {}, Session: { live: false } } })
    const query = '{ users { email } }'
    const code = async (token: string) => {
      const { closed, errors } = await transport.ask(running.url, query, { token })
      return closed?.reason ?? errors[0]?.extensions?.['code'] ?? null
    }
    expect(await code(FIRST)).toBe(null)
    expect(await code('nobody')).toBe(null)
    expect(await code('00000000-0000-4000-8000-00000000000f')).toBe('SESSION_REVOKED')
    // What says nothing of a row would be every row.
    expect(await code('')).toMatch(/INTERNAL_SERVER_ERROR|Internal server error/)
    // It is followed, and nobody subscribes to it.
    expect(running.service.rowcast.isRegistered('Session')).toBe(false)
    const named = await transport.ask(running.url, 'subscription { sessionChanged { action } }', {
      token: FIRST,
    })
    expect(named.errors[0]?.message ?? named.closed?.reason).toMatch(/Cannot query field|sessionChanged/)
  },
)

it('end with the mark of softDelete', async () => {
  await using database = await openDatabase({ migrate: true })
  await insertSessions(database)
  const models = { User: {}, Session: { live: false, softDelete: 'lastSeenAt' } } as const
  await using running = await openSessions(database, { models })
  const [transport] = STREAM_TRANSPORTS
  if (transport === undefined) throw new Error('There is a transport.')
  const stream = await transport.open(running.url, QUERY, { token: FIRST })
  await expect.poll(() => running.service.rowcast.status().subscriptions.get('User'), NET).toBe(1)
  await database.query(`UPDATE sessions SET last_seen_at = now() WHERE id = '${FIRST}'`)
  expect(await stream.ended()).toBe('SESSION_REVOKED')
  const again = await transport.ask(running.url, QUERY, { token: FIRST })
  expect(again.closed?.reason ?? again.errors[0]?.extensions?.['code']).toBe('SESSION_REVOKED')
})

it('end in a process that the stream does not come to, while another one has the slot', async () => {
  await using database = await openDatabase({ migrate: true })
  await insertSessions(database)
  await using _first = await openSessions(database)
  await using second = await openSessions(database, {}, 'standby')
  const client = createWsClient(second.url, { token: FIRST })
  const ask = () => client.subscribe('{ users { fullName } }').nextData()
  expect(await ask()).toEqual({ users: [{ fullName: 'none' }] })
  // What is written to the row otherwise leaves it what it is.
  await database.query(`UPDATE sessions SET last_seen_at = now() WHERE id = '${FIRST}'`)
  expect(await ask()).toEqual({ users: [{ fullName: 'none' }] })
  await database.query(`DELETE FROM sessions WHERE id = '${FIRST}'`)
  expect((await client.closed()).reason).toBe('SESSION_REVOKED')
})

// A tap of before that does not have the model, too: then the database is asked.
it.skipIf(NO_REDIS !== null).each([
  ['follows', true],
  ['does not follow', false],
])('end on a gateway whose tap %s them', async (_how, isFollowed) => {
  await using database = await openDatabase({ migrate: true })
  await insertSessions(database)
  await using redis = await openRedis()
  const register = (rowcast: Rowcast<RowcastModels>) => {
    rowcast.register('User')
    if (isFollowed) rowcast.follow('Session')
  }
  await using _tap = await openRole(database, 'tap', { redisUrl: redis.url, register })
  await using running = await openSessions(database, { role: 'gateway', broker: redis.url })
  for (const transport of STREAM_TRANSPORTS) {
    const stream = await transport.open(running.url, QUERY, { token: FIRST })
    const other = await transport.open(running.url, QUERY, { token: SECOND })
    await expect.poll(() => running.service.rowcast.status().subscriptions.get('User'), NET).toBe(2)
    await database.query(
      `DELETE FROM sessions WHERE id = '${FIRST}'; UPDATE users SET full_name = '${transport.name}'`,
    )
    expect(await stream.ended()).toBe('SESSION_REVOKED')
    expect((await other.next()).data).toMatchObject({ userChanged: { new: { fullName: transport.name } } })
    await other.leave()
    await expect.poll(() => running.service.rowcast.status().subscriptions.get('User') ?? 0, NET).toBe(0)
    await database.query(
      `INSERT INTO sessions (id, user_id, token_hash, user_agent) VALUES ('${FIRST}', '${ADA}', '\\x01', 'good')`,
    )
  }
})
