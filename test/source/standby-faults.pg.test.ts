/**
 * What befalls a standby that sends the changes: it is killed while they are written, as is the standby that it follows; it lags behind a gap that
 * nobody may write down. Each change comes once, or the subscription ends with a gap.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { isRowcastError } from '../../src/errors.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { type AnyModelChange, buildRowcast, TABLES, watchOf } from '../scenarios/scenario.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openPostgres, postgresMajor, type TestPostgres } from '../support/postgres.ts'
import { openCopy } from '../support/standby.ts'

let primary: TestPostgres
let standby: TestPostgres
/** It follows the standby. */
let cascade: TestPostgres
/** All have it from the beginning. */
let database: TestDatabase

const followerOf = ({ cluster }: TestPostgres) =>
  openCopy(cluster, {
    primary_conninfo: `host=127.0.0.1 port=${cluster.port} user=postgres password=${cluster.target().password}`,
    hot_standby_feedback: true,
    wal_retrieve_retry_interval: '200ms',
  })

beforeAll(async () => {
  if (postgresMajor() < 16) return
  primary = await openPostgres()
  standby = await followerOf(primary)
  cascade = await followerOf(standby)
  database = await openDatabase({ serverUrl: primary.cluster.connectionString() })
}, 180_000)
afterAll(async () => {
  for (const part of [database, cascade, standby, primary]) await part?.[Symbol.asyncDispose]()
})

const at = <Row extends object>({ cluster }: TestPostgres, name: string, text: string) =>
  withSqlClient(cluster.target(name), (sql) => sql.query<Row>(text))

/** It has all that the primary has written. */
async function replayed(server: TestPostgres): Promise<void> {
  const [end] = await database.query<{ lsn: string }>('SELECT pg_current_wal_flush_lsn()::text AS lsn')
  const look = `SELECT pg_last_wal_replay_lsn() >= '${end?.lsn}' AS is`
  await expect.poll(async () => (await at<{ is: boolean }>(server, 'postgres', look))[0]?.is).toBe(true)
}

/** A database of its own, whose changes this server sends. */
async function openScenario(sender: TestPostgres) {
  const own = await openDatabase({ serverUrl: primary.cluster.connectionString() })
  onTestFinished(() => own[Symbol.asyncDispose]())
  await own.query(TABLES)
  await replayed(sender)
  return { own, replicationUrl: sender.cluster.connectionString(own.name) }
}

/** The ids that come, until this one; a gap is thrown. */
async function idsUpTo(watch: { next(): Promise<AnyModelChange> }, last: number): Promise<unknown[]> {
  const ids: unknown[] = []
  while (ids.at(-1) !== last) ids.push((await watch.next()).new?.['id'])
  return ids
}

describe.runIf(postgresMajor() >= 16)('a standby that sends the changes', () => {
  it.each([
    ['it', () => standby, () => standby],
    ['it, behind another standby,', () => cascade, () => cascade],
    ['the standby that it follows', () => cascade, () => standby],
  ])('%s is killed while changes are written: each comes once', async (_, sender, victim) => {
    const { own, replicationUrl } = await openScenario(sender())
    const rowcast = buildRowcast(own, { options: { replicationUrl, retain: { minutes: 10 } } })
    onTestFinished(() => rowcast.stop())
    await rowcast.enable()
    rowcast.start()
    await rowcast.ready()
    const watch = watchOf(rowcast, 'Item')
    let written = 0
    const write = async (count: number) => {
      for (let n = 0; n < count; n += 1) {
        written += 1
        await own.query('INSERT INTO items VALUES ($1)', [written])
      }
    }
    await write(20)
    await Promise.all([write(100), victim().cluster.kill()])
    await Promise.all([write(100), victim().cluster.start()])
    await write(20)
    expect(await idsUpTo(watch, written)).toEqual(
      Array.from({ length: written }, (_each, index) => index + 1),
    )
    await rowcast.disable()
  })

  it('lags behind a gap that rowcast may not write down: nobody begins before its end has come', async () => {
    const { own, replicationUrl } = await openScenario(standby)
    const role = `quiet_${own.name}`
    await own.query(`CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'quiet'`)
    onTestFinished(async () => {
      await own.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
    })
    const emits = `SELECT oid::regprocedure::text AS name FROM pg_proc WHERE proname = 'pg_logical_emit_message'`
    for (const { name } of await own.query<{ name: string }>(emits))
      await own.query(`REVOKE EXECUTE ON FUNCTION ${name} FROM PUBLIC`)
    await buildRowcast(own, { options: { replicationUrl } }).enable()
    const asRole = (url: string) => url.replace(/\/\/[^@]*@/, `//${role}:quiet@`)
    const rowcast = buildRowcast(own, {
      options: {
        connectionString: asRole(own.url),
        replicationUrl: asRole(replicationUrl),
        watchIntervalMs: 50,
      },
    })
    onTestFinished(() => rowcast.stop())
    rowcast.start()
    await rowcast.ready()
    const watch = watchOf(rowcast, 'Item')
    await own.query(`INSERT INTO items VALUES (1, 'before')`)
    const { cursor } = await watch.next()
    const refusal = () => {
      try {
        watchOf(rowcast, 'Item')
        return null
      } catch (error) {
        return isRowcastError(error) ? error.code : error
      }
    }
    await at(standby, 'postgres', 'SELECT pg_wal_replay_pause()')
    try {
      const paused = `SELECT pg_get_wal_replay_pause_state() = 'paused' AS is`
      await expect
        .poll(async () => (await at<{ is: boolean }>(standby, 'postgres', paused))[0]?.is)
        .toBe(true)
      await own.query('ALTER PUBLICATION rowcast DROP TABLE items')
      expect(await watch.failure()).toMatchObject({ code: expect.stringMatching(/NOT_PUBLISHED|RESYNC/) })
      await own.query(`INSERT INTO items VALUES (2, 'unpublished')`)
      await own.query('ALTER PUBLICATION rowcast ADD TABLE items')
      await expect.poll(refusal).toBe('SOURCE_TABLE_CHANGED')
      // Each of these is another look.
      const codeOfOther = () => rowcast.status().drifted.find(({ model }) => model === 'Other')?.error.code
      for (const [action, code] of [
        ['DROP', 'SOURCE_TABLE_NOT_PUBLISHED'],
        ['ADD', 'SOURCE_TABLE_CHANGED'],
        ['DROP', 'SOURCE_TABLE_NOT_PUBLISHED'],
      ]) {
        await own.query(`ALTER PUBLICATION rowcast ${action} TABLE others`)
        await expect.poll(codeOfOther).toBe(code)
      }
      expect(refusal()).toBe('SOURCE_TABLE_CHANGED')
    } finally {
      await at(standby, 'postgres', 'SELECT pg_wal_replay_resume()')
    }
    await expect.poll(refusal).toBe(null)
    const fresh = watchOf(rowcast, 'Item')
    await own.query(`INSERT INTO items VALUES (3, 'after')`)
    expect(await fresh.next()).toMatchObject({ new: { note: 'after' } })
    expect(await watchOf(rowcast, 'Item', cursor).failure()).toMatchObject({ code: 'RESYNC_REQUIRED' })
  })
})
