/**
 * A standby takes over that is not as far as the last mark said: nothing of ours stood between, and what stands there now
 * is for everybody. Two gateways on a real Redis, one of which hears nothing for a while.
 */

import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { BrokerArchive } from '../../src/broker/broker-archive.ts'
import { EntryFeeder, type FeederOutput } from '../../src/broker/entry-feeder.ts'
import type { EntryId } from '../../src/broker/entry-id.ts'
import { planEpoch } from '../../src/broker/epoch.ts'
import { EpochFollower } from '../../src/broker/epoch-follower.ts'
import { EpochStore } from '../../src/broker/epoch-store.ts'
import { formatMark } from '../../src/broker/mark.ts'
import { createRedisEngine } from '../../src/broker/redis/redis-log.ts'
import { RelationCache } from '../../src/broker/relation-cache.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { silentLogger } from '../../src/logger.ts'
import { SEES_ALL } from '../../src/source/db/visibility.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { createEpoch, EPOCH, insertTag, newTagRegistry, writeBatch } from '../support/broker-stream.ts'
import { NO_REDIS, openLog, openRedis } from '../support/redis.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

const SLOT = 'promoted'
/** What the promoted server has of the timeline before. */
const SHARED = toLsn(300n)
const TABLES = [
  {
    ...{ model: 'Tag', schema: 'public', table: 'Tag', doesExist: true, isPublished: true },
    ...{
      unpublishedColumns: [],
      rowSecurityExempt: null,
      published: null,
      standing: 'verified' as const,
    },
  },
]
const FLOORS = { systemId: EPOCH.systemId, isFirst: false, floorLsn: SHARED, gap: null }

/** A gateway without a process around it. */
async function openGateway(url: string, archiveUrl: string) {
  const store = new EpochStore('rowcast', SLOT)
  store.useSystem(EPOCH.systemId)
  const relations = new RelationCache()
  const feederOf = (registry: ReturnType<typeof newTagRegistry>, output: FeederOutput, at: EntryId) =>
    new EntryFeeder({ registry, relations, softDelete: new Map(), output }, at)
  const archive = new BrokerArchive({
    ...{ name: 'archive', store, relations },
    engine: createRedisEngine({ url: archiveUrl, answerTimeoutMs: 5_000 }),
    epochNow: () => follower.epoch,
    safeNow: () => follower.safeLsn,
    createFeeder: (output, at) => feederOf(newTagRegistry(), output, at),
  })
  const bus = createMemoryBus({ older: archive })
  const registry = newTagRegistry()
  const follower = new EpochFollower({
    ...{ store, relations, registry, bus, publication: 'rowcast', models: ['Tag'], preloadBytes: 1_000 },
    ...{ blockMs: 20, watchIntervalMs: 60_000, logger: silentLogger },
    createFeeder: (output, at) => feederOf(registry, output, at),
    ...{ onMessage() {}, onProgress() {}, isStale: () => false },
  })
  const connection = await openLog(url, 'gateway', 60_000)
  const stop = new AbortController()
  const following = follower.follow(connection, stop.signal)
  await expect.poll(() => follower.isFollowing && bus.cursorBefore(SEES_ALL)).toBeTruthy()
  return {
    ...{ bus, follower },
    async [Symbol.asyncDispose]() {
      stop.abort()
      connection.destroy()
      await archive.close()
      await following.catch(() => {})
    },
  }
}

