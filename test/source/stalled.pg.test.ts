/** A stream that is alive and brings nothing: PostgreSQL waits for a standby that is not there. */
import { describe, expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { openLiveRowcast, takeChanges } from '../support/live-rowcast.ts'
import { openPostgres, postgresMajor } from '../support/postgres.ts'

const canWaitForStandbys = postgresMajor() >= 17
const NET_MS = 60_000

// Without `synchronized_standby_slots` there is no such wait: PostgreSQL 16 and older.
describe.runIf(canWaitForStandbys)('a slot that does not move although WAL waits', () => {
  it('makes the process not ready, until it moves', { timeout: 180_000 }, async () => {
    await using server = await openPostgres()
    await using database = await openDatabase({ migrate: true, serverUrl: server.cluster.connectionString() })
    const alter = async (value: string) => {
      await database.query(`ALTER SYSTEM SET synchronized_standby_slots = '${value}'`)
      await database.query('SELECT pg_reload_conf()')
    }
    await using live = await openLiveRowcast(database, {
      ...{ models: ['Tag'], failover: true },
      ...{ watchIntervalMs: 100, stalledAfterMs: 1_000 },
    })
    const { rowcast } = live
    const changes = rowcast.subscribe('Tag')
    await database.query(`SELECT pg_create_physical_replication_slot('absent_standby')`)
    await alter('absent_standby')
    const setting = async () => (await database.query<{ v: string }>('SHOW synchronized_standby_slots'))[0]
    await expect.poll(setting, { timeout: NET_MS }).toEqual({ synchronized_standby_slots: 'absent_standby' })
    await database.query(`INSERT INTO "Tag" (name) VALUES ('held back')`)
    await expect.poll(() => rowcast.status().isReady, { timeout: NET_MS }).toBe(false)
    expect(rowcast.status()).toMatchObject({ state: 'streaming', lastError: { code: 'SOURCE_STALLED' } })
    expect(rowcast.status().stalledMs).toBeGreaterThanOrEqual(1_000)

    await alter('')
    expect((await takeChanges(changes, 1))[0]?.new?.name).toBe('held back')
    await expect.poll(() => rowcast.status().isReady, { timeout: NET_MS }).toBe(true)
    expect(rowcast.status()).toMatchObject({ stalledMs: 0, lastError: null })
  })
})
