/** What a stream does not show has to be looked at: a process that cannot look, or has nothing left to read, is not ready. */
import { createClient } from 'graphql-ws'
import { expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { subscribeResumable } from '../../src/client/resumable-subscription.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openLiveRowcast } from '../support/live-rowcast.ts'
import { openService } from '../support/live-service.ts'

/** A role that may stream and look, and do nothing else; gone at the end. */
async function openReader(database: TestDatabase) {
  const role = `reader_${database.name}`
  await database.query(`CREATE ROLE ${role} LOGIN REPLICATION PASSWORD 'x'`)
  return {
    role,
    connectionString: database.url.replace(/\/\/[^@]+@/, `//${role}:x@`),
    async [Symbol.asyncDispose]() {
      await database.query(
        `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '${role}'`,
      )
      await database.query(`DROP ROLE ${role}`)
    },
  }
}

const healthOf = async (url: string) => {
  const response = await fetch(new URL('/health/ready', url))
  return { http: response.status, ...((await response.json()) as object) }
}

it('says so when no look succeeds, and when one does again', async () => {
  await using database = await openDatabase({ migrate: true })
  await using reader = await openReader(database)
  await using admin = await openLiveRowcast(database, { models: ['Tag'] })
  await admin.rowcast.stop()
  await using running = await openService(database, {
    databaseUrl: reader.connectionString,
    config: { models: { Tag: {} }, watchIntervalMs: 20 },
  })
  await running.service.rowcast.ready()
  await database.query(`ALTER ROLE ${reader.role} CONNECTION LIMIT 0`)
  await expect
    .poll(() => healthOf(running.url), { timeout: 20_000 })
    .toMatchObject({ http: 503, replication: 'streaming', error: 'SOURCE_WATCH_FAILED' })
  const { lastError, failedLooks } = running.service.rowcast.status()
  expect(lastError?.details['reason']).toBe('SOURCE_TOO_MANY_CONNECTIONS')
  expect(failedLooks).toBeGreaterThanOrEqual(3)
  await database.query(`ALTER ROLE ${reader.role} CONNECTION LIMIT -1`)
  await expect
    .poll(() => healthOf(running.url), { timeout: 20_000 })
    .toMatchObject({ http: 200, error: null, driftedModels: 0 })
})

it('whose only model cannot be read is not ready, and clients wait until it can', async () => {
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database, {
    config: { models: { Tag: { replicaIdentity: 'keep' } }, watchIntervalMs: 20 },
  })
  const { rowcast } = running.service
  await rowcast.ready()
  const after = await rowcast.changeCursor()
  const messages: string[] = []
  const client = createClient({
    url: `${running.url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    on: { message: ({ type }) => void messages.push(type) },
  })
  const reasons: unknown[] = []
  const cursors: string[] = []
  const changes = subscribeResumable<{ tagChanged: { new: { name: string } } }>(
    client,
    { query: 'subscription ($after: Cursor) { tagChanged(after: $after) { cursor new { name } } }' },
    {
      after,
      async onResync(error) {
        reasons.push(error.extensions['reason'])
        const cursor = await rowcast.changeCursor()
        cursors.push(cursor)
        return cursor
      },
    },
  )
  const next = changes.next()
  await database.query('ALTER TABLE "Tag" RENAME COLUMN name TO title')
  await database.query(`INSERT INTO "Tag" (title) VALUES ('unreadable')`)
  await expect
    .poll(() => healthOf(running.url), { timeout: 20_000 })
    .toMatchObject({ http: 503, driftedModels: 1, error: 'CATALOG_DRIFT' })
  await expect.poll(() => messages, { timeout: 20_000 }).toContain('error')
  await database.query('ALTER TABLE "Tag" RENAME COLUMN title TO name')
  await database.query(`INSERT INTO "Tag" (name) VALUES ('readable')`)
  await expect.poll(() => healthOf(running.url), { timeout: 20_000 }).toMatchObject({ http: 200 })
  // Whatever was missed meanwhile is said once it can be: not before, and not again and again.
  await expect.poll(() => cursors, { timeout: 20_000 }).toHaveLength(1)
  expect(reasons).toHaveLength(1)
  expect(messages.filter((type) => type === 'error').length).toBeLessThanOrEqual(3)
  await database.query(`INSERT INTO "Tag" (name) VALUES ('back')`)
  expect((await next).value?.tagChanged.new.name).toBe('back')
  await changes.return()
  await client.dispose()
})
