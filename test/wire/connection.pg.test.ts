/** The replication connection against a real walsender and a network that misbehaves. */
import { describe, expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { openDatabase } from '../support/database.ts'
import { openLiveRowcast, slotOf, takeChanges } from '../support/live-rowcast.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

describe('the replication connection', () => {
  it('is given up when the server falls silent, and comes back without a loss', async () => {
    await using database = await openDatabase({ migrate: true })
    // Per database, so that the walsender of this test alone is impatient.
    await database.query(`ALTER DATABASE ${database.name} SET wal_sender_timeout = '500ms'`)
    await using proxy = await openTcpProxy(Number(database.target.port))
    const viaProxy = database.url.replace(`:${database.target.port}/`, `:${proxy.port}/`)
    await using live = await openLiveRowcast(database, { models: ['Tag'], connectionString: viaProxy })
    const tags = live.rowcast.subscribe('Tag')
    proxy.stall()
    await database.query(`INSERT INTO "Tag" (name) VALUES ('while silent')`)
    await expect
      .poll(() => live.rowcast.status().lastError?.code, { timeout: 20_000 })
      .toBe('WIRE_CONNECTION_LOST')
    proxy.cut()
    proxy.resume()
    expect((await takeChanges(tags, 1))[0]?.new?.name).toBe('while silent')
  })

  it('survives cuts between any two rows', async () => {
    await using database = await openDatabase({ migrate: true })
    await using proxy = await openTcpProxy(Number(database.target.port))
    const viaProxy = database.url.replace(`:${database.target.port}/`, `:${proxy.port}/`)
    await using live = await openLiveRowcast(database, { models: ['Tag'], connectionString: viaProxy })
    const tags = live.rowcast.subscribe('Tag')
    const rows = 30
    for (let i = 0; i < rows; i += 1) {
      await database.query(`INSERT INTO "Tag" (name) VALUES ($1), ($2)`, [`${i}a`, `${i}b`])
      if (i % 3 === 0) proxy.cut()
    }
    const names = (await takeChanges(tags, rows * 2)).map((change) => change.new?.name)
    expect(names).toEqual(Array.from({ length: rows }, (_, i) => [`${i}a`, `${i}b`]).flat())
    expect(proxy.accepted).toBeGreaterThan(1)
  })

  it('keeps an idle connection for longer than wal_sender_timeout', async () => {
    await using database = await openDatabase({ migrate: true })
    await database.query(`ALTER DATABASE ${database.name} SET wal_sender_timeout = '300ms'`)
    await using live = await openLiveRowcast(database, { models: ['Tag'] })
    const pid = async () => {
      const [slot] = await database.query<{ active_pid: number }>(
        'SELECT active_pid FROM pg_replication_slots WHERE slot_name = $1',
        [slotOf(database)],
      )
      return slot?.active_pid
    }
    const before = await pid()
    // Idle time is what is tested here: three timeouts of it, by the server's own clock.
    await database.query('SELECT pg_sleep(1)')
    expect(await pid()).toBe(before)
    expect(live.rowcast.status().failures).toBe(0)
  })

  it('asks a second reader of the slot to stand by, and lets it take over when the first one ends', async () => {
    await using database = await openDatabase({ migrate: true })
    const second = createRowcast({
      connectionString: database.url,
      catalog,
      slot: slotOf(database),
    }).register('Tag')
    await using _stopped = { [Symbol.asyncDispose]: () => second.stop() }
    const tags = second.subscribe('Tag')
    {
      await using _first = await openLiveRowcast(database, { models: ['Tag'] })
      second.start()
      await expect.poll(() => second.status().state, { timeout: 20_000 }).toBe('standby')
      const [slot] = await database.query<{ pid: number }>(
        'SELECT active_pid AS pid FROM pg_replication_slots WHERE slot_name = $1',
        [slotOf(database)],
      )
      expect(second.status()).toMatchObject({
        isReady: false,
        lastError: { code: 'SOURCE_SLOT_IN_USE', details: { pid: slot?.pid } },
      })
      expect(second.status().lastError?.message).toContain(`("rowcast: ${slotOf(database)}")`)
    }
    await second.ready()
    await database.query(`INSERT INTO "Tag" (name) VALUES ('after the change of guard')`)
    expect((await takeChanges(tags, 1))[0]?.new?.name).toBe('after the change of guard')
  })
})
