/** Others in our Redis: entries nobody of ours wrote, another cluster's stream, a server that was taken over from, small rights. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Epoch, formatEpoch } from '../../src/broker/epoch.ts'
import { INDEX_AFTER_ALL } from '../../src/changes/cursor.ts'
import { isRowcastError } from '../../src/errors.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf, takeChanges } from '../support/live-rowcast.ts'
import { NO_REDIS, openRedis, type TestRedis } from '../support/redis.ts'
import { changesKey, openRole, type ScaledRowcast, startRole } from '../support/scaled-rowcast.ts'
import { insertTag, takeNames, until } from '../support/tags.ts'

/** Why a subscription has ended with RESYNC_REQUIRED. */
async function resyncReason(next: Promise<unknown>): Promise<unknown> {
  const error = await next.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  return isRowcastError(error, 'RESYNC_REQUIRED') ? error.details['reason'] : error
}

const epochsOf = (prefix: string, database: TestDatabase) => `${prefix}:{${slotOf(database)}}:epochs`

function epochOf({ rowcast }: ScaledRowcast, details: Partial<Epoch>): Epoch {
  const { systemId = '', timeline = 0 } = rowcast.status().system ?? {}
  return {
    ...{ id: 'stranger', systemId, timeline, kind: 'refilled', serverLsn: toLsn(1_000n), isOpen: true },
    ...{ floor: { lsn: toLsn(1n), sequence: INDEX_AFTER_ALL }, previous: null, reason: null },
    ...details,
  }
}

/** An entry right behind the last one, with the field and the bytes given. */
async function addBehindLast(
  redis: TestRedis,
  key: string,
  field: string,
  value: string | Buffer,
): Promise<string> {
  const [[last]] = (await redis.command('XREVRANGE', key, '+', '-', 'COUNT', '1')) as [[Buffer]]
  const [lsn, sequence] = String(last).split('-')
  return String(await redis.command('XADD', key, `${lsn}-${Number(sequence) + 1}`, field, value))
}

