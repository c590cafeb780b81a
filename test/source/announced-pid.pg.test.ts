/**
 * The process that a session announces at its start may be made up: PgBouncer and Neon's proxy do so. What reads the slot is asked for; a look
 * that still finds another reader, or no slot, went to another server, and has seen nothing.
 */
import { Buffer } from 'node:buffer'
import { expect, it } from 'vitest'
import { checkReplicates } from '../../src/source/db/replication-probe.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openLiveRowcast } from '../support/live-rowcast.ts'
import { openPostgres } from '../support/postgres.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

/** BackendKeyData of protocol 3.0: tag and length. */
const KEY_DATA = Buffer.from([0x4b, 0, 0, 0, 12])

/** A proxy that announces another process than PostgreSQL does, once on each connection. */
async function openMasking(database: TestDatabase) {
  const masked = new Set<number>()
  const proxy = await openTcpProxy(Number(database.target.port), {
    intercept(bytes, { connection, direction }) {
      const at = direction === 'toClient' && !masked.has(connection) ? bytes.indexOf(KEY_DATA) : -1
      if (at < 0) return bytes
      masked.add(connection)
      const changed = Buffer.from(bytes)
      changed.writeInt32BE(1_000_000 + connection, at + KEY_DATA.length)
      return changed
    },
  })
  return { proxy, masked, url: via(database, proxy.port) }
}

const via = (database: TestDatabase, port: number) =>
  database.url.replace(`:${database.target.port}/`, `:${port}/`)

it('behind a proxy that announces another process, what was missed ends subscriptions all the same', async () => {
  await using database = await openDatabase({ migrate: true })
  const { proxy, masked, url } = await openMasking(database)
  await using _ = proxy
  await using live = await openLiveRowcast(database, {
    ...{ models: ['Tag'], connectionString: url, watchIntervalMs: 50 },
  })
  expect(masked.size).toBeGreaterThan(0)
  const tags = live.rowcast.subscribe('Tag')
  let end: unknown = null
  const reading = (async () => {
    for await (const _change of tags);
  })().catch((error: unknown) => {
    end = error
  })
  await database.query('ALTER PUBLICATION rowcast DROP TABLE "Tag"')
  await database.query(`INSERT INTO "Tag" (name) VALUES ('missed')`)
  await database.query('ALTER PUBLICATION rowcast ADD TABLE "Tag"')
  await expect
    .poll(() => end, { timeout: 30_000 })
    .toMatchObject({ code: expect.stringMatching(/RESYNC_REQUIRED|SOURCE_TABLE_NOT_PUBLISHED/) })
  await reading
  await expect
    .poll(() => live.rowcast.status(), { timeout: 30_000 })
    .toMatchObject({ state: 'streaming', isReady: true, failedLooks: 0 })
})

it('what PostgreSQL itself refuses the role is not taken for the refusal of a pooler', async () => {
  await using database = await openDatabase()
  const role = `plain_${database.name}`
  await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`)
  try {
    const { proxy } = await openMasking(database)
    await using _ = proxy
    const target = { ...database.target, port: proxy.port, user: role, password: 'x' }
    await expect(checkReplicates(target)).rejects.toMatchObject({ code: 'SOURCE_PERMISSION_DENIED' })
  } finally {
    await database.query(`DROP ROLE ${role}`)
  }
})

it('looks that reach another server than the stream have failed: the process is not ready until they reach the same', async () => {
  await using database = await openDatabase({ migrate: true })
  await using other = await openPostgres()
  const { cluster } = other
  await cluster.createDatabase(database.name)
  await using proxy = await openTcpProxy(Number(database.target.port))
  const role = `both_${database.name}`
  const create = `CREATE ROLE ${role} LOGIN SUPERUSER REPLICATION PASSWORD 'x'`
  await using there = await openDatabase({ serverUrl: cluster.connectionString() })
  await there.query(create)
  await database.query(create)
  try {
    const connectionString = via(database, proxy.port).replace(/\/\/[^@]+@/, `//${role}:x@`)
    await using live = await openLiveRowcast(database, {
      ...{ models: ['Tag'], connectionString, watchIntervalMs: 50 },
    })
    const { rowcast } = live
    proxy.retarget(cluster.port)
    await expect
      .poll(() => rowcast.status(), { timeout: 30_000 })
      .toMatchObject({ state: 'streaming', isReady: false, lastError: { code: 'SOURCE_WATCH_FAILED' } })
    expect(rowcast.status().lastError?.message).toContain('Where the look went')
    proxy.retarget(Number(database.target.port))
    await expect
      .poll(() => rowcast.status(), { timeout: 30_000 })
      .toMatchObject({ isReady: true, failedLooks: 0 })
  } finally {
    await database.query(
      `REASSIGN OWNED BY ${role} TO CURRENT_USER; DROP OWNED BY ${role}; DROP ROLE ${role}`,
    )
  }
})
