/** Redis away, empty, behind, full, slow: nothing is lost that slot or stream still hold, and whoever lost is reported. */
import { describe, expect, it } from 'vitest'
import { isRowcastError } from '../../src/errors.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf, takeChanges } from '../support/live-rowcast.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { changesKey, openRole, type ScaledRowcast, startRole } from '../support/scaled-rowcast.ts'
import { insertTag, insertTags, takeNames, until } from '../support/tags.ts'

import { openTcpProxy } from '../support/tcp-proxy.ts'

/** What PostgreSQL may forget of the tap's slot. */
async function confirmedLsn(database: TestDatabase): Promise<bigint> {
  const [row] = await database.query<{ lsn: string }>(
    `SELECT (confirmed_flush_lsn - '0/0')::text AS lsn FROM pg_replication_slots WHERE slot_name = $1`,
    [slotOf(database)],
  )
  return BigInt(row?.lsn ?? '0')
}

/**
 * Resolves when PostgreSQL may forget what is up to there. The slot stays at the last barrier, which a look renews when
 * 256 KiB of WAL have passed: so much is written.
 */
async function confirmedPast(database: TestDatabase, lsn: bigint): Promise<void> {
  await database.query(`SELECT pg_logical_emit_message(false, 'test', repeat('x', 300000))`)
  await until(async () => (await confirmedLsn(database)) > lsn)
}

const OFTEN = { watchIntervalMs: 100 }

/** A logger and what it was given. */
function collectLogs() {
  const logs: string[] = []
  const note = (message: string, fields: object = {}) =>
    void logs.push(`${message} ${JSON.stringify(fields)}`)
  return { logs, logger: { debug: note, info: note, warn: note, error: note } }
}

const errorOf = ({ rowcast }: ScaledRowcast) => rowcast.status().lastError?.code
const failureOf = (next: Promise<unknown>) =>
  next.then(
    () => null,
    (error: unknown) => error,
  )

