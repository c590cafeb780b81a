/** What is read of a stream with a gap in it, by those who ask for all that there is. */
import { describe, expect, it } from 'vitest'
import { BrokerArchive } from '../../src/broker/broker-archive.ts'
import { EntryFeeder } from '../../src/broker/entry-feeder.ts'
import { openRedisConnection } from '../../src/broker/redis-connection.ts'
import { RelationCache } from '../../src/broker/relation-cache.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import {
  createEpoch,
  EPOCH,
  insertTag,
  newTagRegistry,
  ownMessage,
  writeBatch,
} from '../support/broker-stream.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'

/** Names of all rows, as far as the archive gives them. */
async function readNames(archive: BrokerArchive): Promise<string[]> {
  const names: string[] = []
  const reader = archive.read('Tag', null)
  for (let parts = await reader.next(); parts.length > 0; parts = await reader.next())
    for (const { changes } of parts) for (const change of changes) names.push(String(change.new?.['name']))
  return names
}

describe.skipIf(NO_REDIS !== null)('all that the stream has of a model', () => {
  it('begins with a whole transaction, also where the stream was trimmed within one', async () => {
    await using redis = await openRedis()
    const connection = await openRedisConnection({ url: redis.url, name: 'tap' })
    const store = await createEpoch(connection, 'slot')
    const large = Array.from({ length: 1_200 }, () => 'large')
    await writeBatch(
      connection,
      store,
      [],
      [...insertTag(toLsn(200n), ...large), ...insertTag(toLsn(5_000n), 'next')],
    )
    const key = store.keys.epoch(EPOCH.id).changes
    expect(await connection.send(['XTRIM', key, 'MINID', '=', '200-600'])).toBe(2)
    const relations = new RelationCache()
    const archive = new BrokerArchive({
      ...{ url: redis.url, name: 'archive', answerTimeoutMs: 10_000, store, relations },
      ...{ epochNow: () => EPOCH, safeNow: () => 7_000n },
      createFeeder: (output, position) =>
        new EntryFeeder({ registry: newTagRegistry(), relations, softDelete: new Map(), output }, position),
    })
    expect(await readNames(archive)).toEqual(['next'])
    await archive.close()
    connection.destroy()
  })

  it('goes across no gap, however much stands before it', async () => {
    await using redis = await openRedis()
    const connection = await openRedisConnection({ url: redis.url, name: 'tap' })
    const store = await createEpoch(connection, 'slot')
    const barrier = JSON.stringify({ barrier: 1, slot: 'slot', published: {}, cut: ['Tag'], cleanFrom: '0' })
    const lsns = Array.from({ length: 20 }, (_, number) => toLsn(BigInt(200 + number * 100)))
    const messages = lsns.flatMap((lsn) => insertTag(lsn, 'before'))
    messages.push(...ownMessage(toLsn(5_000n), barrier), ...insertTag(toLsn(6_000n), 'after'))
    await writeBatch(connection, store, [], messages)
    const relations = new RelationCache()
    const archive = new BrokerArchive({
      ...{
        url: redis.url,
        name: 'archive',
        answerTimeoutMs: 10_000,
        store,
        relations,
        epochNow: () => EPOCH,
        safeNow: () => 7_000n,
      },
      createFeeder: (output, position) =>
        new EntryFeeder({ registry: newTagRegistry(), relations, softDelete: new Map(), output }, position),
    })
    await expect(readNames(archive)).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
    // Whoever asks again begins after it.
    expect(await readNames(archive)).toEqual(['after'])
    await archive.close()
    connection.destroy()
  })
})
