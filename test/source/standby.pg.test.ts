/**
 * A standby beside its primary: which of them is taken where the address lets both do, what `doctor` says of each, and changes that the standby
 * sends. How it judges what it finds: standby-facts.test.ts.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Finding } from '../../src/cli/doctor/examination.ts'
import { isRowcastError } from '../../src/errors.ts'
import { parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { withDatabaseSession, withSqlClient } from '../../src/source/db/sql.ts'
import { readWriters } from '../../src/source/published/published-tables-sql.ts'
import { isQuiet } from '../../src/source/published/writers.ts'
import { runOnSlotServer } from '../../src/source/setup/standby-slot.ts'
import { openReplicationConnection } from '../../src/wire/connection.ts'
import { openCliFolder } from '../cli/run-cli.ts'
import { buildRowcast, type ScenarioOptions, TABLES, watchOf } from '../scenarios/scenario.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openLiveRowcast, slotOf } from '../support/live-rowcast.ts'
import { openPostgres, postgresMajor, type TestPostgres } from '../support/postgres.ts'
import { openCopy } from '../support/standby.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

let primary: TestPostgres
let standby: TestPostgres
let database: TestDatabase

beforeAll(async () => {
  primary = await openPostgres()
  const { cluster } = primary
  standby = await openCopy(cluster, {
    primary_conninfo: `host=127.0.0.1 port=${cluster.port} user=postgres password=${cluster.target().password}`,
    hot_standby_feedback: true,
  })
  database = await openDatabase({ migrate: true, serverUrl: cluster.connectionString() })
}, 180_000)
afterAll(async () => {
  for (const part of [database, standby, primary]) await part?.[Symbol.asyncDispose]()
})

/** An address of both, the standby first. */
const both = (more: string) =>
  `${database.url.replace(/@[^/]*/, `@127.0.0.1:${standby.cluster.port},127.0.0.1:${primary.cluster.port}`)}${more}`

it('`any` is a primary where one is there, whichever comes first, and a standby only where none is', async () => {
  const target = parseConnectionTarget(both('?target_session_attrs=any'))
  const isStandby = async () => {
    const [row] = await withDatabaseSession(target, (sql) =>
      sql.query<{ is: boolean }>('SELECT pg_is_in_recovery() AS is'),
    )
    return row?.is
  }
  await expect.poll(isStandby).toBe(false)
  const connection = await openReplicationConnection(target, { applicationName: 'rowcast test' })
  expect(await connection.query('SELECT pg_is_in_recovery() AS is')).toEqual([{ is: false }])
  await connection.close()
  await primary.cluster.stop('fast')
  expect(await isStandby()).toBe(true)
  await primary.cluster.start()
  expect(await isStandby()).toBe(false)
})

it('`doctor` looks at each host of the address', async () => {
  const url = both('').replace(`:${primary.cluster.port}/`, `:${primary.cluster.port},127.0.0.1:1/`)
  await using folder = await openCliFolder({ DATABASE_URL: url }, 'models: { Tag: {} }')
  const { stdout } = await folder.run(['doctor', '--json'])
  const { findings } = JSON.parse(stdout) as { findings: readonly Finding[] }
  const found = (code: string) => findings.filter((each) => each.code === code).map(({ why }) => why)
  expect(found('HOST_UNREACHABLE')).toEqual([
    expect.stringMatching(/^127\.0\.0\.1:1 does not let rowcast in/),
  ])
  expect(found('STANDBY_LACKS_SLOT')).toEqual([
    expect.stringContaining(`:${standby.cluster.port} is a standby`),
  ])
})

const atStandby = <Row extends object>(at: TestDatabase, text: string) =>
  withSqlClient(standby.cluster.target(at.name), (sql) => sql.query<Row>(text))

/** Changes of a database of its own, sent by the standby. */
async function openScenario(options: ScenarioOptions['options'] = {}) {
  const own = await openDatabase({ serverUrl: primary.cluster.connectionString() })
  onTestFinished(() => own[Symbol.asyncDispose]())
  await own.query(TABLES)
  // After its primary was restarted it follows again within wal_retrieve_retry_interval: until then it has no such database.
  await replayed()
  const replicationUrl = standby.cluster.connectionString(own.name)
  const start = () => {
    const rowcast = buildRowcast(own, { options: { replicationUrl, retain: { minutes: 10 }, ...options } })
    onTestFinished(() => rowcast.stop())
    return rowcast
  }
  return { own, start, replicationUrl }
}

