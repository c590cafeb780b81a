/** The slot as the durable log: what the confirmed position keeps for the next process, and what it must not cost. */
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createRowcast } from '../../src/rowcast.ts'
import type { DurabilityOptions } from '../../src/source/durability-options.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openLiveRowcast, slotOf, takeChanges } from '../support/live-rowcast.ts'
import { openPostgres } from '../support/postgres.ts'

const insert = (database: TestDatabase, name: string) =>
  database.query('INSERT INTO "Tag" (name) VALUES ($1)', [name])

/** The names that one process with the options delivers, from the oldest it can have up to the one given. */
async function namesUpTo(database: TestDatabase, last: string, options: DurabilityOptions) {
  const rowcast = createRowcast({
    connectionString: database.url,
    catalog,
    slot: slotOf(database),
    ...options,
  })
  await using _stopped = { [Symbol.asyncDispose]: () => rowcast.stop() }
  rowcast.register('Tag')
  await rowcast.enable()
  rowcast.start()
  await rowcast.ready()
  const names: (string | undefined)[] = []
  for await (const change of rowcast.subscribe('Tag', { after: 'earliest' })) {
    names.push(change.new?.name)
    if (change.new?.name === last) break
  }
  return names
}

async function isConfirmed(database: TestDatabase, lsn: string | undefined): Promise<boolean | undefined> {
  const [slot] = await database.query<{ done: boolean }>(
    'SELECT confirmed_flush_lsn >= $2::pg_lsn AS done FROM pg_replication_slots WHERE slot_name = $1',
    [slotOf(database), lsn],
  )
  return slot?.done
}

async function currentLsn(database: TestDatabase): Promise<string | undefined> {
  const [row] = await database.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn')
  return row?.lsn
}

describe('the retention window', () => {
  it('lets the next process have again what the last one delivered, and what it missed', async () => {
    await using database = await openDatabase({ migrate: true })
    await createRowcast({ connectionString: database.url, catalog, slot: slotOf(database) })
      .register('Tag')
      .enable()
    await insert(database, 'a')
    expect(await namesUpTo(database, 'a', {})).toEqual(['a'])
    await insert(database, 'b')
    expect(await namesUpTo(database, 'b', {})).toEqual(['a', 'b'])
    expect(await namesUpTo(database, 'b', {})).toEqual(['a', 'b'])
  })

  it.each([{ minutes: 0 }, { bytes: 0 }])('confirms with %j as soon as a barrier is due', async (retain) => {
    await using database = await openDatabase({ migrate: true })
    const options = { models: ['Tag'], retain, watchIntervalMs: 100 } as const
    {
      await using live = await openLiveRowcast(database, options)
      const tags = live.rowcast.subscribe('Tag')
      await insert(database, 'a')
      await takeChanges(tags, 1)
      await database.query(`SELECT pg_logical_emit_message(false, 'filler', repeat('x', 300000))`)
      const written = await currentLsn(database)
      await expect.poll(() => isConfirmed(database, written), { timeout: 20_000 }).toBe(true)
    }
    await insert(database, 'b')
    expect(await namesUpTo(database, 'b', { retain })).toEqual(['b'])
  })

  it('is as long as it is asked to be', async () => {
    await using database = await openDatabase({ migrate: true })
    const retain = { bytes: 100_000 }
    await using live = await openLiveRowcast(database, { models: ['Tag'], retain, watchIntervalMs: 100 })
    const tags = live.rowcast.subscribe('Tag')
    const written = await currentLsn(database)
    await insert(database, 'a')
    await takeChanges(tags, 1)
    await database.query(`INSERT INTO "Tag" (name) SELECT i::text FROM generate_series(1, 6000) i`)
    await takeChanges(tags, 6_000)
    await expect.poll(() => isConfirmed(database, written), { timeout: 20_000 }).toBe(true)
    const keptBytes = async () => {
      const [kept] = await database.query<{ bytes: string }>(
        'SELECT $1::pg_lsn - confirmed_flush_lsn AS bytes FROM pg_replication_slots WHERE slot_name = $2',
        [live.rowcast.status().positions.safeLsn, slotOf(database)],
      )
      return Number(kept?.bytes)
    }
    // Reported once a second; the last barrier is kept as well, which is renewed after so much.
    await expect.poll(keptBytes, { timeout: 20_000 }).toBeLessThanOrEqual(110_000 + 256 * 1024)
    expect(await keptBytes()).toBeGreaterThanOrEqual(90_000)
  })

  it('does not keep PostgreSQL from stopping', async () => {
    await using postgres = await openPostgres()
    const { cluster } = postgres
    await using database = await openDatabase({ migrate: true, serverUrl: cluster.connectionString() })
    await using live = await openLiveRowcast(database, { models: ['Tag'] })
    const tags = live.rowcast.subscribe('Tag')
    await insert(database, 'a')
    await takeChanges(tags, 1)
    await cluster.stop('fast')
    const log = await readFile(cluster.logFile, 'utf8')
    expect(log).toContain('database system is shut down')
    expect(log).not.toContain('received immediate shutdown request')
    await cluster.start()
    await insert(database, 'b')
    expect((await takeChanges(tags, 1))[0]?.new?.name).toBe('b')
  })
})
