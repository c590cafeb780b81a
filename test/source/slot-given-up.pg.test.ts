/** Slots that a real PostgreSQL gives up, or has none left of: each reason ends with its code and its hint, and a gap where there is one. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createPostgresCluster, type PostgresCluster } from '../../src/embedded/postgres-cluster.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { quoteLiteral } from '../../src/wire/quote.ts'
import { buildRowcast, TABLES, watchOf } from '../scenarios/scenario.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { openPostgres, postgresMajor, type TestPostgres, testPackage } from '../support/postgres.ts'
import { openCopy } from '../support/standby.ts'

const SLOTS_MAX = 3

let postgres: TestPostgres
let database: TestDatabase

beforeAll(async () => {
  postgres = await openPostgres({ settings: { max_replication_slots: SLOTS_MAX } })
  database = await openDatabase({ serverUrl: postgres.cluster.connectionString() })
  await database.query(TABLES)
}, 60_000)

afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]()
})

/** The state of our slot where the session is. */
interface SlotRow {
  readonly status: string
}

function runOn<Row extends object>(cluster: PostgresCluster, text: string): Promise<readonly Row[]> {
  return withSqlClient(cluster.target(database.name), (sql) => sql.query<Row>(text))
}

async function isLost(cluster: PostgresCluster): Promise<boolean> {
  const text = `SELECT wal_status AS status FROM pg_replication_slots WHERE slot_name = ${quoteLiteral(slotOf(database))}`
  return (await runOn<SlotRow>(cluster, text))[0]?.status === 'lost'
}

/** The error that a rowcast reports at the address within its first attempts. */
async function errorAt(connectionString: string, onSlotLost: 'stop' | 'recreate') {
  const rowcast = buildRowcast(database, { options: { connectionString, onSlotLost } })
  rowcast.start()
  try {
    await expect.poll(() => rowcast.status().lastError).not.toBeNull()
    return rowcast.status().lastError
  } finally {
    await rowcast.stop()
  }
}

describe('a slot', () => {
  it.runIf(postgresMajor() >= 18)(
    'that was idle for too long is named with its setting; a fresh one is a gap',
    async () => {
      const rowcast = buildRowcast(database)
      await rowcast.enable()
      rowcast.start()
      await rowcast.ready()
      const watch = watchOf(rowcast, 'Item')
      await database.query('INSERT INTO items VALUES (1)')
      const { cursor } = await watch.next()
      await rowcast.stop()
      await database.query(`ALTER SYSTEM SET idle_replication_slot_timeout = '1s'`)
      await database.query('SELECT pg_reload_conf()')
      const isGivenUp = async () => {
        await database.query('CHECKPOINT')
        return isLost(postgres.cluster)
      }
      await expect.poll(isGivenUp, { timeout: 30_000, interval: 200 }).toBe(true)
      await database.query('ALTER SYSTEM RESET idle_replication_slot_timeout')
      await database.query('SELECT pg_reload_conf()')
      expect(await errorAt(database.url, 'stop')).toMatchObject({
        code: 'SOURCE_SLOT_INVALIDATED',
        details: { invalidationReason: 'idle_timeout' },
        hint: expect.stringContaining('idle_replication_slot_timeout'),
      })
      const again = buildRowcast(database, { options: { onSlotLost: 'recreate' } })
      onTestFinished(() => again.stop())
      again.start()
      await again.ready()
      expect(await watchOf(again, 'Item', cursor).failure()).toMatchObject({ code: 'RESYNC_REQUIRED' })
    },
    60_000,
  )

  it('for which the server has no room is not made, and the hint says where to look', async () => {
    for (const name of ['rowcast_old_1', 'rowcast_old_2', 'rowcast_old_3']) {
      await database
        .query(`SELECT pg_create_logical_replication_slot('${name}', 'pgoutput')`)
        .catch(() => undefined)
    }
    const options = { slot: 'one_too_many' }
    await expect(buildRowcast(database, { options }).enable()).rejects.toMatchObject({
      code: 'SOURCE_SQL_FAILED',
      details: { sqlstate: '53400' },
      hint: expect.stringMatching(/rowcast slots.*max_replication_slots/s),
    })
    await database.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots')
  })
})