describe.skipIf(NO_REDIS !== null)('a standby that has not come as far as the mark', () => {
  it('ends what was to go on beyond its beginning, at each gateway, and loses nothing', async () => {
    await using redis = await openRedis()
    await using link = await openTcpProxy(redis.port)
    const connection = await openLog(redis.url, 'tap')
    const store = await createEpoch(connection, SLOT)
    await writeBatch(connection, store, TABLES, insertTag(toLsn(200n), 'before'))
    await using ahead = await openGateway(redis.url, redis.url)
    await using lagging = await openGateway(`redis://127.0.0.1:${link.port}`, redis.url)
    const kept = ahead.bus.cursorBefore(SEES_ALL) ?? ''
    link.stall()
    // WAL of others, which the standby never gets.
    const last = { lsn: toLsn(200n), sequence: 0 }
    const { marks } = store.keys.epoch(EPOCH.id)
    const mark = formatMark({ lsn: toLsn(1_000n), last, writer: 'tap', tables: null }, marks)
    await redis.command('XADD', marks, 'MAXLEN', '1', '*', 'm', mark)
    await expect.poll(() => ahead.bus.cursorBefore(SEES_ALL)).not.toBe(kept)
    const bookmark = ahead.bus.cursorBefore(SEES_ALL) ?? ''
    const resume = (after?: string) =>
      [ahead, lagging].map(({ bus }) =>
        bus.subscribe({ model: 'Tag', ...(after === undefined ? {} : { after }) }),
      )
    const beyond = resume(bookmark)
    const before = [...resume(kept), ...resume()]

    const found = await store.readState(connection)
    const continuity = { kind: 'continuous', floorLsn: SHARED, sharedLsn: SHARED } as const
    const start = { ...FLOORS, timeline: 2, serverLsn: toLsn(320n), continuity }
    const promoted = planEpoch(start, found, null, randomUUID())
    const begun = { lsn: SHARED, last: promoted.floor, writer: 'tap', tables: null }
    await store.take(connection, 'tap', async () => store.beginning(promoted, begun, 1))
    const messages = [...insertTag(toLsn(500n), 'new'), ...insertTag(toLsn(1_200n), 'newer')]
    await writeBatch(connection, store, TABLES, messages, promoted)
    link.resume()

    for (const each of beyond) await expect(each.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
    for (const each of before) {
      const names = [(await each.next()).value, (await each.next()).value].map(
        (delivery) => (delivery?.change.new as { name: string } | null | undefined)?.name,
      )
      expect(names).toEqual(['new', 'newer'])
    }
    connection.destroy()
  })

  it('and another one after it cost nobody anything who has read all there is, at a gateway that hears of both at once', async () => {
    await using redis = await openRedis()
    await using link = await openTcpProxy(redis.port)
    const connection = await openLog(redis.url, 'tap')
    const store = await createEpoch(connection, SLOT)
    await writeBatch(connection, store, TABLES, insertTag(toLsn(200n), 'before'))
    await using lagging = await openGateway(`redis://127.0.0.1:${link.port}`, redis.url)
    const tags = lagging.bus.subscribe({ model: 'Tag' })
    link.stall()
    // Timeline 3 is passed over.
    for (const [timeline, name] of [
      [2, 'second'],
      [4, 'fourth'],
    ] as const) {
      const sharedLsn = toLsn(BigInt(timeline * 200))
      const continuity = { kind: 'continuous', floorLsn: sharedLsn, sharedLsn } as const
      const start = {
        ...FLOORS,
        floorLsn: sharedLsn,
        timeline,
        serverLsn: toLsn(sharedLsn + 20n),
        continuity,
      }
      const promoted = planEpoch(start, await store.readState(connection), null, randomUUID())
      const begun = { lsn: sharedLsn, last: promoted.floor, writer: 'tap', tables: null }
      await store.take(connection, 'tap', async () => store.beginning(promoted, begun, 1))
      await writeBatch(connection, store, TABLES, insertTag(toLsn(sharedLsn + 100n), name), promoted)
    }
    link.resume()
    const seen = [(await tags.next()).value, (await tags.next()).value]
    expect(seen.map((delivery) => (delivery?.change.new as { name: string } | null)?.name)).toEqual([
      'second',
      'fourth',
    ])
    expect(seen.map((delivery) => delivery?.change.transaction.origin.timeline)).toEqual([2, 4])
    connection.destroy()
  })
})
