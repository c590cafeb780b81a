/** Somebody else's entry in the stream, at ids that no entry of ours has. */
import { describe, expect, it } from 'vitest'
import { EntryFeeder } from '../../../src/broker/entry-feeder.ts'
import { EpochFollower } from '../../../src/broker/epoch-follower.ts'
import { RelationCache } from '../../../src/broker/relation-cache.ts'
import { createMemoryBus } from '../../../src/bus/memory-bus.ts'
import { silentLogger } from '../../../src/logger.ts'
import type { ModelTableState } from '../../../src/source/setup/model-tables.ts'
import { toLsn } from '../../../src/wire/lsn.ts'
import { createEpoch, EPOCH, insertTag, newTagRegistry, writeBatch } from '../../support/broker-stream.ts'
import { NO_REDIS, openLog, openRedis } from '../../support/redis.ts'

const TAG: ModelTableState = {
  ...{ model: 'Tag', schema: 'public', table: 'Tag', doesExist: true, isPublished: true },
  ...{ unpublishedColumns: [], rowSecurityExempt: null, published: null, standing: 'verified' },
}
const LAST = toLsn(200n)
/** The tap begins it once its own entries are refused. */
const NEXT = {
  ...{ ...EPOCH, id: 'two', kind: 'continuous' as const, floor: { lsn: toLsn(207n), sequence: 5 } },
  previous: { id: EPOCH.id, end: { lsn: LAST, sequence: 0 } },
}

describe.skipIf(NO_REDIS !== null)('a gateway', () => {
  it.each([
    '18446744073709551615-0',
    '18446744073709551615-18446744073709551615',
    '900-18446744073709551615',
    '900-9007199254740993',
  ])('goes on behind what somebody has added at %s, with the next epoch', async (id) => {
    await using redis = await openRedis()
    const log = await openLog(redis.url, 'tap')
    const store = await createEpoch(log, 'foreign')
    await writeBatch(log, store, [TAG], insertTag(LAST, 'before'))
    const [registry, relations, bus] = [newTagRegistry(), new RelationCache(), createMemoryBus()]
    const gaps: unknown[] = []
    bus.gap = (error) => void gaps.push(error.details['reason'])
    let looks = 0
    const follower = new EpochFollower({
      ...{ store, relations, registry, bus, publication: 'rowcast', preloadBytes: 1_000_000 },
      ...{ models: ['Tag'], blockMs: 20, watchIntervalMs: 1_000, isStale: () => false },
      createFeeder: (output, position) =>
        new EntryFeeder({ registry, relations, softDelete: new Map(), output }, position),
      ...{ onMessage() {}, logger: silentLogger },
      onProgress() {
        looks += 1
      },
    })
    const stop = new AbortController()
    const reader = await openLog(redis.url, 'reader')
    const following = follower.follow(reader, stop.signal)
    await expect.poll(() => follower.isFollowing).toBe(true)
    await redis.command('XADD', store.keys.epoch(EPOCH.id).changes, id, 'garbage', 'x')
    await expect.poll(() => gaps).toEqual(['broker-unreadable'])
    const looksBefore = looks
    await Promise.race([following, expect.poll(() => looks).toBeGreaterThan(looksBefore + 3)])
    const mark = { lsn: toLsn(208n), last: NEXT.floor, writer: 'tap', tables: null }
    await store.take(log, 'tap', async () => store.beginning(NEXT, mark, 1))
    await writeBatch(log, store, [TAG], insertTag(toLsn(300n), 'after'), NEXT)
    await Promise.race([following, expect.poll(() => follower.position?.lsn).toBe(300n)])
    // It was read once, and was no reason to begin again and again.
    expect(gaps).toEqual(['broker-unreadable'])
    stop.abort()
    await following
    reader.destroy()
    log.destroy()
  })
})

describe.skipIf(NO_REDIS !== null)('a tap', () => {
  it('ends with an error that names what to delete where somebody has added an entry at the last id that there is', async () => {
    await using redis = await openRedis()
    const log = await openLog(redis.url, 'tap')
    const store = await createEpoch(log, 'foreign')
    const last = '18446744073709551615-18446744073709551615'
    await redis.command('XADD', store.keys.epochs, last, 'garbage', 'x')
    const mark = { lsn: toLsn(208n), last: NEXT.floor, writer: 'tap', tables: null }
    const taking = store.take(log, 'tap', async () => store.beginning(NEXT, mark, 1))
    await expect(taking).rejects.toMatchObject({
      code: 'BROKER_REFUSED',
      hint: expect.stringContaining('delete the keys of the slot'),
    })
    log.destroy()
  })
})