/** Makes our slot on the standby; PostgreSQL waits for the primary to say which transactions are open. */
async function makeSlotOn(standby: PostgresCluster): Promise<void> {
  const slot = quoteLiteral(slotOf(database))
  let isMade = false
  const made = runOn(standby, `SELECT pg_create_logical_replication_slot(${slot}, 'pgoutput')`).finally(
    () => {
      isMade = true
    },
  )
  const helping = async (): Promise<void> => {
    while (!isMade) {
      await runOn(postgres.cluster, 'SELECT pg_log_standby_snapshot()')
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  await Promise.all([made, helping()])
}

// Before 16 a standby has no slots of its own.
describe.runIf(postgresMajor() >= 16)('a slot that was made on a standby by hand', () => {
  it('is used as it is; what the primary does to it is named, with what prevents it, and it is left for a person', async () => {
    const { cluster: primary } = postgres
    await buildRowcast(database).enable()
    await database.query('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots')
    await database.query(`SELECT pg_create_physical_replication_slot('standby_1', true)`)
    await using standby = await openCopy(primary, {
      primary_conninfo: `host=127.0.0.1 port=${primary.port} user=postgres password=${primary.target().password}`,
      primary_slot_name: 'standby_1',
      hot_standby_feedback: false,
      // Replay waits for nobody.
      max_standby_streaming_delay: 0,
    })
    const address = standby.cluster.connectionString(database.name)
    await makeSlotOn(standby.cluster)
    const rowcast = buildRowcast(database, { options: { connectionString: address } })
    onTestFinished(() => rowcast.stop())
    rowcast.start()
    await rowcast.ready()
    const watch = watchOf(rowcast, 'Item')
    await runOn(primary, `INSERT INTO items VALUES (2, 'by way of the standby')`)
    expect(await watch.next()).toMatchObject({ new: { note: 'by way of the standby' } })

    // Rows of the catalog that the slot still needs are vacuumed away.
    await runOn(primary, 'CREATE TABLE passing (id int)')
    await runOn(primary, 'DROP TABLE passing')
    await runOn(primary, 'VACUUM pg_class, pg_attribute, pg_type, pg_depend')
    await expect.poll(() => isLost(standby.cluster), { timeout: 20_000 }).toBe(true)
    expect(await watch.failure()).toMatchObject({ code: 'RESYNC_REQUIRED' })
    for (const policy of ['recreate', 'stop'] as const) {
      expect(await errorAt(address, policy)).toMatchObject({
        code: 'SOURCE_SLOT_INVALIDATED',
        details: { invalidationReason: postgresMajor() >= 17 ? 'rows_removed' : 'recovery_conflict' },
        hint: expect.stringMatching(/pg_create_logical_replication_slot.*hot_standby_feedback/s),
      })
    }
    await rowcast.stop()
    expect(await isLost(standby.cluster)).toBe(true)

    await runOn(standby.cluster, `SELECT pg_drop_replication_slot(${quoteLiteral(slotOf(database))})`)
    await makeSlotOn(standby.cluster)
    await primary.stop()
    const { port, dataFolder } = primary
    const lesser = await createPostgresCluster({
      ...{ dataFolder, port, ...testPackage() },
      settings: { max_replication_slots: SLOTS_MAX, wal_level: 'replica' },
    })
    try {
      await expect.poll(() => isLost(standby.cluster), { timeout: 20_000 }).toBe(true)
      expect(await errorAt(address, 'recreate')).toMatchObject({
        code: 'SOURCE_SLOT_INVALIDATED',
        details: {
          invalidationReason: postgresMajor() >= 17 ? 'wal_level_insufficient' : 'recovery_conflict',
        },
        hint: expect.stringMatching(/wal_level/),
      })
    } finally {
      await lesser.stop('immediate')
    }
  }, 120_000)
})
