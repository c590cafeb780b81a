/** Taps: one reads the slot, the others stand by; what they set up, confirm and restart. */

import { PrismaPg } from '@prisma/adapter-pg'
import { describe, expect, it } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import { isRowcastError } from '../../src/errors.ts'
import { silentLogger } from '../../src/logger.ts'
import { createService } from '../../src/service.ts'
import { openDatabase } from '../support/database.ts'
import { slotOf, takeChanges } from '../support/live-rowcast.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { changesKey, openRole, type ScaledRowcast, startRole } from '../support/scaled-rowcast.ts'
import { failureOf, insertTag, takeNames, until } from '../support/tags.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

const isActive = ({ rowcast }: ScaledRowcast) => rowcast.status().broker?.isActive === true

describe.skipIf(NO_REDIS !== null)('taps', () => {
  it('stand by for the one that reads the slot, and take over when it ends or loses PostgreSQL', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using first = await openRole(database, 'tap', { redisUrl: redis.url })
    await using second = startRole(database, 'tap', { redisUrl: redis.url })
    await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
    await until(() => second.rowcast.status().state === 'standby')
    expect(first.rowcast.status().broker?.isActive).toBe(true)
    expect(second.rowcast.status()).toMatchObject({ isReady: true, broker: { isActive: false } })
    const live = gateway.rowcast.subscribe('Tag')
    const epoch = first.rowcast.status().broker?.epoch
    const names = Array.from({ length: 40 }, (_, index) => `tag ${index}`)
    for (const [index, name] of names.entries()) {
      await insertTag(database, name)
      if (index % 10 !== 5) continue
      // Whoever reads the slot loses its connection in the middle of it all.
      await database.query(
        'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1',
        [slotOf(database)],
      )
    }
    expect(await takeNames(live, names.length)).toEqual(names)
    const [active, standby] = isActive(first) ? [first, second] : [second, first]
    await until(() => isActive(active) && standby.rowcast.status().state === 'standby')
    await active.rowcast.stop()
    await until(() => isActive(standby))
    await insertTag(database, 'after')
    expect(await takeNames(live, 1)).toEqual(['after'])
    expect(standby.rowcast.status().broker?.epoch).toBe(epoch)
  })

  it('goes on in the middle of a transaction that another one has begun to write', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using one = startRole(database, 'tap', { redisUrl: redis.url })
    await using two = startRole(database, 'tap', { redisUrl: redis.url })
    await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
    const live = gateway.rowcast.subscribe('Tag')
    await until(() => [one, two].some(isActive))
    await database.query(
      `INSERT INTO "Tag" (name) SELECT 'tag ' || n FROM generate_series(1, 30000) AS n ORDER BY n`,
    )
    const key = changesKey(database, gateway)
    await until(async () => Number(await redis.command('XLEN', key)) > 3)
    await database.query(
      'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1',
      [slotOf(database)],
    )
    const changes = await takeChanges(live, 30_000)
    expect(changes.map(({ index }) => index)).toEqual(Array.from({ length: 30_000 }, (_, index) => index))
  })

  it('begin a new epoch for a slot that was recreated: every subscriber is notified', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using gateway = startRole(database, 'gateway', { redisUrl: redis.url })
    {
      await using tap = await openRole(database, 'tap', { redisUrl: redis.url })
      await gateway.rowcast.ready()
      expect(tap.rowcast.status().broker?.epoch).toBe(gateway.rowcast.status().broker?.epoch)
    }
    const epoch = gateway.rowcast.status().broker?.epoch
    const live = gateway.rowcast.subscribe('Tag')
    const cursor = await gateway.rowcast.changeCursor()
    await database.query('SELECT pg_drop_replication_slot($1)', [slotOf(database)])
    await insertTag(database, 'nobody saw')
    await using _tap = await openRole(database, 'tap', { redisUrl: redis.url })
    const reported = await failureOf(live.next())
    expect(isRowcastError(reported, 'RESYNC_REQUIRED') && reported.details['reason']).toBe('slot-recreated')
    expect(gateway.rowcast.status().broker?.epoch).not.toBe(epoch)
    const late = gateway.rowcast.subscribe('Tag', { after: cursor })
    expect(isRowcastError(await failureOf(late.next()), 'RESYNC_REQUIRED')).toBe(true)
  })

  it('notify gateways of a slot that is dropped while they read it', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using tap = await openRole(database, 'tap', { redisUrl: redis.url })
    await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
    const live = gateway.rowcast.subscribe('Tag')
    await database.query(
      `SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = $1`,
      [slotOf(database)],
    )
    await until(() =>
      database.query('SELECT pg_drop_replication_slot($1)', [slotOf(database)]).then(
        () => true,
        async () => {
          await database.query(
            `SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = $1`,
            [slotOf(database)],
          )
          return false
        },
      ),
    )
    const error = await failureOf(live.next())
    expect(isRowcastError(error, 'RESYNC_REQUIRED')).toBe(true)
    await until(() => isActive(tap))
    const again = gateway.rowcast.subscribe('Tag')
    await gateway.rowcast.ready()
    await insertTag(database, 'seen again')
    expect(await takeNames(again, 1)).toEqual(['seen again'])
  })

  it('that stand by leave a gap that they have seen to the one that reads the slot: nobody is notified twice', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using proxy = await openTcpProxy(database.target.port)
    const url = new URL(database.url)
    url.port = String(proxy.port)
    const common = { redisUrl: redis.url, enableOnStart: false, watchIntervalMs: 200 }
    await using first = startRole({ ...database, url: url.href }, 'tap', common)
    await first.rowcast.enable()
    await first.rowcast.ready()
    await using second = startRole(database, 'tap', common)
    await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
    await until(() => second.rowcast.status().state === 'standby')
    // The first one loses its connection, and the other reads the slot.
    proxy.refuse(true)
    proxy.cut()
    await until(() => isActive(second))
    await database.query('DROP PUBLICATION rowcast')
    const lastCode = ({ rowcast }: ScaledRowcast) => rowcast.status().lastError?.code
    await until(() => lastCode(second) === 'SOURCE_PUBLICATION_MISSING')
    proxy.refuse(false)
    await until(() => lastCode(first) === 'SOURCE_PUBLICATION_MISSING')
    proxy.refuse(true)
    proxy.cut()
    await second.rowcast.enable()
    await until(() => isActive(second))
    proxy.refuse(false)
    await until(() => first.rowcast.status().state === 'standby')
    await gateway.rowcast.ready()
    const epoch = second.rowcast.status().broker?.epoch
    const live = gateway.rowcast.subscribe('Tag')
    await insertTag(database, 'before')
    expect(await takeNames(live, 1)).toEqual(['before'])
    await second.rowcast.stop()
    await until(() => isActive(first))
    await insertTag(database, 'after')
    expect(await takeNames(live, 1)).toEqual(['after'])
    expect(first.rowcast.status().broker?.epoch).toBe(epoch)
  })
})

