/**
 * Links of taps and gateways that fall silent, to Redis and to PostgreSQL, from any byte on, without a goodbye: while they
 * start, run, wait for replicas, stand by and stop. None waits for ever. ROWCAST_TEST_SILENCES tries more bytes.
 */
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import type { Role } from '../../src/broker/broker-options.ts'
import { openRedisConnection } from '../../src/broker/redis/redis-connection.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { NO_REDIS, openRedis, type TestRedis } from '../support/redis.ts'
import { type Silence, Swallower } from '../support/swallower.ts'
import { insertTag, takeNames } from '../support/tags.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

const SILENCES = Number(process.env['ROWCAST_TEST_SILENCES'] ?? 2)
/** The long form may take its time, and runs beside other work: what is late by a busy machine's doing is not taken for silence. */
const PACE = SILENCES > 2 ? 4 : 1
const ALWAYS = Number.POSITIVE_INFINITY
const WAIT = { timeout: 60_000 * PACE }

/** Where a link leads. */
type End = 'redis' | 'postgres'

/** A process of a role whose links go through proxies. */
async function openBehind(database: TestDatabase, redis: TestRedis, role: Role, replicas = 0) {
  await database.query(`ALTER DATABASE ${database.name} SET wal_sender_timeout = '${800 * PACE}ms'`)
  const links = { redis: new Swallower(), postgres: new Swallower() }
  const toRedis = await openTcpProxy(redis.port, { intercept: links.redis.intercept })
  const toPostgres = await openTcpProxy(database.target.port, { intercept: links.postgres.intercept })
  const url = new URL(database.url)
  url.port = String(toPostgres.port)
  const rowcast = createRowcast({
    ...{ connectionString: url.href, catalog, slot: slotOf(database), role },
    ...{ broker: { url: `redis://127.0.0.1:${toRedis.port}`, replicas } },
    ...{ enableOnStart: role !== 'gateway', watchIntervalMs: 500, answerTimeoutMs: 700 * PACE },
  }).register('Tag')
  return {
    ...{ rowcast, links, proxies: { redis: toRedis, postgres: toPostgres } },
    async [Symbol.asyncDispose]() {
      await rowcast.stop()
      await toRedis[Symbol.asyncDispose]()
      await toPostgres[Symbol.asyncDispose]()
    },
  }
}

type Behind = Awaited<ReturnType<typeof openBehind>>

/** Runs a tap and a gateway, one of them through links that are silent where `silence` says; until a change has come. */
async function deliver(
  redis: TestRedis,
  role: Role,
  silence: (behind: Behind) => void,
): Promise<Behind['links']> {
  await using database = await openDatabase({ migrate: true })
  await using subject = await openBehind(database, redis, role)
  await using other = await openBehind(database, redis, role === 'tap' ? 'gateway' : 'tap')
  silence(subject)
  for (const { rowcast } of [subject, other]) rowcast.start()
  await Promise.all([subject.rowcast.ready(), other.rowcast.ready()])
  const gateway = role === 'tap' ? other : subject
  let after = ''
  // Where it is what asks over the silent connection, it rejects, and is asked once more.
  const ask = () => gateway.rowcast.changeCursor().catch(() => '')
  await expect.poll(async () => (after = await ask()), WAIT).not.toBe('')
  const tags = gateway.rowcast.subscribe('Tag', { after })
  const name = await insertTag(database)
  expect(await takeNames(tags, 1)).toEqual([name])
  return subject.links
}

