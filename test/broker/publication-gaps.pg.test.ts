/** Gaps in what is published, by way of Redis: every gateway ends the cursors from before, and none forgets it. */
import { describe, expect, it } from 'vitest'
import { isRowcastError } from '../../src/errors.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { takeChanges } from '../support/live-rowcast.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { openRole, type ScaledRowcast, startRole } from '../support/scaled-rowcast.ts'
import { insertTag } from '../support/tags.ts'

const OFTEN = { watchIntervalMs: 100 }
const isActive = ({ rowcast }: ScaledRowcast) => rowcast.status().broker?.isActive === true

async function runGap(database: TestDatabase): Promise<void> {
  await database.query('ALTER PUBLICATION rowcast DROP TABLE "Tag"')
  await database.query(`UPDATE "Tag" SET name = name || ' unseen'`)
  await database.query('ALTER PUBLICATION rowcast ADD TABLE "Tag"')
}

/** Another table takes the name. */
async function swapTable(database: TestDatabase): Promise<void> {
  await database.query(`BEGIN;
    CREATE TABLE "Tag_new" (LIKE "Tag" INCLUDING ALL);
    ALTER TABLE "Tag_new" REPLICA IDENTITY FULL;
    ALTER TABLE "Tag" RENAME TO "Tag_old";
    ALTER TABLE "Tag_new" RENAME TO "Tag";
    ALTER PUBLICATION rowcast ADD TABLE "Tag";
    ALTER PUBLICATION rowcast DROP TABLE "Tag_old";
    COMMIT`)
}

async function endOf(changes: AsyncIterator<unknown>): Promise<unknown> {
  for (;;) {
    const result = await changes.next().catch((error: unknown) => error as Error & { code?: string })
    if (result instanceof Error) return result.code
    if (result.done) return null
  }
}

async function nameOfNext({ rowcast }: ScaledRowcast, after: string): Promise<unknown> {
  const changes = rowcast.subscribe('Tag', { after })
  const [change] = await takeChanges(changes, 1)
  await changes.return?.()
  return (change?.new as { name?: string } | null)?.name
}

/** A cursor with which the gap is over: a later row comes after it. */
async function goodCursorOf(gateway: ScaledRowcast, database: TestDatabase): Promise<string> {
  const { rowcast } = gateway
  for (let round = 0; ; round += 1) {
    await expect.poll(() => rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
    const after = await rowcast.changeCursor()
    await insertTag(database, `probe ${round}`)
    const name = await nameOfNext(gateway, after).catch((error: unknown) => error)
    if (!isRowcastError(name)) {
      expect(name).toBe(`probe ${round}`)
      return rowcast.changeCursor()
    }
  }
}

describe.skipIf(NO_REDIS !== null)('a gap in what is published', () => {
  it('ends subscriptions and cursors at every gateway, and is known to one that comes later', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    const roles = { redisUrl: redis.url, ...OFTEN }
    await using _tap = await openRole(database, 'tap', roles)
    await using gateway = await openRole(database, 'gateway', roles)
    const live = gateway.rowcast.subscribe('Tag')
    const others = gateway.rowcast.subscribe('User')
    await insertTag(database, 'first')
    const [first] = await takeChanges(live, 1)
    const cursor = first?.cursor ?? ''
    await runGap(database)
    expect(await endOf(live)).toMatch(/RESYNC_REQUIRED|SOURCE_TABLE_NOT_PUBLISHED/)
    const good = await goodCursorOf(gateway, database)
    await insertTag(database, 'second')
    expect(await nameOfNext(gateway, good)).toBe('second')
    expect(await endOf(gateway.rowcast.subscribe('Tag', { after: cursor }))).toBe('RESYNC_REQUIRED')
    await gateway.rowcast.stop()
    await using next = await openRole(database, 'gateway', roles)
    expect(await endOf(next.rowcast.subscribe('Tag', { after: cursor }))).toBe('RESYNC_REQUIRED')
    expect(await nameOfNext(next, good)).toBe('second')
    await others.return?.()
  })

  it('that is over ends nobody again where Redis has lost all: the tap reads the rows of the table before once more', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    const roles = { redisUrl: redis.url, ...OFTEN }
    await using tap = await openRole(database, 'tap', roles)
    await using gateway = await openRole(database, 'gateway', roles)
    const before = gateway.rowcast.subscribe('Tag')
    await insertTag(database, 'of the table before')
    await swapTable(database)
    expect(await endOf(before)).toMatch(/RESYNC_REQUIRED|SOURCE_TABLE_NOT_PUBLISHED/)
    const live = gateway.rowcast.subscribe('Tag', { after: await goodCursorOf(gateway, database) })
    const epoch = gateway.rowcast.status().broker?.epoch
    await redis.command('FLUSHALL')
    await insertTag(database, 'after the loss')
    expect((await takeChanges(live, 1))[0]?.new?.name).toBe('after the loss')
    await expect.poll(() => tap.rowcast.status().isReady, { timeout: 20_000 }).toBe(true)
    await insertTag(database, 'later')
    expect((await takeChanges(live, 1))[0]?.new?.name).toBe('later')
    expect(gateway.rowcast.status().broker?.epoch).not.toBe(epoch)
  })

  it('of which the tap has not heard when it ends is noticed by the next one, with a slot that retains nothing', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    const roles = { redisUrl: redis.url, retain: { bytes: 0, minutes: 0 }, watchIntervalMs: 600_000 }
    await using gateway = startRole(database, 'gateway', roles)
    let cursor = ''
    {
      await using _tap = await openRole(database, 'tap', roles)
      await gateway.rowcast.ready()
      await insertTag(database, 'first')
      await runGap(database)
      const live = gateway.rowcast.subscribe('Tag')
      await insertTag(database, 'after it')
      cursor = (await takeChanges(live, 1))[0]?.cursor ?? ''
      await live.return?.()
    }
    const early = gateway.rowcast.subscribe('Tag', { after: cursor })
    await using _next = await openRole(database, 'tap', roles)
    expect(await endOf(early)).toBe('RESYNC_REQUIRED')
    await goodCursorOf(gateway, database)
    expect(await endOf(gateway.rowcast.subscribe('Tag', { after: cursor }))).toBe('RESYNC_REQUIRED')
  })

  it('while no tap runs is noticed by the next one; one that was noticed is not noticed again', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    const roles = { redisUrl: redis.url, ...OFTEN }
    await using gateway = startRole(database, 'gateway', roles)
    let cursor = ''
    {
      await using _tap = await openRole(database, 'tap', roles)
      await gateway.rowcast.ready()
      const live = gateway.rowcast.subscribe('Tag')
      await insertTag(database, 'first')
      cursor = (await takeChanges(live, 1))[0]?.cursor ?? ''
    }
    await runGap(database)
    const early = gateway.rowcast.subscribe('Tag', { after: cursor })
    await using second = await openRole(database, 'tap', roles)
    expect(await endOf(early)).toBe('RESYNC_REQUIRED')
    const good = await goodCursorOf(gateway, database)
    const live = gateway.rowcast.subscribe('Tag', { after: good })
    await using third = startRole(database, 'tap', roles)
    await expect.poll(() => third.rowcast.status().state, { timeout: 20_000 }).toBe('standby')
    await second.rowcast.stop()
    await expect.poll(() => isActive(third), { timeout: 20_000 }).toBe(true)
    await third.rowcast.ready()
    await insertTag(database, 'third')
    expect((await takeChanges(live, 1))[0]?.new).toMatchObject({ name: 'third' })
    expect(await nameOfNext(gateway, good)).toBe('third')
  })
})