it('a standby counts on who begins after an ALTER PUBLICATION and before its commit, with an id above all that are over', async () => {
  const own = await openDatabase({ serverUrl: primary.cluster.connectionString() })
  onTestFinished(() => own[Symbol.asyncDispose]())
  await own.query(`${TABLES}; CREATE PUBLICATION late`)
  const [table] = await own.query<{ oid: number }>(`SELECT 'items'::regclass::oid AS oid`)
  const look = async () => {
    await replayed()
    return withSqlClient(standby.cluster.target(own.name), (sql) =>
      readWriters((text) => sql.query(text), new Map([['Item', [Number(table?.oid)]]])),
    )
  }
  const at = primary.cluster.target(own.name)
  await withSqlClient(at, (migration) =>
    withSqlClient(at, async (writer) => {
      await migration.execute('BEGIN; ALTER PUBLICATION late ADD TABLE items')
      await writer.execute(`BEGIN; INSERT INTO items VALUES (1, 'unpublished')`)
      await migration.execute('COMMIT')
      const [row] = await own.query<{ xid: string }>(
        `SELECT max(transactionid::text::bigint)::text AS xid FROM pg_locks WHERE locktype = 'transactionid'`,
      )
      const open = await look()
      expect(isQuiet(open, 'Item')).toBe(false)
      expect(open.open?.below).toBeGreaterThan(BigInt(row?.xid ?? 'none'))
      await writer.execute('COMMIT')
      expect((await look()).open?.from).toBeGreaterThanOrEqual(open.open?.below ?? 0n)
    }),
  )
})

/** The standby has all that the primary has written. */
async function replayed(): Promise<void> {
  const [end] = await database.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn')
  const isThere = async () => {
    const [row] = await atStandby<{ is: boolean }>(
      database,
      `SELECT pg_last_wal_replay_lsn() >= '${end?.lsn}' AS is`,
    )
    return row?.is
  }
  await expect.poll(isThere).toBe(true)
}

const slotsAt = (of: TestDatabase) =>
  `SELECT slot_name AS name FROM pg_replication_slots WHERE database = '${of.name}'`

