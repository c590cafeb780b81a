/** Cursors with a broker: the same on every gateway, in one process alone, and deeper than a gateway's memory. */
import { describe, expect, it } from 'vitest'
import { isRowcastError } from '../../src/errors.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openLiveRowcast, slotOf, takeChanges } from '../support/live-rowcast.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { changesKey, openRole } from '../support/scaled-rowcast.ts'

async function insertTags(database: TestDatabase, from: number, to: number): Promise<void> {
  for (let index = from; index <= to; index += 1) {
    await database.query('INSERT INTO "Tag" (name) VALUES ($1)', [`tag ${index}`])
  }
}

const names = (changes: readonly { new: { name: string } | null }[]) => changes.map((each) => each.new?.name)
const named = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => `tag ${from + index}`)

describe.skipIf(NO_REDIS !== null)('a cursor', () => {
  it('of one gateway goes on at another, and at a process alone', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using one = await openRole(database, 'all', { redisUrl: redis.url })
    await using two = await openRole(database, 'gateway', { redisUrl: redis.url })
    await using alone = await openLiveRowcast(database, {
      slot: `${slotOf(database)}_b`,
      publication: 'other',
      models: ['Tag'],
    })
    const live = one.rowcast.subscribe('Tag')
    await insertTags(database, 1, 5)
    const seen = await takeChanges(live, 5)
    const after = seen[1]?.cursor
    for (const { rowcast } of [one, two, alone]) {
      expect(names(await takeChanges(rowcast.subscribe('Tag', { after }), 3))).toEqual(named(3, 5))
    }
    expect(names(await takeChanges(two.rowcast.subscribe('Tag', { after: 'earliest' }), 5))).toEqual(
      named(1, 5),
    )
  })

  it('older than what a gateway has in memory is served from Redis, with no gap and no repetition at the seam', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using _tap = await openRole(database, 'tap', { redisUrl: redis.url })
    // A memory of a few changes.
    await using gateway = await openRole(database, 'gateway', {
      redisUrl: redis.url,
      retain: { bytes: 2_000, minutes: 10 },
    })
    const live = gateway.rowcast.subscribe('Tag')
    await insertTags(database, 1, 30)
    await database.query(
      `INSERT INTO "Tag" (name) SELECT 'tag ' || n FROM generate_series(31, 2030) AS n ORDER BY n`,
    )
    const [first] = await takeChanges(live, 2_030)
    const replayed = gateway.rowcast.subscribe('Tag', { after: first?.cursor })
    const changes = await takeChanges(replayed, 1_000)
    await insertTags(database, 2_031, 2_040)
    changes.push(...(await takeChanges(replayed, 1_039)))
    expect(names(changes)).toEqual(named(2, 2_040))
    const places = changes.map(({ transaction, index }) => `${transaction.commitLsn}-${index}`)
    expect(new Set(places).size).toBe(places.length)
    const earliest = await takeChanges(gateway.rowcast.subscribe('Tag', { after: 'earliest' }), 2_040)
    expect(names(earliest)).toEqual(named(1, 2_040))
  })

  it('of what only Redis has ends, while Redis is away for longer than it is waited for, with a code to come again by', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis({ isDurable: true })
    await using tap = await openRole(database, 'tap', { redisUrl: redis.url })
    await using gateway = await openRole(database, 'gateway', {
      ...{ redisUrl: redis.url, retain: { bytes: 2_000, minutes: 10 }, answerTimeoutMs: 1_000 },
    })
    const live = gateway.rowcast.subscribe('Tag')
    await insertTags(database, 1, 30)
    const [first] = await takeChanges(live, 30)
    await redis.kill()
    await expect(gateway.rowcast.subscribe('Tag', { after: first?.cursor }).next()).rejects.toMatchObject({
      ...{ code: 'MODEL_UNAVAILABLE', isPublic: true },
      details: { retryAfterMs: expect.any(Number), cursor: first?.cursor },
    })
    await redis.start()
    await expect.poll(() => tap.rowcast.status().isReady, { timeout: 30_000 }).toBe(true)
    await insertTags(database, 31, 31)
    const again = gateway.rowcast.subscribe('Tag', { after: first?.cursor })
    expect(names(await takeChanges(again, 30))).toEqual(named(2, 31))
  })

  it('however many come at once, and whether they can be or not, cost Redis a few reads', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using _tap = await openRole(database, 'tap', { redisUrl: redis.url })
    await using gateway = await openRole(database, 'gateway', {
      redisUrl: redis.url,
      retain: { bytes: 2_000, minutes: 10 },
    })
    const live = gateway.rowcast.subscribe('Tag')
    await insertTags(database, 1, 200)
    const changes = await takeChanges(live, 200)
    const cursors = changes.map(({ cursor }) => cursor)
    // Positions that no change has: in between, and some or far too far ahead.
    const forge = (cursor: string, more: bigint): string => {
      const lsn = BigInt(`0x${cursor.slice(26, 42)}`) + more
      return `${cursor.slice(0, 26)}${lsn.toString(16).padStart(16, '0')}${cursor.slice(42)}`
    }
    const between = cursors.map((cursor) => forge(cursor, 1n))
    const ahead = cursors.map((cursor, n) => forge(cursor, 10_000_000n + BigInt(n)))
    const beyond = cursors.map((cursor) => forge(cursor, 1n << 50n))
    const calls = async (): Promise<number> => {
      const stats = String(await redis.command('INFO', 'commandstats'))
      const counts = [...stats.matchAll(/cmdstat_(?:xrange|xrevrange):calls=(\d+)/g)]
      return counts.reduce((sum, [, count]) => sum + Number(count), 0)
    }
    const before = await calls()
    const waiting = ahead.map((after) => gateway.rowcast.subscribe('Tag', { after }))
    for (const each of waiting) each.next().catch(() => undefined)
    const beyondEnds = beyond.map((after) =>
      gateway.rowcast
        .subscribe('Tag', { after })
        .next()
        .catch((error: unknown) => isRowcastError(error, 'RESYNC_REQUIRED')),
    )
    const replays = [...cursors, ...between].map((after, n) => ({
      subscription: gateway.rowcast.subscribe('Tag', { after }),
      first: (n % cursors.length) + 2,
    }))
    await Promise.all(
      replays.map(async ({ subscription, first }) => {
        const got = await takeChanges(subscription, 201 - first)
        expect(names(got)).toEqual(named(first, 200))
        await subscription.return?.()
      }),
    )
    expect(new Set(await Promise.all(beyondEnds))).toEqual(new Set([true]))
    for (const each of waiting) await each.return?.()
    // 200 entries in steps of eight, a few times; and a look now and then for those that are ahead, together.
    expect((await calls()) - before).toBeLessThan(400)
  })

  it('that Redis has dropped ends with RESYNC_REQUIRED, and a gateway that comes later serves the rest', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using tap = await openRole(database, 'tap', {
      redisUrl: redis.url,
      broker: { url: redis.url, retain: { bytes: 20_000 } },
    })
    await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
    const live = gateway.rowcast.subscribe('Tag')
    await insertTags(database, 1, 1)
    const [first] = await takeChanges(live, 1)
    const key = changesKey(database, tap)
    const firstId = async () => String(await redis.command('XRANGE', key, '-', '+', 'COUNT', '1'))
    const before = await firstId()
    for (let batch = 0; (await firstId()) === before; batch += 1) {
      await database.query(
        `INSERT INTO "Tag" (name) SELECT 'more ' || ${batch} || ' ' || n FROM generate_series(1, 500) AS n`,
      )
    }
    await using later = await openRole(database, 'gateway', { redisUrl: redis.url })
    const resumed = later.rowcast.subscribe('Tag', { after: first?.cursor })
    const error = await resumed.next().then(
      () => null,
      (thrown: unknown) => thrown,
    )
    expect(isRowcastError(error, 'RESYNC_REQUIRED')).toBe(true)
    // Of a quiet model nothing is gone.
    const asked = async () => {
      const stats = String(await redis.command('INFO', 'commandstats'))
      return Number(/cmdstat_hmget:calls=(\d+)/.exec(stats)?.[1] ?? 0)
    }
    const askedBefore = await asked()
    const quiet = takeChanges(later.rowcast.subscribe('User', { after: first?.cursor }), 1)
    // Once it has asked what came last of its model: whatever comes before that is newer than its cursor.
    await expect.poll(asked).toBeGreaterThan(askedBefore)
    await database.query(`INSERT INTO users (email) VALUES ('quiet@example.com')`)
    expect((await quiet)[0]?.new?.email).toBe('quiet@example.com')
    // The one that was there all the time has it in memory.
    const [next] = await takeChanges(gateway.rowcast.subscribe('Tag', { after: first?.cursor }), 1)
    expect(next?.new?.name).toBe('more 0 1')
  })
})
