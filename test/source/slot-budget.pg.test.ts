/** What the slot costs PostgreSQL: a budget that is kept, an idle slot that holds nothing, and a wait that ends. */
import { describe, expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import type { Logger } from '../../src/logger.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openLiveRowcast, slotOf, takeChanges } from '../support/live-rowcast.ts'
import { openPostgres, postgresMajor } from '../support/postgres.ts'

const MIB = 1024 * 1024

/** A session beside the test's own. */
const beside = (database: TestDatabase, script: string) =>
  withSqlClient(database.target, (sql) => sql.execute(script))

function collectLogs() {
  const lines: string[] = []
  const add = (message: string) => void lines.push(message)
  const logger: Logger = { debug: add, info: add, warn: add, error: add }
  return { lines, logger }
}

async function heldBytes(database: TestDatabase): Promise<number> {
  const [slot] = await database.query<{ bytes: string }>(
    'SELECT pg_current_wal_lsn() - restart_lsn AS bytes FROM pg_replication_slots WHERE slot_name = $1',
    [slotOf(database)],
  )
  return Number(slot?.bytes)
}

describe('slotBudget', () => {
  it('drops the slot rather than hold more, notifies everybody, and waits out a long transaction', async () => {
    await using postgres = await openPostgres()
    await using database = await openDatabase({
      migrate: true,
      serverUrl: postgres.cluster.connectionString(),
    })
    const { lines, logger } = collectLogs()
    await using live = await openLiveRowcast(database, {
      ...{ models: ['Tag'], logger, watchIntervalMs: 100, retain: { bytes: 0 } },
      slotBudget: { bytes: 30 * MIB },
    })
    expect(lines.filter((line) => line.includes('max_slot_wal_keep_size'))).toHaveLength(1)
    const tags = live.rowcast.subscribe('Tag')
    // From the start of a segment, so that each switch is a whole one.
    await database.query('SELECT pg_switch_wal()')
    // The last barrier is kept: it is renewed after so much.
    const isAtStart = async () => {
      await database.query(`SELECT pg_logical_emit_message(false, 'filler', repeat('x', 300000))`)
      await database.query('CHECKPOINT')
      return (await heldBytes(database)) < 2 * MIB
    }
    await expect.poll(isAtStart, { timeout: 60_000, interval: 500 }).toBe(true)
    // PostgreSQL must keep the WAL of a transaction that has not ended.
    await database.query('BEGIN')
    await database.query(`INSERT INTO "Tag" (name) VALUES ('held')`)
    await beside(database, 'SELECT pg_switch_wal()')
    await expect.poll(() => lines.join('\n'), { timeout: 60_000 }).toContain('more than half')
    expect(live.rowcast.status().slotHealth).toMatchObject({ budgetBytes: 30 * MIB, walStatus: 'reserved' })
    await beside(database, 'CREATE TABLE one (id int)')
    await beside(database, 'SELECT pg_switch_wal()')
    // The fresh slot has to wait for the transaction as well: not for ever, and not in its way.
    await expect
      .poll(() => live.rowcast.status().lastError?.code, { timeout: 60_000 })
      .toBe('SOURCE_LOCK_TIMEOUT')
    await expect(takeChanges(tags, 1)).rejects.toMatchObject({
      code: 'RESYNC_REQUIRED',
      details: { reason: 'slot-over-budget' },
    })
    await database.query('COMMIT')
    await live.rowcast.ready()
    const again = live.rowcast.subscribe('Tag')
    await database.query(`INSERT INTO "Tag" (name) VALUES ('after')`)
    expect((await takeChanges(again, 1))[0]?.new?.name).toBe('after')
    expect(await heldBytes(database)).toBeLessThan(30 * MIB)
  }, 240_000)

  it('leaves no slot behind with onSlotLost: stop, and says why', async () => {
    await using postgres = await openPostgres()
    await using database = await openDatabase({
      migrate: true,
      serverUrl: postgres.cluster.connectionString(),
    })
    await using live = await openLiveRowcast(database, {
      ...{ models: ['Tag'], watchIntervalMs: 100, onSlotLost: 'stop', enableOnStart: true },
      slotBudget: { bytes: 8 * MIB },
    })
    await database.query('BEGIN')
    await database.query(`INSERT INTO "Tag" (name) VALUES ('held')`)
    await beside(database, 'SELECT pg_switch_wal()')
    await beside(database, 'CREATE TABLE one (id int)')
    // A second one, as the first may have been almost over.
    await beside(database, 'SELECT pg_switch_wal()')
    await beside(database, 'CREATE TABLE two (id int)')
    const slots = () =>
      database.query('SELECT FROM pg_replication_slots WHERE slot_name = $1', [slotOf(database)])
    await expect.poll(slots, { timeout: 20_000 }).toEqual([])
    await database.query('COMMIT')
    await expect
      .poll(() => live.rowcast.status(), { timeout: 20_000 })
      .toMatchObject({ state: 'waiting', isReady: false, lastError: { code: 'SOURCE_SLOT_OVER_BUDGET' } })
    await live.rowcast.enable()
    await live.rowcast.ready()
  })
})

describe('a slot that is to be made behind a long transaction', () => {
  it('is tried again until it can be, and says what is in the way', async () => {
    await using database = await openDatabase({ migrate: true })
    await database.query('BEGIN')
    await database.query(`INSERT INTO "Tag" (name) VALUES ('long')`)
    const rowcast = createRowcast({
      connectionString: database.url,
      catalog,
      slot: slotOf(database),
      enableOnStart: true,
    })
    await using _stopped = { [Symbol.asyncDispose]: () => rowcast.stop() }
    // Not "Tag" itself: its replica identity could not be set meanwhile either.
    rowcast.register('Team').start()
    await expect
      .poll(() => rowcast.status().lastError, { timeout: 90_000 })
      .toMatchObject({ code: 'SOURCE_LOCK_TIMEOUT', hint: expect.stringContaining('pg_stat_activity') })
    await database.query('COMMIT')
    await rowcast.ready()
  })
})

describe('an idle slot', () => {
  it('holds nothing while other databases and tables are busy', async () => {
    await using database = await openDatabase({ migrate: true })
    await using other = await openDatabase()
    await using live = await openLiveRowcast(database, {
      ...{ models: ['Tag'], watchIntervalMs: 200, retain: { bytes: 0 } },
    })
    await other.query(`CREATE TABLE busy AS SELECT repeat('x', 1000) FROM generate_series(1, 5000)`)
    await database.query(`CREATE TABLE busy AS SELECT repeat('x', 1000) FROM generate_series(1, 5000)`)
    const [written] = await other.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn')
    const isConfirmed = async () => {
      // The last barrier is kept: it is renewed after so much.
      await other.query(`SELECT pg_logical_emit_message(false, 'filler', repeat('x', 300000))`)
      const [slot] = await database.query<{ done: boolean }>(
        'SELECT confirmed_flush_lsn >= $2::pg_lsn AS done FROM pg_replication_slots WHERE slot_name = $1',
        [slotOf(database), written?.lsn],
      )
      return slot?.done
    }
    await expect.poll(isConfirmed, { timeout: 20_000 }).toBe(true)
    expect(live.rowcast.status()).toMatchObject({ state: 'streaming', failures: 0 })
  })
})

describe('WAL of other databases', () => {
  // PostgreSQL 16 and later can be asked; before that it takes the 15 s that PostgreSQL takes by itself.
  it.skipIf(postgresMajor() < 16)('is let go by a slot that its budget would have cost', async () => {
    await using postgres = await openPostgres()
    const serverUrl = postgres.cluster.connectionString()
    await using database = await openDatabase({ migrate: true, serverUrl })
    await using other = await openDatabase({ serverUrl })
    await using live = await openLiveRowcast(database, {
      ...{ models: ['Tag'], watchIntervalMs: 100, retain: { bytes: 64 * 1024 } },
      slotBudget: { bytes: 40 * MIB },
    })
    const { positions } = live.rowcast.status()
    // The process that would note by itself which transactions are open, and with it what may go.
    const [writer] = await database.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE backend_type = 'background writer'",
    )
    process.kill(Number(writer?.pid), 'SIGSTOP')
    try {
      await other.query('CREATE TABLE busy (filler text)')
      await other.query(`ALTER TABLE busy ALTER filler SET STORAGE EXTERNAL`)
      const insert = `INSERT INTO busy SELECT repeat('x', 100000) FROM generate_series(1, $1)`
      // As busy databases do: what is kept for cursors is kept behind the newest WAL.
      const goOn = async () => {
        await other.query(insert, [2])
        return heldBytes(database)
      }
      for (let i = 0; i < 2; i += 1) {
        await other.query(insert, [250])
        await expect.poll(goOn, { timeout: 20_000 }).toBeLessThan(16 * MIB)
      }
      const { slotHealth, streamsStarted, isReady } = live.rowcast.status()
      expect({ streamsStarted, isReady }).toEqual({ streamsStarted: 1, isReady: true })
      expect(slotHealth?.restartBytes).toEqual(expect.any(Number))
      expect(positions.serverLsn).not.toBe(live.rowcast.status().positions.serverLsn)
    } finally {
      process.kill(Number(writer?.pid), 'SIGCONT')
    }
  })
})