// Before 16 a standby has no slots of its own.
describe.runIf(postgresMajor() >= 16)('a standby that sends the changes', () => {
  it('has the slot, and the primary all else; each change comes once, also after a restart; disable leaves nothing', async () => {
    const { own, start } = await openScenario()
    const rowcast = start()
    await rowcast.enable()
    expect(await own.query(slotsAt(own))).toEqual([])
    expect(await atStandby(own, slotsAt(own))).toEqual([{ name: slotOf(own) }])
    rowcast.start()
    await rowcast.ready()
    const watch = watchOf(rowcast, 'Item')
    await own.query(`INSERT INTO items VALUES (1, 'a'), (2, 'b')`)
    await own.query(`UPDATE items SET note = 'c' WHERE id = 1`)
    const [, , last] = await watch.take(3)
    expect(last).toMatchObject({ action: 'UPDATE', old: { note: 'a' }, new: { note: 'c' } })
    await rowcast.stop()
    await own.query('DELETE FROM items WHERE id = 2')

    const again = start()
    again.start()
    await again.ready()
    const resumed = watchOf(again, 'Item', last?.cursor)
    expect(await resumed.next()).toMatchObject({ action: 'DELETE', old: { id: 2 } })
    await own.query('DELETE FROM items WHERE id = 1')
    expect(await resumed.next()).toMatchObject({ action: 'DELETE', old: { id: 1 } })
    expect(again.status()).toMatchObject({ state: 'streaming', streamsStarted: 1, lastError: null })
    await again.disable()
    expect(await atStandby(own, slotsAt(own))).toEqual([])
    expect(await own.query('SELECT FROM pg_publication')).toEqual([])
  })

  it('`status` finds the reader where the slot is', async () => {
    await replayed()
    const replicationUrl = standby.cluster.connectionString(database.name)
    await using _ = await openLiveRowcast(database, { models: ['Tag'], replicationUrl })
    const config = `models: { Tag: {} }, slot: '${slotOf(database)}', replicationUrl: '${replicationUrl}'`
    await using folder = await openCliFolder({ DATABASE_URL: database.url }, config)
    const { stdout } = await folder.run(['status', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({
      reader: { name: `rowcast: ${slotOf(database)}`, state: 'streaming' },
      problem: null,
    })
  })

  it.each([
    ['beside its primary', false],
    ['alone, with a slot made by hand', true],
  ])(
    '%s waits for those who write on the primary: what they wrote unpublished is a gap, and nobody begins in it',
    async (_, isAlone) => {
      const { own, start, replicationUrl } = await openScenario()
      await start().enable()
      const alone = { connectionString: replicationUrl }
      const rowcast = isAlone ? buildRowcast(own, { options: alone }) : start()
      onTestFinished(() => rowcast.stop())
      rowcast.start()
      await rowcast.ready()
      const watch = watchOf(rowcast, 'Item')
      await own.query(`INSERT INTO items VALUES (1, 'before')`)
      const { cursor } = await watch.next()
      await own.query('ALTER PUBLICATION rowcast DROP TABLE items')
      await withSqlClient(primary.cluster.target(own.name), async (writer) => {
        await writer.execute(`BEGIN; INSERT INTO items VALUES (2, 'unpublished')`)
        await own.query('ALTER PUBLICATION rowcast ADD TABLE items')
        expect(await watch.failure()).toMatchObject({ code: expect.stringMatching(/NOT_PUBLISHED|RESYNC/) })
        // Whoever begins now would miss it, however often is looked.
        const code = () => {
          try {
            watchOf(rowcast, 'Item')
            return null
          } catch (error) {
            return isRowcastError(error) ? error.code : error
          }
        }
        await expect.poll(code).toBe('SOURCE_TABLE_CHANGED')
        const others = watchOf(rowcast, 'Other')
        await own.query('ALTER PUBLICATION rowcast DROP TABLE others')
        // Another look has been.
        await others.failure()
        expect(code()).toBe('SOURCE_TABLE_CHANGED')
        await writer.execute('COMMIT')
      })
      const isOpen = async () => {
        try {
          const fresh = watchOf(rowcast, 'Item')
          await own.query(`INSERT INTO items VALUES ((SELECT max(id) + 1 FROM items), 'after')`)
          return (await fresh.next()).new?.['note']
        } catch {
          return null
        }
      }
      await expect.poll(isOpen).toBe('after')
      expect(await watchOf(rowcast, 'Item', cursor).failure()).toMatchObject({ code: 'RESYNC_REQUIRED' })
      expect(rowcast.status().streamsStarted).toBe(1)
    },
  )

  it('is judged before it gets a slot: that of another cluster would hold WAL there for ever', async () => {
    const foreign = await openDatabase()
    onTestFinished(() => foreign[Symbol.asyncDispose]())
    await withSqlClient(primary.cluster.target(), (sql) => sql.execute(`CREATE DATABASE ${foreign.name}`))
    await withSqlClient(primary.cluster.target(foreign.name), (sql) => sql.execute(TABLES))
    const connectionString = primary.cluster.connectionString(foreign.name)
    const rowcast = buildRowcast(foreign, { options: { connectionString, replicationUrl: foreign.url } })
    onTestFinished(() => rowcast.stop())
    await expect(rowcast.enable()).rejects.toMatchObject({ code: 'SOURCE_STANDBY_MISMATCH' })
    expect(await foreign.query(slotsAt(foreign))).toEqual([])
  })

  it('that has lost the slot gets another one, behind a gap', async () => {
    const { own, start } = await openScenario()
    const rowcast = start()
    await rowcast.enable()
    rowcast.start()
    await rowcast.ready()
    const watch = watchOf(rowcast, 'Item')
    await own.query(`INSERT INTO items VALUES (1, 'before')`)
    await watch.next()
    await atStandby(
      own,
      `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '${slotOf(own)}'`,
    )
    await expect
      .poll(() =>
        atStandby(own, `SELECT pg_drop_replication_slot('${slotOf(own)}')`).then(
          () => true,
          () => false,
        ),
      )
      .toBe(true)
    expect(await watch.failure()).toMatchObject({ code: 'RESYNC_REQUIRED' })
    await rowcast.ready()
    const next = watchOf(rowcast, 'Item')
    await own.query(`INSERT INTO items VALUES (2, 'after')`)
    expect(await next.next()).toMatchObject({ new: { note: 'after' } })
    expect(await atStandby(own, slotsAt(own))).toEqual([{ name: slotOf(own) }])
  })

  it('`doctor` and `status` look at both; a standby that does not replay is waited for, and then named', async () => {
    const { own, replicationUrl } = await openScenario()
    await own.query('CREATE TABLE "Tag" (id serial PRIMARY KEY, name text UNIQUE NOT NULL, color text)')
    const config = `models: { Tag: {} }, replicationUrl: ${JSON.stringify(replicationUrl)}`
    await using folder = await openCliFolder({ DATABASE_URL: own.url }, config)
    expect(await folder.run(['enable'])).toMatchObject({ code: 0 })
    const { stdout } = await folder.run(['doctor', '--json'])
    const { findings } = JSON.parse(stdout) as { findings: readonly Finding[] }
    expect(findings.map(({ code }) => code)).not.toContain('SETUP_PENDING')
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([])
    const status = JSON.parse((await folder.run(['status', '--json'])).stdout) as object
    expect(JSON.stringify(status)).not.toContain('SOURCE_SLOT_MISSING')
    // Earlier changes are in the slot on the standby.
    await own.query(`INSERT INTO "Tag" (name) VALUES ('kept')`)
    const tail = await folder.run(['tail', '--from', 'earliest', '--limit', '1', '--json'])
    expect(tail).toMatchObject({ code: 0, stdout: expect.stringContaining('kept') })
    expect((await folder.run(['disable', '--yes'])).code).toBe(0)

    const target = { ...parseConnectionTarget(own.url), standby: parseConnectionTarget(replicationUrl) }
    await atStandby(own, 'SELECT pg_wal_replay_pause()')
    await own.query('CREATE TABLE later (id int)')
    const late = runOnSlotServer(target, 'SELECT 1', 300)
    await expect(late).rejects.toMatchObject({ code: 'SOURCE_STANDBY_BEHIND' })
    await atStandby(own, 'SELECT pg_wal_replay_resume()')
    await runOnSlotServer(target, 'SELECT 1')
  })

  // Last: there is no standby any more afterwards.
  it('and is promoted: the old primary is not followed, and behind a name that leads to the new one all go on', async () => {
    const { own, start } = await openScenario()
    await using proxy = await openTcpProxy(primary.cluster.port)
    const connectionString = own.url.replace(`:${primary.cluster.port}/`, `:${proxy.port}/`)
    const rowcast = buildRowcast(own, {
      options: { connectionString, replicationUrl: standby.cluster.connectionString(own.name) },
    })
    onTestFinished(() => rowcast.stop())
    await start().enable()
    rowcast.start()
    await rowcast.ready()
    const watch = watchOf(rowcast, 'Item')
    await own.query(`INSERT INTO items VALUES (1, 'before')`)
    expect(await watch.next()).toMatchObject({ new: { note: 'before' } })

    await atStandby(own, 'SELECT pg_promote()')
    await expect.poll(() => rowcast.status().lastError?.code).toBe('SOURCE_STANDBY_MISMATCH')
    // Nobody has it but the server that was given up.
    await own.query(`INSERT INTO items VALUES (2, 'given up')`)
    await primary.cluster.stop('immediate')
    proxy.cut()
    proxy.retarget(standby.cluster.port)
    await expect.poll(() => rowcast.status().system?.timeline).toBe(2)
    await rowcast.ready()
    await atStandby(own, `INSERT INTO items VALUES (3, 'after')`)
    expect(await watch.next()).toMatchObject({ new: { note: 'after' } })
    await primary.cluster.start()
  })
})