describe.skipIf(NO_REDIS !== null)('a link that falls silent', () => {
  it.each<[Role, End]>([
    ['tap', 'redis'],
    ['tap', 'postgres'],
    ['gateway', 'redis'],
    ['gateway', 'postgres'],
  ])(
    'of a %s to %s, within any connection and from any byte on, is given up, and the next one serves',
    async (role, end) => {
      await using redis = await openRedis()
      const links = await deliver(redis, role, () => {})
      const all = links[end].silences(SILENCES)
      const count = Math.min(all.length, 3 * SILENCES)
      const cases = Array.from(
        { length: count },
        (_, n) => all[Math.floor((n * all.length) / count)] as Silence,
      )
      expect(cases.length).toBeGreaterThan(0)
      // A few at a time: each has a database, a tap and a gateway of its own.
      while (cases.length > 0) {
        const some = cases.splice(0, 6)
        await Promise.all(
          some.map((silence) =>
            deliver(redis, role, (behind) => {
              behind.links[end].silence = silence
            }),
          ),
        )
      }
    },
  )

  it.each<[Role, End]>([
    ['tap', 'redis'],
    ['gateway', 'redis'],
    ['gateway', 'postgres'],
  ])(
    'of a %s to %s for good keeps it from being ready, with a reason, and from nothing else',
    async (role, end) => {
      await using redis = await openRedis()
      await using database = await openDatabase({ migrate: true })
      for (const afterBytes of [0, 40, 300]) {
        await using behind = await openBehind(database, redis, role)
        const { rowcast, links } = behind
        links[end].silence = { from: 1, to: ALWAYS, afterBytes }
        rowcast.start()
        await expect.poll(() => rowcast.status().lastError?.code, WAIT).toMatch(/^(BROKER|SOURCE)_/)
        expect(rowcast.status().isReady).toBe(false)
        await rowcast.stop()
        expect(rowcast.status().state).toBe('stopped')
      }
    },
  )

  it.each<[Role, End]>([
    ['tap', 'redis'],
    ['tap', 'postgres'],
    ['gateway', 'redis'],
    ['gateway', 'postgres'],
  ])('of a %s to %s that streams is no reason not to stop', async (role, end) => {
    await using redis = await openRedis()
    await using database = await openDatabase({ migrate: true })
    await using subject = await openBehind(database, redis, role)
    await using other = await openBehind(database, redis, role === 'tap' ? 'gateway' : 'tap')
    for (const { rowcast } of [subject, other]) rowcast.start()
    await Promise.all([subject.rowcast.ready(), other.rowcast.ready()])
    subject.links[end].silence = { from: 1, to: ALWAYS, afterBytes: 0 }
    await insertTag(database)
    await subject.rowcast.stop()
    expect(subject.rowcast.status().state).toBe('stopped')
  })

  it('does not keep a tap that stands by from taking over, nor one that writes from letting go', async () => {
    await using redis = await openRedis()
    await using database = await openDatabase({ migrate: true })
    await using first = await openBehind(database, redis, 'tap')
    await using gateway = await openBehind(database, redis, 'gateway')
    for (const { rowcast } of [first, gateway]) rowcast.start()
    await Promise.all([first.rowcast.ready(), gateway.rowcast.ready()])
    await using second = await openBehind(database, redis, 'tap')
    second.rowcast.start()
    await expect.poll(() => second.rowcast.status().state, WAIT).toBe('standby')
    for (const end of ['redis', 'postgres'] as const) {
      const to = second.proxies[end].accepted
      second.links[end].silence = { from: 1, to, afterBytes: 0 }
    }
    const tags = gateway.rowcast.subscribe('Tag')
    // The one that writes hears nothing of Redis any more, and is not asked to stop.
    first.links.redis.silence = { from: 1, to: ALWAYS, afterBytes: 0 }
    const name = await insertTag(database)
    expect(await takeNames(tags, 1)).toEqual([name])
    expect(second.rowcast.status().broker?.isActive).toBe(true)
  })

  it('of a tap that waits for replicas holds up PostgreSQL’s confirmation, and nobody’s changes', async () => {
    await using redis = await openRedis()
    await using replica = await openRedis()
    await using database = await openDatabase({ migrate: true })
    await using tap = await openBehind(database, redis, 'tap', 1)
    await using gateway = await openBehind(database, redis, 'gateway')
    tap.rowcast.start()
    gateway.rowcast.start()
    await Promise.all([tap.rowcast.ready(), gateway.rowcast.ready()])
    const tags = gateway.rowcast.subscribe('Tag')
    // The connection that asks for the replicas comes with the first change, and is the latest.
    expect([await insertTag(database)]).toEqual(await takeNames(tags, 1))
    await expect.poll(() => tap.proxies.redis.accepted, WAIT).toBeGreaterThan(1)
    const { accepted } = tap.proxies.redis
    tap.links.redis.silence = { from: 2, to: accepted, afterBytes: 0 }
    await replica.command('REPLICAOF', '127.0.0.1', String(redis.port))
    expect([await insertTag(database)]).toEqual(await takeNames(tags, 1))
    // Another one is opened, and answered.
    await expect
      .poll(() => tap.rowcast.status().broker?.replicas, WAIT)
      .toMatchObject({ reached: 1, behindMs: 0 })
    expect(tap.proxies.redis.accepted).toBeGreaterThan(accepted)
  })

  it('in the handshake of TLS is given up', async () => {
    const silent = createServer((socket) => socket.on('error', () => {}))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const address = silent.address()
    const port = typeof address === 'object' ? address?.port : 0
    const url = `rediss://127.0.0.1:${port}`
    const opening = openRedisConnection({ url, name: 'test', answerTimeoutMs: 300 })
    await expect(opening).rejects.toMatchObject({ code: 'BROKER_UNREACHABLE' })
    silent.close()
  })
})