describe.skipIf(NO_REDIS !== null)('where the database takes no message of ours', () => {
  it('ends all cursors at every gateway: nobody could hear of it otherwise', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await insertTag(database, 'first')
    const functions = await database.query<{ name: string }>(
      `SELECT oid::regprocedure::text AS name FROM pg_proc WHERE proname = 'pg_logical_emit_message'`,
    )
    const role = `quiet_${database.name}`
    await database.query(`CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'quiet'`)
    for (const { name } of functions) await database.query(`REVOKE EXECUTE ON FUNCTION ${name} FROM PUBLIC`)
    try {
      {
        // Sets up, with the rights for it.
        await using _owner = await openRole(database, 'tap', { redisUrl: redis.url })
      }
      const url = new URL(database.url)
      url.username = role
      url.password = 'quiet'
      const connectionString = url.href
      await using _tap = await openRole(database, 'tap', {
        ...{ redisUrl: redis.url, connectionString, enableOnStart: false, watchIntervalMs: 600_000 },
      })
      await using gateway = await openRole(database, 'gateway', { redisUrl: redis.url })
      const cursor = await gateway.rowcast.changeCursor()
      // It is over before the next look, which the first row afterwards calls for.
      await database.query('ALTER TABLE "Tag" RENAME TO old_tags')
      await database.query('CREATE TABLE "Tag" (LIKE old_tags INCLUDING ALL)')
      await database.query(
        'ALTER TABLE "Tag" REPLICA IDENTITY FULL; ALTER PUBLICATION rowcast ADD TABLE "Tag"',
      )
      await insertTag(database, 'after')
      const endNow = ({ rowcast }: ScaledRowcast) => {
        try {
          return endOf(rowcast.subscribe('Tag', { after: cursor }))
        } catch (error) {
          return (error as { readonly code?: unknown }).code
        }
      }
      await expect.poll(() => endNow(gateway), { timeout: 20_000 }).toBe('RESYNC_REQUIRED')
      // One that has seen nothing of it.
      await using later = await openRole(database, 'gateway', { redisUrl: redis.url })
      await expect.poll(() => endNow(later), { timeout: 20_000 }).toBe('RESYNC_REQUIRED')
    } finally {
      await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    }
  })
})
