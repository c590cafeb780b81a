/** Slots and publications that disappear, each way PostgreSQL knows: named, repaired, and never a silent gap. */
import { describe, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { type LiveRowcast, openLiveRowcast, slotOf, takeChanges } from '../support/live-rowcast.ts'
import { openPostgres } from '../support/postgres.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

const insert = (database: TestDatabase, name: string) =>
  database.query('INSERT INTO "Tag" (name) VALUES ($1)', [name])

/** A database, and a way to it that can be closed. */
async function openWorld(settings: Record<string, string> | null = null) {
  const postgres = settings === null ? null : await openPostgres({ settings })
  const serverUrl = postgres?.cluster.connectionString()
  const database = await openDatabase({ migrate: true, serverUrl })
  const proxy = await openTcpProxy(Number(database.target.port))
  const connectionString = database.url.replace(`:${database.target.port}/`, `:${proxy.port}/`)

  /** Locks the worker out while `run` happens, so that the slot is free. */
  async function whileAway(run: () => Promise<unknown>): Promise<void> {
    proxy.refuse(true)
    proxy.cut()
    await database.query(
      'SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = $1 AND active',
      [slotOf(database)],
    )
    await run()
    proxy.refuse(false)
  }
  return {
    database,
    connectionString,
    whileAway,
    async [Symbol.asyncDispose]() {
      for (const part of [proxy, database, postgres]) await part?.[Symbol.asyncDispose]()
    },
  }
}

const dropSlot = (database: TestDatabase) =>
  database.query('SELECT pg_drop_replication_slot($1)', [slotOf(database)])

/** Waits for the gap that ends a subscription. */
async function gapOf(changes: AsyncIterator<unknown>): Promise<unknown> {
  return changes.next().then(
    (result) => result,
    (error: unknown) => error,
  )
}

async function expectGap(changes: AsyncIterator<unknown>, reason: string): Promise<void> {
  expect(await gapOf(changes)).toMatchObject({ code: 'RESYNC_REQUIRED', details: { reason } })
}

/** After the gap: a new subscription gets what commits from now on. */
async function expectFlow(live: LiveRowcast, database: TestDatabase, name: string): Promise<void> {
  await live.rowcast.ready()
  const tags = live.rowcast.subscribe('Tag')
  await insert(database, name)
  expect((await takeChanges(tags, 1))[0]?.new?.name).toBe(name)
}

describe('a slot that was dropped', () => {
  it.each([true, false])(
    'is recreated and every subscriber notified (enableOnStart: %s)',
    async (enableOnStart) => {
      await using world = await openWorld()
      const { database, connectionString, whileAway } = world
      await using live = await openLiveRowcast(database, { models: ['Tag'], connectionString, enableOnStart })
      const tags = live.rowcast.subscribe('Tag')
      await whileAway(async () => {
        await dropSlot(database)
        await insert(database, 'lost')
      })
      await expectGap(tags, enableOnStart ? 'slot-recreated' : 'slot-dropped')
      await expectFlow(live, database, 'after')
    },
  )

  it('waits for a person with onSlotLost: stop, and says so meanwhile', async () => {
    await using world = await openWorld()
    const { database, connectionString, whileAway } = world
    await using live = await openLiveRowcast(database, {
      models: ['Tag'],
      connectionString,
      enableOnStart: true,
      onSlotLost: 'stop',
    })
    const tags = live.rowcast.subscribe('Tag')
    await whileAway(() => dropSlot(database))
    await expect
      .poll(() => live.rowcast.status(), { timeout: 20_000 })
      .toMatchObject({ state: 'waiting', isReady: false, lastError: { code: 'SOURCE_SLOT_MISSING' } })
    await live.rowcast.enable()
    await expectGap(tags, 'slot-dropped')
    await expectFlow(live, database, 'after')
  })
})

describe('a slot that PostgreSQL gave up', () => {
  it('for want of WAL is replaced, and every subscriber notified', async () => {
    await using world = await openWorld({ max_slot_wal_keep_size: '1MB', min_wal_size: '32MB' })
    const { database, connectionString, whileAway } = world
    await using live = await openLiveRowcast(database, { models: ['Tag'], connectionString })
    const tags = live.rowcast.subscribe('Tag')
    await whileAway(async () => {
      await insert(database, 'lost')
      for (let i = 0; i < 3; i += 1) {
        await database.query('SELECT pg_switch_wal()')
        await insert(database, `more ${i}`)
      }
      await database.query('CHECKPOINT')
    })
    await expectGap(tags, 'slot-lost')
    await expectFlow(live, database, 'after')
  })

  it('names the reason and its hint with onSlotLost: stop', async () => {
    await using world = await openWorld({ max_slot_wal_keep_size: '1MB', min_wal_size: '32MB' })
    const { database, connectionString, whileAway } = world
    await using live = await openLiveRowcast(database, {
      models: ['Tag'],
      connectionString,
      onSlotLost: 'stop',
    })
    await whileAway(async () => {
      for (let i = 0; i < 3; i += 1) {
        await database.query('SELECT pg_switch_wal()')
        await insert(database, `more ${i}`)
      }
      await database.query('CHECKPOINT')
    })
    await expect
      .poll(() => live.rowcast.status().lastError, { timeout: 20_000 })
      .toMatchObject({
        code: 'SOURCE_SLOT_INVALIDATED',
        hint: expect.stringContaining('max_slot_wal_keep_size'),
      })
  })
})

describe('a publication that was dropped', () => {
  it('and recreated by enable() costs a gap and never a silent skip', async () => {
    await using world = await openWorld()
    const { database, connectionString } = world
    await using live = await openLiveRowcast(database, {
      models: ['Tag'],
      connectionString,
      enableOnStart: true,
    })
    const tags = live.rowcast.subscribe('Tag')
    await database.query('DROP PUBLICATION rowcast')
    await insert(database, 'skipped')
    await expectGap(tags, 'publication-dropped')
    await expectFlow(live, database, 'after')
  })

  it('and recreated by somebody else costs a gap as well', async () => {
    await using world = await openWorld()
    const { database, connectionString } = world
    await using live = await openLiveRowcast(database, {
      models: ['Tag'],
      connectionString,
      watchIntervalMs: 200,
    })
    const tags = live.rowcast.subscribe('Tag')
    await database.query('DROP PUBLICATION rowcast')
    await insert(database, 'skipped')
    await database.query('CREATE PUBLICATION rowcast FOR TABLE "Tag"')
    await expectGap(tags, 'publication-dropped')
    await expectFlow(live, database, 'after')
  })

  it('is waited for, and named, where nobody recreates it', async () => {
    await using world = await openWorld()
    const { database, connectionString } = world
    await using live = await openLiveRowcast(database, {
      models: ['Tag'],
      connectionString,
      watchIntervalMs: 200,
    })
    await database.query('DROP PUBLICATION rowcast')
    await expect
      .poll(() => live.rowcast.status(), { timeout: 20_000 })
      .toMatchObject({ isReady: false, lastError: { code: 'SOURCE_PUBLICATION_MISSING' } })
  })
})

describe('a publication that was changed', () => {
  it('to hold no table at all is named, and put right by enable() with a gap', async () => {
    await using world = await openWorld()
    const { database, connectionString } = world
    await using live = await openLiveRowcast(database, {
      models: ['Tag'],
      connectionString,
      watchIntervalMs: 200,
    })
    const tags = live.rowcast.subscribe('Tag')
    await database.query('ALTER PUBLICATION rowcast DROP TABLE "Tag"')
    await insert(database, 'skipped')
    await expect
      .poll(() => live.rowcast.status().lastError, { timeout: 20_000 })
      .toMatchObject({ code: 'SOURCE_PUBLICATION_INCOMPLETE', details: { models: 'Tag' } })
    await live.rowcast.enable()
    await expectGap(tags, 'table-unpublished')
    await expectFlow(live, database, 'after')
  })

  it('to leave out an action is put right with a gap', async () => {
    await using world = await openWorld()
    const { database, connectionString } = world
    await using live = await openLiveRowcast(database, {
      models: ['Tag'],
      connectionString,
      watchIntervalMs: 200,
      enableOnStart: true,
    })
    const tags = live.rowcast.subscribe('Tag')
    await database.query(`ALTER PUBLICATION rowcast SET (publish = 'insert')`)
    await expectGap(tags, 'table-unpublished')
    await expectFlow(live, database, 'after')
  })
})

describe('a slot of another kind', () => {
  it('that took the place of ours is not touched', async () => {
    await using world = await openWorld()
    const { database, connectionString, whileAway } = world
    await using live = await openLiveRowcast(database, { models: ['Tag'], connectionString })
    await whileAway(async () => {
      await dropSlot(database)
      await database.query(`SELECT pg_create_logical_replication_slot($1, 'test_decoding')`, [
        slotOf(database),
      ])
    })
    await expect
      .poll(() => live.rowcast.status().lastError, { timeout: 20_000 })
      .toMatchObject({ code: 'SOURCE_SLOT_MISMATCH', message: expect.stringContaining('test_decoding') })
  })

  it('that belongs to another database is named', async () => {
    await using world = await openWorld()
    const { database, connectionString, whileAway } = world
    await using other = await openDatabase()
    await using live = await openLiveRowcast(database, { models: ['Tag'], connectionString })
    await whileAway(async () => {
      await dropSlot(database)
      await other.query(`SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, [slotOf(database)])
    })
    await expect
      .poll(() => live.rowcast.status().lastError, { timeout: 20_000 })
      .toMatchObject({ code: 'SOURCE_SLOT_MISMATCH', message: expect.stringContaining(other.name) })
  })
})
