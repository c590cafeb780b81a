/** Defaults of the role and of the database that shape the text of values must not reach the rows. */
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { openLiveRowcast, takeChanges } from '../support/live-rowcast.ts'

const HOSTILE_SETTINGS = {
  datestyle: 'SQL, DMY',
  intervalstyle: 'sql_standard',
  timezone: 'Asia/Kathmandu',
  extra_float_digits: '-15',
  lc_monetary: 'de_DE.utf8',
  bytea_output: 'escape',
  xmlbinary: 'hex',
  default_transaction_read_only: 'on',
  search_path: 'pg_catalog',
  statement_timeout: '0',
}

it.each([true, false])(
  'rows are the same under hostile defaults of the role (binary: %s)',
  async (binary) => {
    await using database = await openDatabase({ migrate: true })
    const role = `hostile_${database.name}`
    await database.query(`CREATE ROLE ${role} LOGIN REPLICATION SUPERUSER PASSWORD 'x'`)
    try {
      for (const [name, value] of Object.entries(HOSTILE_SETTINGS)) {
        // Some locales are not on every machine; the setting is refused then, and cannot hurt.
        await database.query(`ALTER ROLE ${role} SET ${name} = '${value}'`).catch(() => {})
      }
      const connectionString = database.url.replace(/\/\/[^@]+@/, `//${role}:x@`)
      // Set up by another role: this one's transactions are read-only.
      await using _enabled = await openLiveRowcast(database)
      await _enabled.rowcast.stop()
      await using live = await openLiveRowcast(database, { connectionString, binary })
      const users = live.rowcast.subscribe('User')
      await database.query(
        `INSERT INTO users (email, balance, reputation, birth_date, avatar, tags, created_at)
       VALUES ('h@example.com', 1234.5, 0.1234567890123456, '2001-02-03', '\\x00ff27', '{a,"b c"}', '2026-02-03 04:05:06.789+00')`,
      )
      const row = await live.prisma.user.findUniqueOrThrow({ where: { email: 'h@example.com' } })
      expect((await takeChanges(users, 1))[0]?.new).toStrictEqual(row)
    } finally {
      await database.query(
        `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '${role}'`,
      )
      await database.query(`DROP ROLE ${role}`)
    }
  },
)
