/** The address of a pooler: nothing is made through it, nothing stays on its sessions, and the error says what it is. */
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { parseConnectionTarget } from '../../src/source/db/database-address.ts'
import { probeReplication } from '../../src/source/db/replication-probe.ts'
import { withDatabaseSession } from '../../src/source/db/sql.ts'
import { buildRowcast, TABLES } from '../scenarios/scenario.ts'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { hasPgBouncer, openPgBouncer } from '../support/pgbouncer.ts'
import { createWsClient } from '../support/ws-client.ts'

const SETTINGS_SQL = `SELECT jsonb_object_agg(name, setting) AS settings FROM pg_settings
  WHERE name IN ('lock_timeout', 'statement_timeout', 'search_path', 'extra_float_digits', 'bytea_output', 'lc_monetary')`

describe.skipIf(!hasPgBouncer())('through a pooler', () => {
  it.each(['transaction', 'session'] as const)(
    'in %s mode nothing is set up, and nothing is left behind',
    async (mode) => {
      await using database = await openDatabase()
      await using pooler = await openPgBouncer(database, mode)
      await database.query(TABLES)
      const application = new pg.Client(pooler.url)
      await application.connect()
      try {
        const before = (await application.query(SETTINGS_SQL)).rows
        const rowcast = buildRowcast(database, { options: { connectionString: pooler.url } })
        await expect(rowcast.enable()).rejects.toMatchObject({ code: 'SOURCE_POOLER' })
        rowcast.start()
        await expect.poll(() => rowcast.status().lastError?.code, { timeout: 10_000 }).toBe('SOURCE_POOLER')
        await rowcast.stop()
        expect(await database.query('SELECT FROM pg_publication')).toEqual([])
        expect(
          await database.query('SELECT FROM pg_replication_slots WHERE database = current_database()'),
        ).toEqual([])
        expect(
          await database.query(`SELECT FROM pg_class WHERE relname = 'items' AND relreplident <> 'd'`),
        ).toEqual([])
        expect(
          await database.query(
            `SELECT FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
          ),
        ).toEqual([])
        // The sessions that served us serve the application now.
        for (let round = 0; round < 10; round++)
          expect((await application.query(SETTINGS_SQL)).rows).toEqual(before)
      } finally {
        await application.end()
      }
    },
  )

  it.each(['transaction', 'session'] as const)(
    'what the application queries may go by way of the pooler, in %s mode, where changes have the direct address',
    async (mode) => {
      await using database = await openDatabase({ migrate: true })
      await using pooler = await openPgBouncer(database, mode)
      const createPrisma = () => new PrismaClient({ adapter: new PrismaPg({ connectionString: pooler.url }) })
      await using running = await openService(database, { config: { createPrisma } })
      await running.service.rowcast.ready()
      const client = createWsClient(running.url)
      const changes = client.subscribe<{ userChanged: { new: unknown } }>(
        'subscription { userChanged(action: UPDATE) { new { email posts { title } } } }',
      )
      // The relation is read by way of the pooler: there is no other Prisma Client.
      const [user] = await database.query<{ id: string }>(
        `INSERT INTO users (email) VALUES ('ada@example.org') RETURNING id`,
      )
      await expect
        .poll(() => running.service.rowcast.status().subscriptions.get('User'), { timeout: 10_000 })
        .toBe(1)
      await database.query('UPDATE users SET email = $1 WHERE id = $2', ['lovelace@example.org', user?.id])
      expect((await changes.nextData()).userChanged.new).toEqual({ email: 'lovelace@example.org', posts: [] })
      await client.close()
    },
  )

  it('is distinguished from the server itself', async () => {
    await using database = await openDatabase()
    await using pooler = await openPgBouncer(database, 'transaction')
    const target = parseConnectionTarget(pooler.url)
    expect(await withDatabaseSession(target, (sql) => sql.isPooled())).toBe(true)
    expect(await withDatabaseSession(database.target, (sql) => sql.isPooled())).toBe(false)
    expect(await probeReplication(target)).not.toBeNull()
    expect(await probeReplication(database.target)).toBeNull()
  })
})
