/** The connection outlives slow consumers and huge transactions, and a blocked process loses it but no change. */
import { describe, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { liveBytes } from '../support/live-memory.ts'
import { openLiveRowcast, slotOf, takeChanges } from '../support/live-rowcast.ts'

const ROWS = 1_000_000
/** Far more than the queues and the log may hold, far less than a million changes take. */
const GROWTH_MAX_BYTES = 200 * 1024 * 1024
/** Changes between two looks at what is held. */
const LOOK_EVERY = 100_000

async function walsenderPid(database: TestDatabase): Promise<number | undefined> {
  const [slot] = await database.query<{ pid: number }>(
    'SELECT active_pid AS pid FROM pg_replication_slots WHERE slot_name = $1',
    [slotOf(database)],
  )
  return slot?.pid
}

describe('a transaction of a million rows', () => {
  it('beside a stalled subscriber costs neither the connection nor the memory', {
    timeout: 300_000,
  }, async () => {
    await using database = await openDatabase({ migrate: true })
    await database.query(`ALTER DATABASE ${database.name} SET wal_sender_timeout = '5s'`)
    await using live = await openLiveRowcast(database, { models: ['Tag'] })
    const stalled = live.rowcast.subscribe('Tag')
    const healthy = live.rowcast.subscribe('Tag')
    const pid = await walsenderPid(database)
    const rssBefore = process.memoryUsage.rss()
    const heldBefore = await liveBytes()
    let heldMax = heldBefore
    await database.query(`INSERT INTO "Tag" (name) SELECT i::text FROM generate_series(1, ${ROWS}) i`)
    let next = 0
    for await (const change of healthy) {
      expect(change.index).toBe(next)
      next += 1
      if (next % LOOK_EVERY === 0) heldMax = Math.max(heldMax, await liveBytes())
      if (next === ROWS) break
    }
    const rssGrowth = process.memoryUsage.rss() - rssBefore
    expect(await walsenderPid(database)).toBe(pid)
    expect(live.rowcast.status()).toMatchObject({ state: 'streaming', failures: 0 })
    await expect(
      (async () => {
        for await (const _ of stalled);
      })(),
    ).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
    const growth = heldMax - heldBefore
    const mib = (bytes: number): number => Math.round(bytes / 1024 / 1024)
    process.stdout.write(
      `A transaction of ${ROWS} rows: ${mib(growth)} MiB more held at most; RSS grew by ${mib(rssGrowth)} MiB.\n`,
    )
    expect(growth).toBeLessThan(GROWTH_MAX_BYTES)
  })
})

describe('an event loop that is blocked for longer than wal_sender_timeout', () => {
  it('loses the connection at most, and no change', async () => {
    await using database = await openDatabase({ migrate: true })
    await database.query(`ALTER DATABASE ${database.name} SET wal_sender_timeout = '500ms'`)
    await using live = await openLiveRowcast(database, { models: ['Tag'] })
    const tags = live.rowcast.subscribe('Tag')
    const rows = 2_000
    await database.query(`INSERT INTO "Tag" (name) SELECT i::text FROM generate_series(1, ${rows}) i`)
    const first = await takeChanges(tags, 1)
    const blockedUntilMs = performance.now() + 1_500
    while (performance.now() < blockedUntilMs);
    await database.query(`INSERT INTO "Tag" (name) VALUES ('after')`)
    const rest = await takeChanges(tags, rows)
    expect([...first, ...rest].map((change) => change.new?.name)).toEqual([
      ...Array.from({ length: rows }, (_, i) => String(i + 1)),
      'after',
    ])
  })
})
