/** Faults for real: killed walsenders, a restarted and a missing PostgreSQL. Every change once and in order. */
import { describe, expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openLiveRowcast, slotOf, takeChanges } from '../support/live-rowcast.ts'
import { openPostgres } from '../support/postgres.ts'

async function insertNumbers(database: TestDatabase, from: number, to: number): Promise<void> {
  for (let i = from; i <= to; i += 1)
    await database.query('INSERT INTO "Tag" (name) VALUES ($1)', [String(i)])
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => String(from + i))

describe('a killed walsender', () => {
  it('costs nothing: what was committed meanwhile arrives once and in order', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database, { models: ['Tag'] })
    const tags = live.rowcast.subscribe('Tag')
    for (let round = 0; round < 3; round += 1) {
      await insertNumbers(database, round * 20 + 1, round * 20 + 10)
      await database.query(
        `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1`,
        [slotOf(database)],
      )
      await insertNumbers(database, round * 20 + 11, round * 20 + 20)
    }
    const changes = await takeChanges(tags, 60)
    expect(changes.map((c) => c.new?.name)).toEqual(numbers(1, 60))
  })

  it('in the middle of a huge transaction neither loses nor repeats a row of it', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database, { models: ['Tag'] })
    const tags = live.rowcast.subscribe('Tag')
    const rows = 60_000
    await database.query(`INSERT INTO "Tag" (name) SELECT i::text FROM generate_series(1, ${rows}) i`)
    const first = await takeChanges(tags, 1)
    await database.query(
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1`,
      [slotOf(database)],
    )
    const rest = await takeChanges(tags, rows - 1)
    expect([...first, ...rest].map((c) => c.new?.name)).toEqual(numbers(1, rows))
    await insertNumbers(database, rows + 1, rows + 1)
    expect((await takeChanges(tags, 1))[0]?.new?.name).toBe(String(rows + 1))
  })
})

describe('a PostgreSQL that restarts', () => {
  it('finds us again, and rows written while we were kept out arrive once and in order', async () => {
    await using postgres = await openPostgres()
    const { cluster } = postgres
    await using database = await openDatabase({ migrate: true, serverUrl: cluster.connectionString() })
    await database.query(`CREATE ROLE tap LOGIN REPLICATION SUPERUSER PASSWORD 'tap'`)
    const asTap = database.url.replace(/\/\/[^@]+@/, '//tap:tap@')
    await using live = await openLiveRowcast(database, { models: ['Tag'], connectionString: asTap })
    const tags = live.rowcast.subscribe('Tag')
    await insertNumbers(database, 1, 5)
    expect(await takeChanges(tags, 5)).toHaveLength(5)

    for (const [round, mode] of (['fast', 'immediate'] as const).entries()) {
      await database.query('ALTER ROLE tap NOLOGIN')
      await cluster.restart(mode)
      const base = 5 + round * 10
      await insertNumbers(database, base + 1, base + 5)
      await database.query('ALTER ROLE tap LOGIN')
      await insertNumbers(database, base + 6, base + 10)
      const changes = await takeChanges(tags, 10)
      expect(changes.map((c) => c.new?.name)).toEqual(numbers(base + 1, base + 10))
    }
  })

  it('survives its crash', async () => {
    await using postgres = await openPostgres()
    const { cluster } = postgres
    await using database = await openDatabase({ migrate: true, serverUrl: cluster.connectionString() })
    await using live = await openLiveRowcast(database, { models: ['Tag'] })
    const tags = live.rowcast.subscribe('Tag')
    await insertNumbers(database, 1, 3)
    await cluster.kill()
    await cluster.start()
    await insertNumbers(database, 4, 6)
    const changes = await takeChanges(tags, 6)
    expect(changes.map((c) => c.new?.name)).toEqual(numbers(1, 6))
  })
})

describe('a PostgreSQL that is down at start', () => {
  it('does not disturb start(); the stream begins when the server comes', async () => {
    await using postgres = await openPostgres()
    const { cluster } = postgres
    await using database = await openDatabase({ migrate: true, serverUrl: cluster.connectionString() })
    await cluster.stop()
    const rowcast = createRowcast({
      connectionString: database.url,
      catalog,
      slot: slotOf(database),
      enableOnStart: true,
    })
    await using _stopped = { [Symbol.asyncDispose]: () => rowcast.stop() }
    rowcast.register('Tag')
    const tags = rowcast.subscribe('Tag')
    rowcast.start()
    expect(rowcast.status().state).toBe('connecting')
    await expect
      .poll(() => rowcast.status().lastError?.code, { timeout: 20_000 })
      .toBe('SOURCE_CONNECTION_REFUSED')
    await cluster.start()
    await rowcast.ready()
    expect(rowcast.status()).toMatchObject({ state: 'streaming', lastError: null, failures: 0 })
    await insertNumbers(database, 1, 1)
    expect((await takeChanges(tags, 1))[0]?.new?.name).toBe('1')
  })
})
