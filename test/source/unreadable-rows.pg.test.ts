/** Rows that PostgreSQL cannot send as it is asked: another form, or a name for the change and a way past it. */
import { expect, onTestFinished, test } from 'vitest'
import type { EmittedMessage } from '../../src/changes/emitted-message.ts'
import { isRowcastError, type RowcastError } from '../../src/errors.ts'
import type { Rowcast } from '../../src/rowcast.ts'
import type { RunQuery } from '../../src/source/db/run-query.ts'
import { dropAllSkipMarks, skipMarksSql } from '../../src/source/setup/skip-marks.ts'
import { skipTransaction } from '../../src/source/skip/skip-transaction.ts'
import { parseLsn } from '../../src/wire/lsn.ts'
import {
  buildRowcast,
  ITEM,
  OTHER,
  openScenario,
  type Scenario,
  type ScenarioOptions,
  TABLES,
  watchOf,
} from '../scenarios/scenario.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import type { TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'

test('a type without a send function: the stream goes on in text form, and nothing is lost or repeated', async () => {
  const { sql, watch, rowcast } = await openScenario({
    sql: `${TABLES}; ALTER TABLE items ADD COLUMN acl aclitem[]`,
  })
  const items = watch()
  const others = watch('Other')
  await sql("INSERT INTO items VALUES (1, 'plain')")
  await sql(
    "INSERT INTO items SELECT 2, 'ä€', ARRAY[makeaclitem(oid, oid, 'SELECT', false)] FROM pg_roles LIMIT 1",
  )
  await sql('INSERT INTO others VALUES (7)')
  await sql("UPDATE items SET note = 'later' WHERE id = 2")
  expect((await items.take(3)).map(({ action, new: row }) => [action, row])).toEqual([
    ['INSERT', { id: 1, note: 'plain' }],
    ['INSERT', { id: 2, note: 'ä€' }],
    ['UPDATE', { id: 2, note: 'later' }],
  ])
  expect((await others.next()).new).toEqual({ id: 7 })
  expect(rowcast.status()).toMatchObject({ isReady: true, lastError: null, failures: 0 })
})

test.each(['text', 'binary'])(
  'a SQL_ASCII database with a byte of no UTF-8: that value alone is unreadable (%s)',
  async (form) => {
    const { sql, watch, rowcast } = await openScenario({
      encoding: 'SQL_ASCII',
      options: { binary: form === 'binary' },
    })
    const items = watch()
    await sql("INSERT INTO items VALUES (1, 'fine \u00e9')")
    await sql("INSERT INTO items VALUES (2, E'bad \\xff')")
    await sql("INSERT INTO items VALUES (3, 'fine')")
    const [first, second, third] = await items.take(3)
    expect(first?.new).toEqual({ id: 1, note: 'fine \u00e9' })
    expect(second?.new).toMatchObject({
      id: 2,
      note: { reason: 'unreadable', value: Uint8Array.from(Buffer.from('bad \xff', 'latin1')) },
    })
    expect(third?.new).toEqual({ id: 3, note: 'fine' })
    expect(rowcast.status()).toMatchObject({ isReady: true, lastError: null })
  },
)

const THIRD = buildModel([buildField('id', 'Int')], { name: 'Third', table: 'thirds' })
const POISON: ScenarioOptions = {
  sql: `CREATE TYPE mood AS ENUM ('good', 'bad'); ${TABLES}; ALTER TABLE items ADD COLUMN mood mood;
    CREATE TABLE thirds (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE thirds_few PARTITION OF thirds FOR VALUES FROM (0) TO (100)`,
  models: [ITEM, OTHER, THIRD],
}

/** A row whose enum has lost its label: no form helps. */
async function openPoison(): Promise<Scenario> {
  const scenario = await openScenario({ ...POISON, options: { logger: collect() } })
  onTestFinished(() => dropAllSkipMarks(scenario.sql as RunQuery, slotOf(scenario.database)))
  return scenario
}

/** The process that comes after it. */
function startNext(
  database: TestDatabase,
  options: ScenarioOptions['options'] = {},
): AsyncDisposable & { readonly rowcast: Rowcast } {
  const rowcast = buildRowcast(database, { ...POISON, options })
  rowcast.start()
  return { rowcast, [Symbol.asyncDispose]: () => rowcast.stop() }
}

const logged: { level: string; code: unknown }[] = []

function collect() {
  logged.length = 0
  const log =
    (level: string) =>
    (_message: string, fields: Readonly<Record<string, unknown>> = {}) =>
      void logged.push({ level, code: fields['code'] })
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
}

