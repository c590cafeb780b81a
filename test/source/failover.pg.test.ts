/** A standby that takes over: with a synchronised slot nothing is lost; without one, or behind, nothing is hidden. */
import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { applyMigrations } from '../../src/embedded/migrations.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { withDatabaseSession, withSqlClient } from '../../src/source/db/sql.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openLiveRowcast, slotOf, takeChanges } from '../support/live-rowcast.ts'
import { openPostgres, postgresMajor, type TestPostgres } from '../support/postgres.ts'
import { openCopy, openStandby } from '../support/standby.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

const hasFailoverSlots = postgresMajor() >= 17

const MIGRATIONS_FOLDER = fileURLToPath(new URL('../../prisma/migrations', import.meta.url))

const KEPT_ROWS = 20_000

const insert = (database: TestDatabase, name: string) =>
  database.query('INSERT INTO "Tag" (name) VALUES ($1)', [name])

/** Runs a statement in the same database on the standby. */
function onStandby<Row extends object>(standby: TestPostgres, database: TestDatabase, text: string) {
  return withSqlClient(standby.cluster.target(database.name), (sql) => sql.query<Row>(text))
}

async function openPair() {
  const primary = await openPostgres()
  const standby = await openStandby(primary)
  const database = await openDatabase({ migrate: true, serverUrl: primary.cluster.connectionString() })
  const proxy = await openTcpProxy(primary.cluster.port)
  const connectionString = database.url.replace(`:${primary.cluster.port}/`, `:${proxy.port}/`)
  return {
    ...{ primary, standby, database, proxy, connectionString },
    async [Symbol.asyncDispose]() {
      // The database is on a server that is gone by then.
      await Promise.resolve(database[Symbol.asyncDispose]()).catch(() => {})
      for (const part of [proxy, standby, primary]) await part[Symbol.asyncDispose]()
    },
  }
}

/** Waits until the standby has a copy of the slot that survives a promotion. */
async function awaitSynced(standby: TestPostgres, database: TestDatabase): Promise<void> {
  const isSynced = async () => {
    await insert(database, `tick ${randomUUID()}`)
    await database.query('SELECT pg_log_standby_snapshot()')
    const [slot] = await onStandby<{ done: boolean }>(
      standby,
      database,
      `SELECT synced AND NOT temporary AND invalidation_reason IS NULL AS done FROM pg_replication_slots WHERE slot_name = '${slotOf(database)}'`,
    )
    return slot?.done ?? false
  }
  await expect.poll(isSynced, { timeout: 90_000, interval: 500 }).toBe(true)
}

async function promote(standby: TestPostgres): Promise<void> {
  await withSqlClient(standby.cluster.target(), (sql) => sql.query('SELECT pg_promote()'))
}

/** Inserts where the application is now, through a session of its own. */
function insertOn(server: TestPostgres, database: TestDatabase, name: string) {
  return onStandby(server, database, `INSERT INTO "Tag" (name) VALUES ('${name}')`)
}

describe.runIf(hasFailoverSlots)('a failover (PostgreSQL 17 and later have slots that follow one)', () => {
  it('with a synchronised slot loses nothing, repeats nothing, and notifies nobody', {
    timeout: 180_000,
  }, async () => {
    await using pair = await openPair()
    const { primary, standby, database, proxy, connectionString } = pair
    await using live = await openLiveRowcast(database, {
      models: ['Tag'],
      connectionString,
      failover: true,
      retain: { minutes: 0 },
      watchIntervalMs: 500,
    })
    await awaitSynced(standby, database)
    // From here on nothing is sent to us that the standby does not have.
    await database.query(`ALTER SYSTEM SET synchronized_standby_slots = 'standby_1'`)
    await database.query('SELECT pg_reload_conf()')
    const tags = live.rowcast.subscribe('Tag')
    await insert(database, 'before')
    expect((await takeChanges(tags, 1))[0]?.new?.name).toBe('before')
    // Committed while we are cut off, and received by the standby: it must come from there.
    proxy.refuse(true)
    proxy.cut()
    await insert(database, 'in between')
    const [written] = await database.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn')
    const isReceived = async () => {
      const [row] = await onStandby<{ done: boolean }>(
        standby,
        database,
        `SELECT pg_last_wal_replay_lsn() >= '${written?.lsn}' AS done`,
      )
      return row?.done
    }
    await expect.poll(isReceived, { timeout: 30_000 }).toBe(true)
    await primary.cluster.stop('immediate')
    proxy.retarget(standby.cluster.port)
    proxy.refuse(false)
    // Before the promotion the standby answers, and is not taken for a primary that lost its slot.
    await expect
      .poll(() => live.rowcast.status().lastError?.code, { timeout: 20_000 })
      .toBe('SOURCE_STANDBY_SERVER')
    await promote(standby)
    await insertOn(standby, database, 'after')
    expect((await takeChanges(tags, 2)).map((change) => change.new?.name)).toEqual(['in between', 'after'])
    expect(live.rowcast.status()).toMatchObject({ system: { timeline: 2 }, slotHealth: { isFailover: true } })
  })

  it('to a standby that lacks what was delivered ends every subscription', { timeout: 180_000 }, async () => {
    await using pair = await openPair()
    const { primary, standby, database, proxy, connectionString } = pair
    await using live = await openLiveRowcast(database, {
      models: ['Tag'],
      connectionString,
      failover: true,
      retain: { minutes: 0 },
      watchIntervalMs: 500,
    })
    await awaitSynced(standby, database)
    await standby.cluster.stop('fast')
    const tags = live.rowcast.subscribe('Tag')
    await insert(database, 'never replicated')
    expect((await takeChanges(tags, 1))[0]?.new?.name).toBe('never replicated')
    proxy.refuse(true)
    proxy.cut()
    await primary.cluster.stop('immediate')
    await standby.cluster.start()
    await promote(standby)
    proxy.retarget(standby.cluster.port)
    proxy.refuse(false)
    await expect(takeChanges(tags, 1)).rejects.toMatchObject({
      code: 'RESYNC_REQUIRED',
      details: { reason: 'timeline-diverged' },
    })
    await live.rowcast.ready()
    const again = live.rowcast.subscribe('Tag')
    await insertOn(standby, database, 'after')
    expect((await takeChanges(again, 1))[0]?.new?.name).toBe('after')
  })

  it('to a standby without the slot ends every subscription, and restarts there', {
    timeout: 180_000,
  }, async () => {
    await using pair = await openPair()
    const { primary, standby, database } = pair
    // Both are in the address: the standby comes first, and is passed over until it is promoted.
    const servers = [standby, primary].map(({ cluster }) => `127.0.0.1:${cluster.port}`).join(',')
    const connectionString = database.url.replace(/@[^/]*/, `@${servers}`)
    const session = async (url: string) =>
      withDatabaseSession(parseConnectionTarget(url), (sql) =>
        sql.query<{ port: number; standby: boolean }>(
          `SELECT inet_server_port() AS port, pg_is_in_recovery() AS standby`,
        ),
      )
    for (const url of [connectionString, `${connectionString}?target_session_attrs=any`])
      expect(await session(url)).toEqual([{ port: primary.cluster.port, standby: false }])
    await using live = await openLiveRowcast(database, { models: ['Tag'], connectionString })
    const tags = live.rowcast.subscribe('Tag')
    await insert(database, 'before')
    await takeChanges(tags, 1)
    const [written] = await database.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn')
    const isReplayed = async () => {
      const [row] = await withSqlClient(standby.cluster.target(), (sql) =>
        sql.query<{ done: boolean }>('SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn AS done', [written?.lsn]),
      )
      return row?.done
    }
    await expect.poll(isReplayed, { timeout: 30_000 }).toBe(true)
    await primary.cluster.stop('immediate')
    await expect
      .poll(() => live.rowcast.status().lastError?.code, { timeout: 20_000 })
      .toBe('SOURCE_STANDBY_SERVER')
    await promote(standby)
    await expect(takeChanges(tags, 1)).rejects.toMatchObject({
      code: 'RESYNC_REQUIRED',
      details: { reason: 'slot-dropped' },
    })
    await live.rowcast.ready()
    const again = live.rowcast.subscribe('Tag')
    await insertOn(standby, database, 'after')
    expect((await takeChanges(again, 1))[0]?.new?.name).toBe('after')
  })
})

