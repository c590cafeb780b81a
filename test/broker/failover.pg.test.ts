/** PostgreSQL fails over under a tap: another timeline is another epoch of the stream, and subscribers of a gateway go on. */
import { describe, expect, it } from 'vitest'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { openDatabase } from '../support/database.ts'
import { slotOf, takeChanges } from '../support/live-rowcast.ts'
import { openPostgres, postgresMajor } from '../support/postgres.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { openRole } from '../support/scaled-rowcast.ts'
import { openStandby } from '../support/standby.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

const canRun = NO_REDIS === null && postgresMajor() >= 17

describe.runIf(canRun)('a failover under a tap (PostgreSQL 17 and later have slots that follow one)', () => {
  it('begins a new epoch, and a gateway goes on without a loss, a repetition or a word', {
    timeout: 180_000,
  }, async () => {
    await using primary = await openPostgres()
    await using standby = await openStandby(primary)
    await using redis = await openRedis()
    await using proxy = await openTcpProxy(primary.cluster.port)
    const database = await openDatabase({ migrate: true, serverUrl: primary.cluster.connectionString() })
    const url = database.url.replace(`:${primary.cluster.port}/`, `:${proxy.port}/`)
    const moving = { ...database, url }
    const onStandby = <Row extends object>(text: string) =>
      withSqlClient(standby.cluster.target(database.name), (sql) => sql.query<Row>(text))
    const options = { redisUrl: redis.url, failover: true, retain: { minutes: 0 }, watchIntervalMs: 500 }
    await using tap = await openRole(moving, 'tap', options)
    await using gateway = await openRole(moving, 'gateway', { redisUrl: redis.url })
    const isSynced = async () => {
      await database.query('INSERT INTO "Tag" (name) VALUES (gen_random_uuid()::text)')
      await database.query('SELECT pg_log_standby_snapshot()')
      const [slot] = await onStandby<{ done: boolean }>(
        `SELECT synced AND NOT temporary AND invalidation_reason IS NULL AS done FROM pg_replication_slots WHERE slot_name = '${slotOf(database)}'`,
      )
      return slot?.done ?? false
    }
    await expect.poll(isSynced, { timeout: 90_000, interval: 500 }).toBe(true)
    await database.query(`ALTER SYSTEM SET synchronized_standby_slots = 'standby_1'`)
    await database.query('SELECT pg_reload_conf()')
    const tags = gateway.rowcast.subscribe('Tag')
    await database.query(`INSERT INTO "Tag" (name) VALUES ('before')`)
    expect((await takeChanges(tags, 1))[0]?.new?.name).toBe('before')
    const epoch = gateway.rowcast.status().broker?.epoch
    proxy.refuse(true)
    proxy.cut()
    await database.query(`INSERT INTO "Tag" (name) VALUES ('in between')`)
    const [written] = await database.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn')
    const isReceived = async () => {
      const [row] = await onStandby<{ done: boolean }>(
        `SELECT pg_last_wal_replay_lsn() >= '${written?.lsn}' AS done`,
      )
      return row?.done
    }
    await expect.poll(isReceived, { timeout: 30_000 }).toBe(true)
    await primary.cluster.stop('immediate')
    proxy.retarget(standby.cluster.port)
    proxy.refuse(false)
    await withSqlClient(standby.cluster.target(), (sql) => sql.query('SELECT pg_promote()'))
    await onStandby(`INSERT INTO "Tag" (name) VALUES ('after')`)
    const changes = await takeChanges(tags, 2)
    expect(changes.map((change) => change.new?.name)).toEqual(['in between', 'after'])
    expect(changes.map((change) => change.transaction.origin.timeline)).toEqual([2, 2])
    expect(gateway.rowcast.status().broker?.epoch).not.toBe(epoch)
    expect(tap.rowcast.status().system?.timeline).toBe(2)
  })
})