describe.skipIf(NO_REDIS !== null)('a role', () => {
  it('does its own work only: a gateway needs no right to replicate, a tap serves nobody', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using tap = await openRole(database, 'tap', { redisUrl: redis.url })
    await database.query(`CREATE ROLE reader_${database.name} LOGIN PASSWORD 'secret' NOREPLICATION`)
    try {
      await database.query(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader_${database.name}`)
      const url = new URL(database.url)
      url.username = `reader_${database.name}`
      url.password = 'secret'
      await using gateway = await openRole({ ...database, url: url.href }, 'gateway', { redisUrl: redis.url })
      const live = gateway.rowcast.subscribe('Tag')
      await insertTag(database, 'one')
      expect(await takeNames(live, 1)).toEqual(['one'])
      const walsenders = await database.query(
        `SELECT usename FROM pg_stat_activity WHERE backend_type = 'walsender' AND datname = $1`,
        [database.name],
      )
      expect(walsenders).toHaveLength(1)
      expect(isRowcastError(await failureOf(gateway.rowcast.enable()), 'BROKER_WRONG_ROLE')).toBe(true)
    } finally {
      await database.query(`DROP OWNED BY reader_${database.name}; DROP ROLE reader_${database.name}`)
    }
    expect(() => tap.rowcast.subscribe('Tag')).toThrow('BROKER_WRONG_ROLE')
  })

  it('shows in health, and the service of a tap answers nothing else', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    const createPrisma = (connectionString: string) =>
      new PrismaClient({ adapter: new PrismaPg({ connectionString }) })
    const file = { catalog, createPrisma, port: 0, public: true, slot: slotOf(database), livePage: false }
    const env = { DATABASE_URL: database.url, REDIS_URL: redis.url }
    const services = await Promise.all(
      (['tap', 'gateway'] as const).map((role) =>
        createService(resolveConfig(file, env, { role }), { logger: silentLogger }),
      ),
    )
    try {
      const [tapUrl, gatewayUrl] = await Promise.all(services.map(async (each) => (await each.start()).url))
      await Promise.all(services.map((each) => each.rowcast.ready()))
      const health = async (url: string | undefined) => (await fetch(`${url}/health/ready`)).json()
      expect(await health(tapUrl)).toMatchObject({
        ...{ status: 'ready', role: 'tap', isActiveTap: true, replication: 'streaming' },
      })
      // Changes flow; its Prisma Client may still be loading.
      await expect
        .poll(() => health(gatewayUrl))
        .toMatchObject({ status: 'ready', role: 'gateway', isBrokerConnected: true })
      expect((await fetch(`${tapUrl}/health/live`)).status).toBe(200)
      expect((await fetch(`${tapUrl}/graphql`, { method: 'POST' })).status).toBe(404)
      const query = {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"query":"{changeCursor}"}',
      }
      const answer = (await (await fetch(`${gatewayUrl}/graphql`, query)).json()) as {
        data: { changeCursor: string }
      }
      expect(answer.data.changeCursor).toMatch(/^01[0-9a-f]{48}$/)
    } finally {
      for (const service of services) await service.stop()
    }
  })
})
