/** A gateway gives no position behind a commit that queries do not see yet, whether it came while the gateway was there or before. */
import { describe, expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { slotOf, takeChanges } from '../support/live-rowcast.ts'
import { missTag, openWriter, whenOpen } from '../support/publication-gap.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { openRole, type ScaledRowcast } from '../support/scaled-rowcast.ts'
import { insertTag } from '../support/tags.ts'
import { awaitStandby, insertUnseen, waitForNoStandby } from '../support/unseen-commit.ts'

/** Follows who is connected with what as well, though nobody subscribes to it. */
function register(rowcast: ScaledRowcast['rowcast']): void {
  rowcast.register('Tag')
  rowcast.register('Post')
  rowcast.follow('_PostToTag')
}

/** The names of the tags, put together from first rows and what follows them, once this one is among them. */
async function foldTags({ rowcast }: ScaledRowcast, where: object | undefined, last: string) {
  const names = new Map<number, string>()
  let isReady = false
  for await (const event of rowcast.subscribe('Tag', { initial: true, where })) {
    if (event.action === 'READY') isReady = true
    else if (event.action !== 'TRUNCATE' && event.new !== null) names.set(event.key.id, event.new.name)
    if (isReady && [...names.values()].includes(last)) break
  }
  return [...names.values()].sort()
}

describe.skipIf(NO_REDIS !== null)('a commit that waits for an absent standby', () => {
  it('stands behind the cursors of a gateway that saw it come, and of one that began after it', async () => {
    await using database = await openDatabase({ migrate: true })
    await waitForNoStandby(database)
    await using redis = await openRedis()
    const options = { redisUrl: redis.url, watchIntervalMs: 100, answerTimeoutMs: 4_000, register }
    await using _tap = await openRole(database, 'tap', options)
    await using before = await openRole(database, 'gateway', options)
    const live = before.rowcast.subscribe('Tag')
    const release = await insertUnseen(database, 'unseen')
    try {
      const later = await insertTag(database)
      expect((await takeChanges(live, 2)).map((change) => change.new?.name)).toEqual(['unseen', later])
      const cursor = await before.rowcast.changeCursor()
      const resumed = before.rowcast.subscribe('Tag', { after: cursor })
      expect((await takeChanges(resumed, 1)).map((change) => change.new?.name)).toEqual(['unseen'])
      await using after = await openRole(database, 'gateway', options)
      const again = after.rowcast.subscribe('Tag', { after: await after.rowcast.changeCursor() })
      expect((await takeChanges(again, 1)).map((change) => change.new?.name)).toEqual(['unseen'])
      const wheres = [undefined, { posts: { none: {} } }]
      const rows = wheres.map((where) => foldTags(before, where, 'unseen'))
      await release()
      const all = await before.prisma.tag.findMany({ where: { posts: { none: {} } } })
      for (const names of await Promise.all(rows)) expect(names).toEqual(all.map(({ name }) => name).sort())
      const last = after.rowcast.subscribe('Tag', { after: await after.rowcast.changeCursor() })
      const [change] = await Promise.all([takeChanges(last, 1), insertTag(database)])
      expect(change).toHaveLength(1)
      expect(change[0]?.new?.name).not.toMatch(`unseen|${later}`)
      expect(await after.prisma.tag.count({ where: { name: 'unseen' } })).toBe(1)
    } finally {
      await awaitStandby(database, null)
    }
  })

  it('keeps a gateway waiting, up to a typed end, where neither the tap nor Redis has it', async () => {
    await using database = await openDatabase({ migrate: true })
    await waitForNoStandby(database)
    await using redis = await openRedis()
    const options = { redisUrl: redis.url, watchIntervalMs: 100, answerTimeoutMs: 6_000 }
    await (await openRole(database, 'tap', options))[Symbol.asyncDispose]()
    const release = await insertUnseen(database, 'passed over')
    try {
      await database.query('SELECT pg_replication_slot_advance($1, pg_current_wal_lsn())', [slotOf(database)])
      await using _tap = await openRole(database, 'tap', options)
      await using gateway = await openRole(database, 'gateway', options)
      const live = gateway.rowcast.subscribe('Tag')
      await expect(gateway.rowcast.changeCursor()).rejects.toMatchObject({ code: 'COMMITS_NOT_VISIBLE' })
      const name = await insertTag(database)
      expect((await takeChanges(live, 1))[0]?.new?.name).toBe(name)
      await release()
      await gateway.rowcast.changeCursor()
      expect(await gateway.prisma.tag.count({ where: { name: 'passed over' } })).toBe(1)
    } finally {
      await awaitStandby(database, null)
    }
  })
})

describe.skipIf(NO_REDIS !== null)('a gap beside somebody who goes on writing', () => {
  it('keeps no gateway from giving a position behind it', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    const options = { redisUrl: redis.url, watchIntervalMs: 60_000, answerTimeoutMs: 6_000, register }
    await using _tap = await openRole(database, 'tap', options)
    await using gateway = await openRole(database, 'gateway', options)
    await using _ = await openWriter(database)
    for (const name of ['missed', 'missed again']) {
      const before = gateway.rowcast.subscribe('Tag')
      await missTag(database, name)
      await expect(takeChanges(before, 1)).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
      await whenOpen({ subscribe: () => gateway.rowcast.subscribe('Tag') })
      const after = await gateway.rowcast.changeCursor()
      expect(await gateway.prisma.tag.count({ where: { name } })).toBe(1)
      const next = await insertTag(database)
      const [change] = await takeChanges(gateway.rowcast.subscribe('Tag', { after }), 1)
      expect(change?.new?.name).toBe(next)
    }
  })
})