describe.skipIf(NO_REDIS !== null)('in a Redis with others', () => {
  it.each([
    [
      'a program that adds to the stream by the clock',
      (redis: TestRedis, key: string) => redis.command('XADD', key, '*', 'garbage', 'x'),
    ],
    [
      'an entry that was damaged',
      (redis: TestRedis, key: string) => addBehindLast(redis, key, 'b', 'x'.repeat(80)),
    ],
    ['an entry without bytes', (redis: TestRedis, key: string) => addBehindLast(redis, key, 'b', '')],
    [
      'a copy of the last entry',
      async (redis: TestRedis, key: string) => {
        const [[, [, bytes]]] = (await redis.command('XREVRANGE', key, '+', '-', 'COUNT', '1')) as [
          [Buffer, [Buffer, Buffer]],
        ]
        return addBehindLast(redis, key, 'b', bytes)
      },
    ],
    [
      'a second floor, as if all up to it were written',
      (redis: TestRedis, key: string) => redis.command('XADD', key, '*', 'floor', ''),
    ],
  ])('%s is noticed by all who read it, and costs no change', async (_, add) => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using tap = await openRole(database, 'tap', { redisUrl: redis.url })
    await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
    const live = gateway.rowcast.subscribe('Tag')
    const first = await insertTag(database)
    const [seen] = await takeChanges(live, 1)
    expect(seen?.new?.name).toBe(first)
    const key = changesKey(database, tap)
    const id = String(await add(redis, key))
    expect(await resyncReason(live.next())).toBe('broker-unreadable')
    // Whoever comes now, and whoever reads from Redis alone, goes on behind it.
    const again = gateway.rowcast.subscribe('Tag', { after: await gateway.rowcast.changeCursor() })
    const names = [await insertTag(database), await insertTag(database)]
    expect(await takeNames(again, 2)).toEqual(names)
    // Gone from the stream it still stands in the way of smaller ids: nothing counts as written that is not there.
    await redis.command('XDEL', key, id)
    names.push(await insertTag(database))
    expect(await takeNames(again, 1)).toEqual(names.slice(2))
    await using later = await openRole(database, 'gateway', { redisUrl: redis.url })
    const late = later.rowcast.subscribe('Tag')
    names.push(await insertTag(database))
    expect(await takeNames(late, 1)).toEqual(names.slice(3))
    expect(await takeNames(again, 1)).toEqual(names.slice(3))
  })

  it('an entry that comes and goes unread is no reason to lose what follows', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    const logs: string[] = []
    const note = (message: string) => void logs.push(message)
    const logger = { debug: note, info: note, warn: note, error: note }
    await using tap = await openRole(database, 'tap', { redisUrl: redis.url, logger })
    const key = changesKey(database, tap)
    const id = String(await redis.command('XADD', key, '*', 'garbage', 'x'))
    await redis.command('XDEL', key, id)
    await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
    const live = gateway.rowcast.subscribe('Tag')
    const names = [await insertTag(database), await insertTag(database)]
    expect(await takeNames(live, 2)).toEqual(names)
    expect(changesKey(database, tap)).not.toBe(key)
    expect(logs.filter((line) => line.includes('BROKER_STREAM_CONTESTED'))).toHaveLength(1)
  })

  it('each cluster has keys of its own, and with a common prefix none reads another’s stream', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    {
      await using tap = await openRole(database, 'tap', { redisUrl: redis.url })
      const { systemId } = tap.rowcast.status().system ?? {}
      const keys = String(await redis.command('KEYS', '*:epochs'))
      expect(keys).toBe(epochsOf(`rowcast:${systemId}`, database))
    }
    const broker = { url: redis.url, prefix: 'shared' }
    const options = { redisUrl: redis.url, broker }
    const key = epochsOf(broker.prefix, database)
    await using gateway = startRole(database, 'gateway', options)
    await until(() => gateway.rowcast.status().lastError?.code === 'BROKER_NO_TAP')
    const foreign = epochOf(gateway, { systemId: '1', timeline: 1 })
    await redis.command('XADD', key, '*', 'e', formatEpoch(foreign, key))
    await until(() => gateway.rowcast.status().lastError?.code === 'BROKER_OTHER_DATABASE')
    expect(gateway.rowcast.status()).toMatchObject({ isReady: false, broker: { epoch: null } })
    // The tap of this cluster begins a stream of its own beside it.
    await using tap = await openRole(database, 'tap', options)
    await gateway.rowcast.ready()
    const live = gateway.rowcast.subscribe('Tag')
    await redis.command('XADD', key, '*', 'e', formatEpoch({ ...foreign, id: 'again' }, key))
    const name = await insertTag(database)
    expect(await takeNames(live, 1)).toEqual([name])
    expect(tap.rowcast.status().broker?.epoch).toBe(gateway.rowcast.status().broker?.epoch)
  })

  it('a tap of a server that was taken over from stands back, and begins nothing', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using tap = await openRole(database, 'tap', { redisUrl: redis.url })
    const { systemId, timeline = 0 } = tap.rowcast.status().system ?? {}
    const key = epochsOf(`rowcast:${systemId}`, database)
    await redis.command('XADD', key, '*', 'e', formatEpoch(epochOf(tap, { timeline: timeline + 1 }), key))
    await until(() => tap.rowcast.status().lastError?.code === 'BROKER_OLD_TIMELINE')
    expect(tap.rowcast.status()).toMatchObject({ isReady: false, broker: { isActive: false } })
    await using standby = startRole(database, 'tap', { redisUrl: redis.url })
    await until(() => standby.rowcast.status().lastError?.code === 'BROKER_OLD_TIMELINE')
    expect(await redis.command('XLEN', key)).toBe(2)
  })

  it('a newer rowcast’s epoch is not taken for nothing', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using tap = await openRole(database, 'tap', { redisUrl: redis.url })
    await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
    const { systemId } = tap.rowcast.status().system ?? {}
    const key = epochsOf(`rowcast:${systemId}`, database)
    const newer = formatEpoch(epochOf(tap, {}), key).replace(/^\d+/, '99')
    await redis.command('XADD', key, '*', 'e', newer)
    await until(() => gateway.rowcast.status().lastError?.code === 'BROKER_ENTRY_UNREADABLE')
    expect(gateway.rowcast.status().isReady).toBe(false)
  })

  it('the rights that docs/scaling.md gives taps and gateways are enough, and gateways write nothing', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    for (const rule of aclRules()) expect(String(await redis.command('ACL', 'SETUSER', ...rule))).toBe('OK')
    const as = (user: string) => redis.url.replace('redis://', `redis://${user}:secret@`)
    {
      await using _first = await openRole(database, 'tap', { redisUrl: as('rowcast-tap') })
    }
    // One that finds the stream as another one left it.
    await using tap = await openRole(database, 'tap', { redisUrl: as('rowcast-tap') })
    await using gateway = await openRole(database, 'gateway', { redisUrl: as('rowcast-gateway') })
    const ticks = () => redis.command('INFO', 'commandstats').then((stats) => String(stats))
    await until(
      async () =>
        (await ticks()).includes('cmdstat_strlen:') && (await ticks()).includes('cmdstat_memory|usage:'),
    )
    expect(tap.rowcast.status().lastError).toBeNull()
    const live = gateway.rowcast.subscribe('Tag')
    const [first, second] = [await insertTag(database), await insertTag(database)]
    const [seen] = await takeChanges(live, 1)
    expect(seen?.new?.name).toBe(first)
    const older = gateway.rowcast.subscribe('Tag', { after: seen?.cursor })
    expect(await takeNames(older, 1)).toEqual([second])
    await using wrong = startRole(database, 'tap', { redisUrl: as('rowcast-gateway') })
    await until(() => wrong.rowcast.status().lastError?.code === 'BROKER_REFUSED')
    const log = String(await redis.command('ACL', 'LOG'))
    expect(log).not.toContain('username,rowcast-tap')
  })
})

/** The commands of the page, as arguments of ACL SETUSER. */
function aclRules(): readonly (readonly string[])[] {
  const page = readFileSync(join(import.meta.dirname, '../../docs/scaling.md'), 'utf8')
  const lines = page.split('\n').flatMap((line) => /^ +(ACL SETUSER .*)/.exec(line)?.[1] ?? [])
  expect(lines).toHaveLength(2)
  return lines.map((line) => line.replace(/>\S+/, '>secret').split(' ').slice(2))
}
