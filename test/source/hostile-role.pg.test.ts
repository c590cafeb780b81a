/** Defaults of the role must reach neither rows nor our own statements: set-up, stream, watch, doctor, and the end of it all. */
import { expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { readDoctorFacts } from '../../src/cli/doctor/doctor-facts.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { withDatabaseSession } from '../../src/source/db/sql.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openLiveRowcast, slotOf, takeChanges } from '../support/live-rowcast.ts'

const HOSTILE_SETTINGS = {
  // The text form of values.
  client_encoding: 'LATIN1',
  datestyle: 'SQL, DMY',
  intervalstyle: 'sql_standard',
  timezone: 'Asia/Kathmandu',
  extra_float_digits: '-15',
  lc_monetary: 'de_DE.utf8',
  bytea_output: 'escape',
  xmlbinary: 'hex',
  // How SQL is read.
  standard_conforming_strings: 'off',
  quote_all_identifiers: 'on',
  transform_null_equals: 'on',
  array_nulls: 'off',
  // Whether a statement gets through at all.
  // Long enough for the message that takes it away, on a machine that others use as well.
  statement_timeout: '60ms',
  lock_timeout: '1ms',
  idle_in_transaction_session_timeout: '1ms',
  idle_session_timeout: '200ms',
  transaction_timeout: '60ms',
  default_transaction_read_only: 'on',
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  row_security: 'off',
  // What we hear.
  client_min_messages: 'error',
}

/** Functions, operators and tables of the role's schema that come before PostgreSQL's own. */
const SHADOWS = `
  CREATE SCHEMA evil;
  CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT '7' $$;
  CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT 'no' $$;
  CREATE FUNCTION evil.current_database() RETURNS name LANGUAGE sql AS $$ SELECT 'other'::name $$;
  CREATE FUNCTION evil.pg_current_wal_lsn() RETURNS pg_lsn LANGUAGE sql AS $$ SELECT 'FFFF/0'::pg_lsn $$;
  CREATE FUNCTION evil.pg_current_snapshot() RETURNS pg_snapshot LANGUAGE sql AS $$ SELECT '3:3:'::pg_snapshot $$;
  CREATE FUNCTION evil.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
  CREATE FUNCTION evil.eq(name, text) RETURNS boolean LANGUAGE sql AS $$ SELECT false $$;
  CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = text, FUNCTION = evil.eq);
  CREATE TABLE evil.pg_class (oid oid, relname name, relnamespace oid);
  CREATE TABLE evil.pg_namespace (oid oid, nspname name);
  CREATE TABLE evil.pg_publication (oid oid, pubname name);
  CREATE TABLE evil.pg_replication_slots (slot_name name, active_pid int);
  CREATE DOMAIN evil.text AS pg_catalog.text CHECK (false);
  CREATE DOMAIN evil.int4 AS pg_catalog.int4 CHECK (false);
  GRANT USAGE ON SCHEMA evil TO PUBLIC; GRANT SELECT ON ALL TABLES IN SCHEMA evil TO PUBLIC`

/** A role with all of it, which may do everything else; gone at the end. @param where settings of a role in a database come before those of the role */
async function openHostileRole(database: TestDatabase, where: '' | 'in this database' = '') {
  const role = `hostile_${database.name}`
  await database.query(SHADOWS)
  await database.query(`CREATE ROLE ${role} LOGIN REPLICATION SUPERUSER PASSWORD 'x'`)
  const within = where === '' ? '' : ` IN DATABASE ${database.name}`
  for (const [name, value] of Object.entries(HOSTILE_SETTINGS)) {
    // Some locales are not on every machine, some settings not in every version: refused, they cannot hurt.
    await database.query(`ALTER ROLE ${role}${within} SET ${name} = '${value}'`).catch(() => {})
  }
  await database.query(`ALTER ROLE ${role}${within} SET search_path = evil, pg_catalog`)
  return {
    connectionString: database.url.replace(/\/\/[^@]+@/, `//${role}:x@`),
    target: { ...database.target, user: role, password: 'x' },
    async [Symbol.asyncDispose]() {
      await database.query(
        `SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '${role}'`,
      )
      await database.query(`REASSIGN OWNED BY ${role} TO CURRENT_USER`)
      await database.query(`DROP ROLE ${role}`)
    },
  }
}

const SAMPLE = `INSERT INTO users (email, balance, reputation, birth_date, avatar, tags, created_at)
  VALUES ('h@example.com', 1234.5, 0.1234567890123456, '2001-02-03', '\\x00ff27', '{a,"b c",NULL}', '2026-02-03 04:05:06.789+00')`

it.each([
  [true, ''],
  [false, 'in this database'],
] as const)(
  'set-up, rows, changeCursor and teardown are the same under hostile defaults of the role (binary: %s) %s',
  async (binary, where) => {
    await using database = await openDatabase({ migrate: true })
    await using role = await openHostileRole(database, where)
    const { connectionString } = role
    await using live = await openLiveRowcast(database, { connectionString, binary, watchIntervalMs: 50 })
    const users = live.rowcast.subscribe('User')
    await database.query(SAMPLE.replace(',NULL', ''))
    const row = await live.prisma.user.findUniqueOrThrow({ where: { email: 'h@example.com' } })
    expect((await takeChanges(users, 1))[0]?.new).toStrictEqual(row)
    const { state, slotHealth } = live.rowcast.status()
    expect({ state, slotHealth }).toMatchObject({ state: 'streaming', slotHealth: { walStatus: 'reserved' } })
    expect(await live.rowcast.changeCursor()).toEqual(expect.any(String))
    const steps = await live.rowcast.disable()
    expect(steps.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['slot', 'publication']))
  },
)

it('a transaction that takes longer than any time-out of the role gets through', async () => {
  await using database = await openDatabase({ migrate: true })
  await using role = await openHostileRole(database)
  await using live = await openLiveRowcast(database, {
    ...{ connectionString: role.connectionString, models: ['Tag'] },
  })
  const tags = live.rowcast.subscribe('Tag')
  await database.query(`INSERT INTO "Tag" (name) SELECT 'tag ' || n FROM generate_series(1, 20000) n`)
  expect(await takeChanges(tags, 20_000)).toHaveLength(20_000)
  expect(live.rowcast.status()).toMatchObject({ streamsStarted: 1, failures: 0 })
})

it('a process that stands by, and doctor, are not ended by a time-out of the role either', async () => {
  await using database = await openDatabase({ migrate: true })
  await using role = await openHostileRole(database)
  await using live = await openLiveRowcast(database, { models: ['Tag'] })
  const second = createRowcast({
    ...{ connectionString: role.connectionString, catalog, slot: slotOf(database) },
  }).register('Tag')
  await using _stopped = { [Symbol.asyncDispose]: () => second.stop() }
  second.start()
  await expect.poll(() => second.status().state, { timeout: 20_000 }).toBe('standby')
  const { server, tables } = await withDatabaseSession(role.target, (sql) =>
    readDoctorFacts(sql, [{ schema: 'public', table: 'Tag' }]),
  )
  expect({ isInRecovery: server.isInRecovery, tables: tables.length }).toEqual({
    isInRecovery: false,
    tables: 1,
  })
  await live.rowcast.stop()
  await second.ready()
  expect(second.status().failures).toBe(0)
})