const goalOf = (scenario: Scenario) => ({
  ...{ slot: slotOf(scenario.database), publication: 'rowcast' },
  tables: [
    { model: 'Item', schema: 'public', table: 'items' },
    { model: 'Other', schema: 'public', table: 'others' },
    { model: 'Third', schema: 'public', table: 'thirds' },
  ],
})

/** Waits until the stream has met the change twice, and those who wait for it have been reported. */
async function blockedBy(rowcast: Rowcast): Promise<RowcastError> {
  await expect.poll(() => rowcast.status().failures, { timeout: 30_000 }).toBeGreaterThan(1)
  const { lastError } = rowcast.status()
  expect(lastError?.code).toBe('SOURCE_ROW_UNREADABLE')
  return lastError as RowcastError
}

const skipOf = (scenario: Scenario, error: RowcastError, isDry = false) =>
  skipTransaction(scenario.database.target, {
    ...{ goal: goalOf(scenario), to: parseLsn(String(error.details['skipTo'])), isDry, patienceMs: 30_000 },
  })

const marksOf = async ({ sql, database }: Scenario) =>
  (await sql(`SELECT ${skipMarksSql(slotOf(database))} AS marks`))[0]?.['marks']

test('a change that no form can bring: it is named, its model hears of it, and skip gives up that model alone', async () => {
  const scenario = await openPoison()
  const { sql, watch, rowcast } = scenario
  const first = watch()
  const others = watch('Other')
  await sql("INSERT INTO items VALUES (1, 'secret', 'bad')")
  const { cursor } = await first.next()
  await sql('INSERT INTO others VALUES (1)')
  const before = await others.next()
  await sql("DELETE FROM pg_enum WHERE enumlabel = 'bad'")
  await sql("UPDATE items SET note = 'secret two' WHERE id = 1")
  await sql('INSERT INTO others VALUES (2)')
  const error = await blockedBy(rowcast)
  expect(rowcast.status().isReady).toBe(false)
  expect(error.details).toMatchObject({ sqlstate: '22P03', table: 'public.items' })
  expect(error.message).toMatch(/rowcast skip --to [0-9A-F]+\/[0-9A-F]+/)
  expect(error.message).not.toContain('secret')
  // The second attempt begins with the transaction, and so knows its table; the third has no news.
  expect(logged.filter(({ code, level }) => code === error.code && level === 'error')).toHaveLength(2)

  const reported = (await first.failure()) as RowcastError
  expect([reported.code, typeof reported.details['cursor']]).toEqual([error.code, 'string'])
  const again = (await watch('Item', cursor).failure()) as RowcastError
  expect([again.code, again.details['cursor']]).toEqual([error.code, cursor])

  expect(await skipOf(scenario, error, true)).toEqual({
    ...{ to: error.details['skipTo'], models: ['Item'], tables: ['public.items'] },
  })
  await skipOf(scenario, error)
  expect((await others.next()).new).toEqual({ id: 2 })
  await rowcast.ready()
  expect(rowcast.status()).toMatchObject({ isReady: true, lastError: null, failures: 0 })
  expect(isRowcastError(await watch('Item', cursor).failure(), 'RESYNC_REQUIRED')).toBe(true)
  expect((await watch('Other', before.cursor).next()).new).toEqual({ id: 2 })
  const after = watch('Item', await rowcast.changeCursor())
  await sql("INSERT INTO items VALUES (3, 'fine', 'good')")
  expect((await after.next()).new).toEqual({ id: 3, note: 'fine' })
})

