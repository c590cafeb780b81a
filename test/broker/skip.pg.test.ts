/** A change that no form can bring, by way of Redis: gateways hear of it, and skip gives up its model alone while no tap runs. */
import { describe, expect, it } from 'vitest'
import { isRowcastError, type RowcastError } from '../../src/errors.ts'
import type { RunQuery } from '../../src/source/db/run-query.ts'
import { dropAllSkipMarks } from '../../src/source/setup/skip-marks.ts'
import { skipTransaction } from '../../src/source/skip/skip-transaction.ts'
import { parseLsn } from '../../src/wire/lsn.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { openRole, type ScaledOptions, type ScaledRowcast, startRole } from '../support/scaled-rowcast.ts'

const POLL = { timeout: 30_000 }

const insertTeam = (database: TestDatabase, name: string) =>
  database.query('INSERT INTO "Team" (name, slug) VALUES ($1, $1)', [name])
const insertTag = (database: TestDatabase, name: string, mood = 'good') =>
  database.query(`INSERT INTO "Tag" (name, mood) VALUES ($1, '${mood}')`, [name])

async function nextOf(changes: AsyncIterator<unknown>): Promise<unknown> {
  const { value } = await changes.next()
  return (value as { new: { name: string } }).new.name
}

async function endOf(changes: AsyncIterator<unknown>): Promise<RowcastError> {
  for (;;) {
    const error = await changes.next().then(
      () => null,
      (thrown: unknown) => thrown,
    )
    if (isRowcastError(error)) return error
  }
}

/** The enum loses a label that a row has: PostgreSQL cannot send the row any more. */
async function poison(database: TestDatabase): Promise<void> {
  await database.query("DELETE FROM pg_enum WHERE enumlabel = 'bad'")
  await database.query(`UPDATE "Tag" SET color = 'black' WHERE name = 'poison'`)
}

async function blockedBy({ rowcast }: ScaledRowcast): Promise<RowcastError> {
  await expect.poll(() => rowcast.status().failures, POLL).toBeGreaterThan(1)
  return rowcast.status().lastError as RowcastError
}

/** Tags get a column that `poison` can spoil; the marks of skip go with the test. */
async function addMoods(database: TestDatabase): Promise<AsyncDisposable> {
  await database.query(`CREATE TYPE mood AS ENUM ('good', 'bad'); ALTER TABLE "Tag" ADD COLUMN mood mood`)
  return { [Symbol.asyncDispose]: () => dropAllSkipMarks(database.query as RunQuery, slotOf(database)) }
}

function rolesAt(redisUrl: string): ScaledOptions {
  return {
    ...{ redisUrl, watchIntervalMs: 200 },
    register: (rowcast) => void rowcast.register('Tag').register('Team'),
  }
}

describe.skipIf(NO_REDIS !== null)('a change that cannot be sent', () => {
  it('ends its model at gateways with a cursor; skipped while no tap runs, that model alone is queried again', async () => {
    await using database = await openDatabase({ migrate: true })
    await using _marks = await addMoods(database)
    await using redis = await openRedis()
    const roles = rolesAt(redis.url)
    const tap = await openRole(database, 'tap', roles)
    await using gateway = await openRole(database, 'gateway', roles)
    const [tags, teams] = [gateway.rowcast.subscribe('Tag'), gateway.rowcast.subscribe('Team')]
    await insertTag(database, 'poison', 'bad')
    const cursor = ((await tags.next()).value as { cursor: string }).cursor
    await insertTeam(database, 'first')
    const teamCursor = ((await teams.next()).value as { cursor: string }).cursor

    await poison(database)
    await insertTeam(database, 'second')
    const error = await blockedBy(tap)
    expect(error.code).toBe('SOURCE_ROW_UNREADABLE')
    const reported = await endOf(tags)
    expect([reported.code, typeof reported.details['cursor']]).toEqual([error.code, 'string'])
    await tap.rowcast.stop()
    await tap.prisma.$disconnect()

    const tables = ['Tag', 'Team'].map((model) => ({ model, schema: 'public', table: model }))
    const skipped = await skipTransaction(database.target, {
      goal: { slot: slotOf(database), publication: 'rowcast', tables },
      ...{ to: parseLsn(String(error.details['skipTo'])), isDry: false, patienceMs: 30_000 },
    })
    expect(skipped).toMatchObject({ models: ['Tag'], tables: ['public.Tag'] })
    await using _next = startRole(database, 'tap', roles)
    expect(await nextOf(teams)).toBe('second')
    await expect.poll(() => gateway.rowcast.status().isReady, POLL).toBe(true)
    await insertTag(database, 'later')
    await expect
      .poll(async () => (await endOf(gateway.rowcast.subscribe('Tag', { after: cursor }))).code, POLL)
      .toBe('RESYNC_REQUIRED')
    const after = gateway.rowcast.subscribe('Tag', { after: await gateway.rowcast.changeCursor() })
    await insertTag(database, 'last')
    // The gateway may not have read the one before when it gave the cursor.
    await expect.poll(() => nextOf(after), POLL).toBe('last')
    await gateway.rowcast.stop()

    await using late = await openRole(database, 'gateway', roles)
    expect(await nextOf(late.rowcast.subscribe('Team', { after: teamCursor }))).toBe('second')
    expect((await endOf(late.rowcast.subscribe('Tag', { after: cursor }))).code).toBe('RESYNC_REQUIRED')
  })

  it('does not keep what stands right before it from gateways, nor is that lost when it is passed over', async () => {
    await using database = await openDatabase({ migrate: true })
    await using _marks = await addMoods(database)
    await using redis = await openRedis()
    const roles = rolesAt(redis.url)
    const tap = await openRole(database, 'tap', roles)
    await using gateway = await openRole(database, 'gateway', roles)
    const teams = gateway.rowcast.subscribe('Team')
    await insertTag(database, 'poison', 'bad')
    await insertTeam(database, 'first')
    expect(await nextOf(teams)).toBe('first')
    await tap.rowcast.stop()
    await tap.prisma.$disconnect()

    // All of it comes at once, and the stream ends before Redis has answered to anything.
    await insertTeam(database, 'second')
    await poison(database)
    await insertTeam(database, 'third')
    await using next = startRole(database, 'tap', roles)
    const error = await blockedBy(next)
    const tables = ['Tag', 'Team'].map((model) => ({ model, schema: 'public', table: model }))
    await skipTransaction(database.target, {
      goal: { slot: slotOf(database), publication: 'rowcast', tables },
      ...{ to: parseLsn(String(error.details['skipTo'])), isDry: false, patienceMs: 30_000 },
    })
    expect([await nextOf(teams), await nextOf(teams)]).toEqual(['second', 'third'])
  })
})