describe('a failover while the old primary lives on, to a slot that stands far behind', () => {
  it('gives those who got what exists nowhere a cursor from behind all that the new primary has: nothing comes again', {
    timeout: 180_000,
  }, async () => {
    await using primary = await openPostgres()
    const database = await openDatabase({ migrate: true, serverUrl: primary.cluster.connectionString() })
    await using proxy = await openTcpProxy(primary.cluster.port)
    const connectionString = database.url.replace(`:${primary.cluster.port}/`, `:${proxy.port}/`)
    await using live = await openLiveRowcast(database, { models: ['Tag'], connectionString })
    const tags = live.rowcast.subscribe('Tag')
    await database.query(
      `INSERT INTO "Tag" (name) SELECT 'kept ' || n FROM generate_series(1, ${KEPT_ROWS}) AS n`,
    )
    await takeChanges(tags, KEPT_ROWS)
    await using standby = await openCopy(primary.cluster, {})
    await promote(standby)
    await insert(database, 'stray')
    expect((await takeChanges(tags, 1))[0]?.new?.name).toBe('stray')
    // The position is asked for while what the slot still has is on its way.
    await live.rowcast.changeCursor()
    proxy.retarget(standby.cluster.port)
    proxy.cut()
    await expect(takeChanges(tags, 1)).rejects.toMatchObject({ details: { reason: 'timeline-diverged' } })
    const after = await live.rowcast.changeCursor()
    const again = live.rowcast.subscribe('Tag', { after })
    await insertOn(standby, database, 'new')
    expect((await takeChanges(again, 1))[0]?.new?.name).toBe('new')
  })
})

describe('another cluster behind the same address', () => {
  it('ends every subscription, and restarts there', async () => {
    await using one = await openPostgres({ password: 'of both' })
    await using two = await openPostgres({ password: 'of both' })
    const migrated = async (server: TestPostgres) => {
      const { cluster } = server
      await cluster.createDatabase('shop')
      await applyMigrations({ target: cluster.target('shop'), folder: MIGRATIONS_FOLDER })
    }
    await migrated(one)
    await migrated(two)
    await using proxy = await openTcpProxy(one.cluster.port)
    const rowcast = createRowcast({
      connectionString: one.cluster
        .connectionString('shop')
        .replace(`:${one.cluster.port}/`, `:${proxy.port}/`),
      catalog,
      enableOnStart: true,
    })
    await using _stopped = { [Symbol.asyncDispose]: () => rowcast.stop() }
    rowcast.register('Tag').start()
    await rowcast.ready()
    const tags = rowcast.subscribe('Tag')
    proxy.retarget(two.cluster.port)
    proxy.cut()
    await expect(takeChanges(tags, 1)).rejects.toMatchObject({
      code: 'RESYNC_REQUIRED',
      details: { reason: 'other-cluster' },
    })
    await rowcast.ready()
    const again = rowcast.subscribe('Tag')
    await withSqlClient(two.cluster.target('shop'), (sql) =>
      sql.execute(`INSERT INTO "Tag" (name) VALUES ('there')`),
    )
    expect((await takeChanges(again, 1))[0]?.new?.name).toBe('there')
  })
})