describe.skipIf(NO_REDIS !== null)('Redis', () => {
  it('that is down at the start is waited for, by taps and gateways alike', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await redis.kill()
    await using tap = startRole(database, 'tap', { redisUrl: redis.url })
    await using gateway = startRole(database, 'gateway', { redisUrl: redis.url })
    await until(() => errorOf(tap) === 'BROKER_UNREACHABLE' && errorOf(gateway) === 'BROKER_UNREACHABLE')
    expect(gateway.rowcast.status()).toMatchObject({ isReady: false, broker: { isConnected: false } })
    await redis.start()
    await gateway.rowcast.ready()
    const live = gateway.rowcast.subscribe('Tag')
    const names = await insertTags(database, 3)
    expect(await takeNames(live, 3)).toEqual(names)
  })

  it.each([
    ['what the slot retains', undefined],
    ['nothing, as the slot retains nothing, and nothing was on its way,', { bytes: 0, minutes: 0 }],
  ])('that comes back empty is given %s, and no subscriber notices', async (_, retain) => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using tap = await openRole(database, 'tap', { redisUrl: redis.url, retain, ...OFTEN })
    await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
    const live = gateway.rowcast.subscribe('Tag')
    const names = await insertTags(database, 3)
    const seen = await takeChanges(live, 3)
    const lastLsn = seen[2]?.transaction.commitLsn ?? 0n
    if (retain !== undefined) await confirmedPast(database, lastLsn)
    const epoch = tap.rowcast.status().broker?.epoch
    await redis.kill()
    names.push(...(await insertTags(database, 3)))
    await redis.start()
    expect(await takeNames(live, 3)).toEqual(names.slice(3))
    expect(tap.rowcast.status().broker?.epoch).not.toBe(epoch)
    // A cursor from before is good as long as somebody has what follows it.
    const after = seen[1]?.cursor
    expect(await takeNames(gateway.rowcast.subscribe('Tag', { after }), 4)).toEqual(names.slice(2))
  })

  it('that comes back empty costs exactly those who had not read what is gone', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using link = await openTcpProxy(redis.port)
    const retain = { bytes: 0, minutes: 0 }
    await using tap = await openRole(database, 'tap', { redisUrl: redis.url, retain, ...OFTEN })
    await using current = await openRole(database, 'gateway', { redisUrl: redis.url })
    await using behind = await openRole(database, 'gateway', { redisUrl: `redis://127.0.0.1:${link.port}` })
    const [live, late] = [current.rowcast.subscribe('Tag'), behind.rowcast.subscribe('Tag')]
    const names = await insertTags(database, 1)
    expect(await takeNames(late, 1)).toEqual(names)
    link.refuse(true)
    link.cut()
    names.push(...(await insertTags(database, 2)))
    const seen = await takeChanges(live, 3)
    const lastLsn = seen[2]?.transaction.commitLsn ?? 0n
    await confirmedPast(database, lastLsn)
    await redis.kill()
    await redis.start()
    await until(() => tap.rowcast.status().broker?.isActive === true)
    link.refuse(false)
    const error = await failureOf(late.next())
    expect(isRowcastError(error, 'RESYNC_REQUIRED') && error.details['reason']).toBe('broker-lost')
    const again = behind.rowcast.subscribe('Tag')
    await behind.rowcast.ready()
    const next = await insertTag(database)
    expect(await takeNames(live, 1)).toEqual([next])
    expect(await takeNames(again, 1)).toEqual([next])
  })

  it('that fails over to a replica without the newest entries is given them again from the slot', async () => {
    await using database = await openDatabase({ migrate: true })
    await using primary = await openRedis()
    await using replica = await openRedis()
    await using link = await openTcpProxy(primary.port)
    const redisUrl = `redis://127.0.0.1:${link.port}`
    await using tap = await openRole(database, 'tap', { redisUrl })
    await using ahead = await openRole(database, 'gateway', { redisUrl })
    const live = ahead.rowcast.subscribe('Tag')
    const names = await insertTags(database, 2)
    const seen = await takeChanges(live, 2)
    await replica.command('REPLICAOF', '127.0.0.1', String(primary.port))
    await until(async () =>
      String(await replica.command('INFO', 'replication')).includes('master_link_status:up'),
    )
    await replica.command('REPLICAOF', 'NO', 'ONE')
    names.push(...(await insertTags(database, 3)))
    expect(await takeNames(live, 3)).toEqual(names.slice(2))
    const epoch = tap.rowcast.status().broker?.epoch
    link.retarget(replica.port)
    link.cut()
    names.push(...(await insertTags(database, 2)))
    expect(await takeNames(live, 2)).toEqual(names.slice(5))
    expect(tap.rowcast.status().broker?.epoch).toBe(epoch)
    // Whoever comes now finds all of it there, once.
    await using later = await openRole(database, 'gateway', { redisUrl })
    const after = seen[0]?.cursor
    expect(await takeNames(later.rowcast.subscribe('Tag', { after }), 6)).toEqual(names.slice(1))
  })

  it('that is full is waited for: PostgreSQL keeps the changes, and all of them come', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using tap = await openRole(database, 'tap', { redisUrl: redis.url })
    await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
    const live = gateway.rowcast.subscribe('Tag')
    await redis.command('CONFIG', 'SET', 'maxmemory', '100kb')
    const names = await insertTags(database, 5)
    await until(() => errorOf(tap) === 'BROKER_OUT_OF_MEMORY')
    await redis.command('CONFIG', 'SET', 'maxmemory', '0')
    expect(await takeNames(live, 5)).toEqual(names)
  })

  it('that stalls makes the tap stop reading: the connection to PostgreSQL stays, and nothing is confirmed', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using _tap = await openRole(database, 'tap', {
      redisUrl: redis.url,
      retain: { bytes: 0, minutes: 0 },
    })
    await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
    const live = gateway.rowcast.subscribe('Tag')
    const slot = async () => {
      const [row] = await database.query<{ pid: number; lsn: string }>(
        'SELECT active_pid AS pid, confirmed_flush_lsn::text AS lsn FROM pg_replication_slots WHERE slot_name = $1',
        [slotOf(database)],
      )
      return row
    }
    const pid = (await slot())?.pid
    redis.signal('SIGSTOP')
    // Far more than may wait: 60 MB.
    for (let batch = 0; batch < 200; batch += 1) {
      await database.query(
        `SELECT pg_logical_emit_message(true, 'load', repeat(md5(n::text), 470)) FROM generate_series(1, 20) AS n`,
      )
    }
    const before = await slot()
    const name = await insertTag(database)
    await until(async () => {
      const [row] = await database.query<{ isWaiting: boolean }>(
        `SELECT pg_current_wal_lsn() - sent_lsn > 1000000 AS "isWaiting" FROM pg_stat_replication WHERE pid = $1`,
        [pid],
      )
      return row?.isWaiting === true
    })
    expect(await slot()).toEqual(before)
    redis.signal('SIGCONT')
    expect(await takeNames(live, 1)).toEqual([name])
    expect((await slot())?.pid).toBe(pid)
  })

  it('that is flushed while everybody is connected is filled again', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using tap = await openRole(database, 'tap', { redisUrl: redis.url })
    await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
    const live = gateway.rowcast.subscribe('Tag')
    const names = await insertTags(database, 2)
    const { logs, logger } = collectLogs()
    await using second = await openRole(database, 'gateway', { redisUrl: redis.url, logger })
    await redis.command('FLUSHALL')
    names.push(...(await insertTags(database, 3)))
    expect(await takeNames(live, 5)).toEqual(names)
    await until(() => tap.rowcast.status().broker?.isActive === true)
    const late = second.rowcast.subscribe('Tag', { after: 'earliest' })
    expect(await takeNames(late, 5)).toEqual(names)
    expect(logs.filter((line) => line.includes('RESYNC_REQUIRED'))).toEqual([])
  })

  it('without a tap keeps a gateway from being ready, and the gateway says what is missing', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using gateway = startRole(database, 'gateway', { redisUrl: redis.url })
    await until(() => gateway.rowcast.status().broker?.isConnected === true)
    expect(gateway.rowcast.status()).toMatchObject({ isReady: false, lastError: { code: 'BROKER_NO_TAP' } })
  })

  it('that evicts is warned of', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis({ settings: ['--maxmemory-policy', 'allkeys-lru'] })
    const { logs, logger } = collectLogs()
    await using _tap = await openRole(database, 'tap', { redisUrl: redis.url, logger })
    expect(logs.filter((line) => line.includes('allkeys-lru'))).toHaveLength(1)
  })

  it('that loses the stream alone is distinguished from one that lost everything', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    const { logs, logger } = collectLogs()
    await using tap = await openRole(database, 'tap', { redisUrl: redis.url, logger })
    await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
    const live = gateway.rowcast.subscribe('Tag')
    await redis.command('DEL', changesKey(database, tap))
    const names = await insertTags(database, 3)
    expect(await takeNames(live, 3)).toEqual(names)
    expect(logs.some((line) => line.includes('BROKER_STREAM_LOST'))).toBe(true)
  })

  it('must say that replicas have a change, where that is asked for, before PostgreSQL may forget it', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using replica = await openRedis()
    await using tap = startRole(database, 'tap', {
      redisUrl: redis.url,
      retain: { bytes: 0, minutes: 0 },
      broker: { url: redis.url, replicas: 1 },
      ...OFTEN,
    })
    await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
    const live = gateway.rowcast.subscribe('Tag')
    const name = await insertTag(database)
    // Delivered, and not confirmed: there is no replica.
    const [change] = await takeChanges(live, 1)
    expect(change?.new?.name).toBe(name)
    const commitLsn = change?.transaction.commitLsn ?? 0n
    // Writing does not wait with what waits for the replica: one look at the replicas sees many transactions pass.
    const rounds = 60
    for (let round = 0; round < rounds; round += 1)
      expect([await insertTag(database)]).toEqual(await takeNames(live, 1))
    const stats = String(await redis.command('INFO', 'commandstats'))
    expect(Number(/cmdstat_wait:calls=(\d+)/.exec(stats)?.[1])).toBeLessThan(rounds)
    await until(() => tap.rowcast.status().lastError?.code === 'BROKER_REPLICAS_MISSING')
    expect(tap.rowcast.status()).toMatchObject({
      ...{ isReady: true, isCatchingUp: false },
      broker: { replicas: { wanted: 1, reached: 0 } },
    })
    expect((await confirmedLsn(database)) <= commitLsn).toBe(true)
    // Nor where the stream begins again behind what Redis alone has, and has read a barrier there.
    await database.query(
      'SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = $1',
      [slotOf(database)],
    )
    await until(() => tap.rowcast.status().streamsStarted > 1)
    await database.query(`SELECT pg_logical_emit_message(false, 'test', repeat('x', 300000))`)
    const reports = new Set<string>()
    await until(async () => {
      const [walsender] = await database.query<{ at: string | null }>(
        `SELECT reply_time::text AS at FROM pg_stat_replication JOIN pg_replication_slots ON pid = active_pid WHERE slot_name = $1`,
        [slotOf(database)],
      )
      if (walsender?.at != null) reports.add(walsender.at)
      return reports.size > 4
    })
    expect([await insertTag(database)]).toEqual(await takeNames(live, 1))
    expect((await confirmedLsn(database)) <= commitLsn).toBe(true)
    await replica.command('REPLICAOF', '127.0.0.1', String(redis.port))
    await confirmedPast(database, commitLsn)
    expect(tap.rowcast.status()).toMatchObject({
      lastError: null,
      broker: { replicas: { wanted: 1, reached: 1, behindMs: 0 } },
    })
    // A gateway only reads: a replica will do.
    await using reader = await openRole(database, 'gateway', { redisUrl: replica.url })
    const read = reader.rowcast.subscribe('Tag')
    const next = await insertTag(database)
    expect(await takeNames(read, 1)).toEqual([next])
  })
})