test('tables that the transaction had not come to are found in the WAL, and a restart in between changes nothing', async () => {
  const scenario = await openPoison()
  const { sql, watch, rowcast, database } = scenario
  const [items, others, thirds] = [watch('Item'), watch('Other'), watch('Third')]
  await sql("INSERT INTO items VALUES (1, 'a', 'bad')")
  await sql('INSERT INTO others VALUES (1)')
  await sql('INSERT INTO thirds VALUES (2)')
  const cursors = [(await items.next()).cursor, (await others.next()).cursor, (await thirds.next()).cursor]
  await sql("DELETE FROM pg_enum WHERE enumlabel = 'bad'")
  // The row of `others` comes behind the one that fails, in a subtransaction.
  await sql(`BEGIN; UPDATE items SET note = 'c' WHERE id = 1;
    SAVEPOINT one; INSERT INTO others VALUES (2); RELEASE SAVEPOINT one; COMMIT`)
  await sql('INSERT INTO thirds VALUES (3)')
  const error = await blockedBy(rowcast)
  await rowcast.stop()
  expect((await skipOf(scenario, error)).models).toEqual(['Item', 'Other'])
  expect(await marksOf(scenario)).toHaveLength(1)
  const next = startNext(database)
  await next.rowcast.ready()
  const [itemsAgain, othersAgain, thirdsAgain] = ['Item', 'Other', 'Third'].map((model, index) =>
    watchOf(next.rowcast, model, cursors[index]),
  )
  expect(isRowcastError(await itemsAgain?.failure(), 'RESYNC_REQUIRED')).toBe(true)
  expect(isRowcastError(await othersAgain?.failure(), 'RESYNC_REQUIRED')).toBe(true)
  expect((await thirdsAgain?.next())?.new).toEqual({ id: 3 })
  // Once nobody can come to it any more, the mark goes.
  await next.rowcast.stop()
  await using last = startNext(database, { retain: { bytes: 0, minutes: 0 } })
  await last.rowcast.ready()
  await sql('SELECT pg_switch_wal()')
  await sql('INSERT INTO thirds VALUES (4)')
  await expect.poll(() => marksOf(scenario), { timeout: 30_000 }).toEqual([])
})

test('of a transaction that is skipped no message comes; what is emitted outside of it comes, before and behind it', async () => {
  const scenario = await openPoison()
  const { sql, watch, rowcast } = scenario
  const [items, others, messages] = [watch('Item'), watch('Other'), rowcast.messages({ prefix: 'app' })]
  const emit = (isTransactional: boolean, text: string) =>
    `SELECT pg_logical_emit_message(${isTransactional}, 'app', '${text}')`
  await sql("INSERT INTO items VALUES (1, 'a', 'bad')")
  await items.next()
  await sql("DELETE FROM pg_enum WHERE enumlabel = 'bad'")
  await sql(emit(true, 'before'))
  await sql(`BEGIN; ${emit(true, 'within')}; ${emit(false, 'at once')}; UPDATE items SET note = 'b' WHERE id = 1;
    ${emit(true, 'within, later')}; ${emit(false, 'at once, later')}; COMMIT`)
  await sql(emit(false, 'behind, at once'))
  await sql(`BEGIN; ${emit(true, 'behind')}; INSERT INTO others VALUES (1); COMMIT`)
  const error = await blockedBy(rowcast)
  expect((await skipOf(scenario, error)).models).toEqual(['Item'])
  expect((await others.next()).new).toEqual({ id: 1 })
  const texts: string[] = []
  while (texts.at(-1) !== 'behind') {
    const { value } = await messages.next()
    texts.push(Buffer.from((value as EmittedMessage).content).toString())
  }
  expect(texts).toEqual(['before', 'at once', 'at once, later', 'behind, at once', 'behind'])
})

test('nothing is skipped that is no transaction, nor under a stream that goes on', async () => {
  const scenario = await openPoison()
  const { sql, rowcast, database } = scenario
  const skip = (to: string, patienceMs = 100) =>
    skipTransaction(database.target, { goal: goalOf(scenario), to: parseLsn(to), isDry: false, patienceMs })
  await expect(skip('FFFF/0')).rejects.toThrow('SOURCE_SLOT_IN_USE')
  await rowcast.stop()
  await sql('INSERT INTO others VALUES (1)')
  await expect(skip('0/1')).rejects.toThrow('is not ahead of the slot')
  await expect(skip('FFFF/0')).rejects.toThrow('is not ahead of the slot')
  const [now] = await sql('SELECT pg_current_wal_flush_lsn()::text AS lsn')
  await expect(skip(String(now?.['lsn']))).rejects.toThrow('No transaction commits right before')
  const missing = { ...goalOf(scenario), slot: 'no_such_slot' }
  await expect(
    skipTransaction(database.target, { goal: missing, to: parseLsn('0/1'), isDry: true, patienceMs: 1 }),
  ).rejects.toThrow('SOURCE_SLOT_MISSING')
  expect(await marksOf(scenario)).toEqual([])
})

test('a partition that the transaction had not come to is one of its model', async () => {
  const scenario = await openPoison()
  const { sql, rowcast } = scenario
  await sql("INSERT INTO items VALUES (1, 'a', 'bad')")
  await sql("DELETE FROM pg_enum WHERE enumlabel = 'bad'")
  await sql("BEGIN; UPDATE items SET note = 'b' WHERE id = 1; INSERT INTO thirds VALUES (2); COMMIT")
  const error = await blockedBy(rowcast)
  expect((await skipOf(scenario, error, true)).models).toEqual(['Item', 'Third'])
})
