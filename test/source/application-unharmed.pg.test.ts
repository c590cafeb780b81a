/** The application's statements beside every way in which rowcast sets up and takes away: none fails, none waits. */
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { readDoctorFacts } from '../../src/cli/doctor/doctor-facts.ts'
import { isRowcastError } from '../../src/errors.ts'
import type { RunQuery } from '../../src/source/db/run-query.ts'
import { withDatabaseSession } from '../../src/source/db/sql.ts'
import type { LockWait } from '../../src/source/setup/run-steps.ts'
import { runSetup } from '../../src/source/setup/setup.ts'
import { createSetupGoal, type SetupGoal } from '../../src/source/setup/setup-goal.ts'
import { dropAllSkipMarks } from '../../src/source/setup/skip-marks.ts'
import { runTeardown } from '../../src/source/setup/teardown.ts'
import { skipTransaction } from '../../src/source/skip/skip-transaction.ts'
import { createSlot, dropSlot } from '../../src/source/slot/slot-control.ts'
import { parseLsn } from '../../src/wire/lsn.ts'
import { buildRowcast, ITEM, OTHER, TABLES } from '../scenarios/scenario.ts'
import { openApplication } from '../support/application.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'

const PAUSES = [50, 100]

function goalOf(database: TestDatabase): SetupGoal {
  return createSetupGoal({
    ...{ catalog: { joinTables: [] }, schema: 'public', slot: slotOf(database), publication: 'rowcast' },
    models: [{ spec: ITEM }, { spec: OTHER }],
  })
}

/** A slot, as the source makes it: again where transactions of the application lasted longer than it waits. */
async function createdSlot(database: TestDatabase, goal: SetupGoal): Promise<void> {
  for (;;) {
    const failure = await createSlot(database.target, goal).then(
      () => null,
      (error: unknown) => error,
    )
    if (failure === null) return
    if (!isRowcastError(failure, 'SOURCE_LOCK_TIMEOUT')) throw failure
  }
}

/** Somebody reads the table, and stays in the transaction. */
const openReader = (database: TestDatabase) =>
  openTransaction(database, 'a long report', 'SELECT count(*) FROM items')

async function openTransaction(database: TestDatabase, applicationName: string, statement: string) {
  const reader = new pg.Client({ ...database.target, application_name: applicationName } as pg.ClientConfig)
  await reader.connect()
  await reader.query(`BEGIN; ${statement}`)
  return {
    end: () => reader.query('ROLLBACK'),
    [Symbol.asyncDispose]: () => reader.end(),
  }
}

describe("the application's statements", () => {
  it('go on beside enable(), start() and disable()', async () => {
    await using database = await openDatabase()
    await database.query(TABLES)
    await using application = await openApplication(database)
    await application.ran(3)
    const rowcast = buildRowcast(database)
    await rowcast.enable()
    await application.ran(3)
    expect(await rowcast.enable()).toEqual([])
    rowcast.start()
    await rowcast.ready()
    await application.ran(3)
    await rowcast.disable()
    await application.ran(3)
    // Whoever has stopped can set up again.
    expect(await rowcast.enable()).not.toEqual([])
    const starting = buildRowcast(database, { options: { enableOnStart: true } })
    starting.start()
    await starting.ready()
    await application.ran(3)
    await starting.disable()
    await application.ran(3)
    expect(application.failures).toEqual([])
  })

  it('go on beside looks, a takeover, doctor, a dry teardown, skip and a slot that is dropped and recreated', async () => {
    await using database = await openDatabase()
    await database.query(TABLES)
    const goal = goalOf(database)
    await using application = await openApplication(database)
    const first = buildRowcast(database)
    await first.enable()
    first.start()
    await first.ready()
    const second = buildRowcast(database)
    second.start()
    await database.query(
      `SET lock_timeout = '1500ms'; ALTER TABLE items ADD COLUMN extra int; ALTER TABLE items DROP COLUMN extra`,
    )
    await withDatabaseSession(database.target, (sql) => readDoctorFacts(sql, goal.tables))
    await application.ran(2)
    await first.stop()
    await second.ready()
    await application.ran(2)
    await second.stop()
    expect(await runTeardown(database.target, goal, { isDry: true })).not.toEqual([])
    const [begin] = await database.query<{ to: string }>(
      `SELECT ('0/0'::pg_lsn + ('x' || encode(substring(data FROM 2 FOR 8), 'hex'))::bit(64)::bigint + 1)::text AS "to"
         FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL, 'proto_version', '1', 'publication_names', $2)
        WHERE get_byte(data, 0) = 66 ORDER BY lsn DESC LIMIT 1`,
      [goal.slot, goal.publication],
    )
    const to = parseLsn(begin?.to ?? '0/0')
    await skipTransaction(database.target, { goal, to, isDry: false, patienceMs: 10_000 })
    await dropAllSkipMarks(database.query as RunQuery, goal.slot)
    for (let round = 0; round < 3; round += 1) {
      await dropSlot(database.target, { slot: goal.slot, readerPid: 0 })
      await createdSlot(database, goal)
      await application.ran(1)
      await runTeardown(database.target, goal)
      await runSetup(database.target, goal)
      await application.ran(1)
    }
    expect(application.failures).toEqual([])
  })

  it('go on while set-up and teardown get no lock, which says who holds it', async () => {
    await using database = await openDatabase()
    await database.query(TABLES)
    const goal = goalOf(database)
    await using application = await openApplication(database)
    await using reader = await openReader(database)
    const waits: LockWait[] = []
    const options = { pausesMs: PAUSES, onWait: (wait: LockWait) => waits.push(wait) }
    await expect(runSetup(database.target, goal, options)).rejects.toMatchObject({
      code: 'SOURCE_LOCK_TIMEOUT',
      message: expect.stringContaining('("a long report")'),
    })
    expect(waits.map(({ pauseMs }) => pauseMs)).toEqual(PAUSES)
    expect(waits[0]?.holders).toContainEqual(
      expect.objectContaining({ table: 'items', applicationName: 'a long report' }),
    )
    await application.ran(3)
    await reader.end()
    await runSetup(database.target, goal)
    await using again = await openReader(database)
    await expect(runTeardown(database.target, goal, options)).rejects.toMatchObject({
      code: 'SOURCE_LOCK_TIMEOUT',
    })
    await application.ran(3)
    await again.end()
    await runTeardown(database.target, goal)
    await application.ran(3)
    expect(application.failures).toEqual([])
    expect(await database.query('SELECT FROM pg_publication')).toEqual([])
  })

  it('are waited for by a new slot more than once, which says whose they are', async () => {
    await using database = await openDatabase()
    await database.query(TABLES)
    const goal = goalOf(database)
    await using writer = await openTransaction(database, 'a long import', 'CREATE TABLE imported (id int)')
    const waits: LockWait[] = []
    const onWait = (wait: LockWait) => {
      waits.push(wait)
      void writer.end()
    }
    await runSetup(database.target, goal, { onWait })
    expect(waits.map(({ step }) => step.kind)).toEqual(['slot'])
    expect(waits[0]?.holders).toContainEqual(expect.objectContaining({ applicationName: 'a long import' }))
  })
})
