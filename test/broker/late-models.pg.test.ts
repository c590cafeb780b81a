/** A gateway of a newer schema than its tap: what the tap does not have yet is refused, not silently empty. */
import { describe, expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { slotOf, takeChanges } from '../support/live-rowcast.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { openRole, startRole } from '../support/scaled-rowcast.ts'
import { insertTag, takeNames } from '../support/tags.ts'

const insertUser = `INSERT INTO users (email) VALUES (gen_random_uuid()::text)`

describe.skipIf(NO_REDIS !== null)('a model that the gateway has and the tap has not yet', () => {
  it('is refused until the tap has it, and no cursor from before goes on there', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    const roles = { redisUrl: redis.url, watchIntervalMs: 100 }
    // Published long before this slot: of the tables' history nothing says that the stream lacks one.
    await database.query('CREATE PUBLICATION rowcast FOR TABLE users, "Post", "Tag"')
    await database.query('ALTER TABLE users REPLICA IDENTITY FULL')
    await database.query('ALTER TABLE "Tag" REPLICA IDENTITY FULL')
    await using gateway = startRole(database, 'gateway', roles)
    const { rowcast } = gateway
    let cursor = ''
    {
      await using _old = await openRole(database, 'tap', {
        ...roles,
        register: (tap) => tap.register('User'),
      })
      await rowcast.ready()
      expect(() => rowcast.subscribe('Tag')).toThrow(
        expect.objectContaining({ code: 'BROKER_MODEL_NOT_TAPPED', details: { model: 'Tag' } }),
      )
      expect(rowcast.status().drifted.map(({ model }) => model)).toEqual(['Post', 'Tag'])
      const users = rowcast.subscribe('User')
      await database.query(insertUser)
      cursor = (await takeChanges(users, 1))[0]?.cursor ?? ''
      await insertTag(database)
      await users.return?.()
    }
    await using _tap = await openRole(database, 'tap', roles)
    await expect.poll(() => rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
    await using later = await openRole(database, 'gateway', roles)
    for (const each of [gateway, later]) {
      const tags = each.rowcast.subscribe('Tag', { after: cursor })
      await expect(tags.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
      const after = await each.rowcast.changeCursor()
      const live = each.rowcast.subscribe('Tag', { after })
      await insertTag(database)
      expect((await takeChanges(live, 1))[0]?.action).toBe('INSERT')
      const users = each.rowcast.subscribe('User', { after: cursor })
      await database.query(insertUser)
      expect((await takeChanges(users, 1))[0]?.action).toBe('INSERT')
      await users.return?.()
    }
  })

  it('is one that has drifted, until the catalog says that it fits again: nobody need write', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    const roles = { redisUrl: redis.url, watchIntervalMs: 100 }
    await using tap = await openRole(database, 'tap', roles)
    await using gateway = await openRole(database, 'gateway', roles)
    const { rowcast } = gateway
    await database.query('ALTER TABLE "Tag" RENAME color TO colour')
    await insertTag(database)
    const drifted = () => rowcast.status().drifted.map(({ error }) => error.code)
    await expect.poll(drifted, { timeout: 20_000 }).toEqual(['CATALOG_DRIFT'])
    await database.query('ALTER TABLE "Tag" RENAME colour TO color')
    await expect.poll(drifted, { timeout: 20_000 }).toEqual([])
    const tags = rowcast.subscribe('Tag')
    const name = await insertTag(database)
    expect(await takeNames(tags, 1)).toEqual([name])
    expect(tap.rowcast.status().isReady).toBe(true)
  })

  it('is every one while the document about the tables is missing; its tap writes it again', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    const roles = { redisUrl: redis.url }
    await using tap = await openRole(database, 'tap', roles)
    const { system, broker } = tap.rowcast.status()
    const key = `rowcast:${system?.systemId}:{${slotOf(database)}}:${broker?.epoch}:tables`
    const document = String(await redis.command('GET', key))
    await redis.command('SET', key, document.slice(1))
    await using gateway = await openRole(database, 'gateway', roles)
    expect(String(await redis.command('GET', key))).toBe(document)
    const tags = gateway.rowcast.subscribe('Tag')
    await insertTag(database)
    expect((await takeChanges(tags, 1))[0]?.action).toBe('INSERT')
  })
})
