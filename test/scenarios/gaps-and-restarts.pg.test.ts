/**
 * A process ends between a change of what is published and the next look of the watch, with a slot that retains nothing: the
 * next process finds the gap all the same, and none where there is none. `stop()` confirms all that may be confirmed, which
 * a process that is killed can at most have done.
 */
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import type { Rowcast } from '../../src/rowcast.ts'
import { barrierSql } from '../../src/source/published/barrier-message.ts'
import { parseLsn } from '../../src/wire/lsn.ts'
import type { TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { failureOf } from '../support/tags.ts'
import { type AnyModelChange, buildRowcast, openScenario, type Scenario } from './scenario.ts'

/** Nothing retained, and no look in turn. */
const THIN = { retain: { bytes: 0, minutes: 0 }, watchIntervalMs: 600_000 }

const GAPS: Readonly<Record<string, readonly string[]>> = {
  'a table leaves the publication and comes back': [
    'ALTER PUBLICATION rowcast DROP TABLE items',
    `UPDATE items SET note = 'unseen'`,
    'ALTER PUBLICATION rowcast ADD TABLE items',
  ],
  'an action is left out for a while': [
    `ALTER PUBLICATION rowcast SET (publish = 'insert')`,
    'DELETE FROM items',
    `ALTER PUBLICATION rowcast SET (publish = 'insert, update, delete, truncate')`,
  ],
  'a table is dropped, made, filled and published': [
    'DROP TABLE items; CREATE TABLE items (id int PRIMARY KEY, note text)',
    'INSERT INTO items VALUES (1)',
    'ALTER TABLE items REPLICA IDENTITY FULL; ALTER PUBLICATION rowcast ADD TABLE items',
  ],
}

/** Resolves once the process has got all that is written. */
async function catchUp({ sql, rowcast }: Scenario): Promise<void> {
  const [now] = await sql('SELECT pg_current_wal_flush_lsn()::text AS lsn')
  const isThere = async () => {
    const { safeLsn } = rowcast.status().positions
    const [answer] = await sql('SELECT $1::pg_lsn >= $2::pg_lsn AS done', [safeLsn, now?.['lsn']])
    return answer?.['done']
  }
  await expect.poll(isThere, { timeout: 20_000 }).toBe(true)
}

/** WAL of nobody; PostgreSQL notes which transactions are open, and with it what a slot needs no more. */
async function passWal(scenario: Scenario): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await scenario.sql(`SELECT pg_logical_emit_message(true, 'filler', repeat('x', 100000))`)
    await scenario.sql('CHECKPOINT')
    await catchUp(scenario)
  }
}

function startNext(database: TestDatabase, options: Partial<typeof THIN> = THIN): Rowcast {
  const next = buildRowcast(database, { options })
  onTestFinished(() => next.stop())
  next.start()
  return next
}

function subscribe(rowcast: Rowcast, after: string): AsyncIterableIterator<AnyModelChange> {
  return rowcast.subscribe('Item', { after }) as AsyncIterableIterator<AnyModelChange>
}

/** What a client gets that goes on where it was: a row that is written now, or the code of its end. */
async function resume(rowcast: Rowcast, { sql }: Scenario, cursor: string): Promise<unknown> {
  const changes = subscribe(rowcast, cursor)
  await rowcast.ready()
  await sql(`INSERT INTO items VALUES (${nextId++}, 'probe')`)
  try {
    const { value } = await changes.next()
    return value.new['note']
  } catch (error) {
    return (error as Error & { code?: string }).code
  }
}

let nextId = 1_000

it.for(Object.entries(GAPS))('%s, and the process ends before it looks', async ([, steps]) => {
  const scenario = await openScenario({ options: THIN })
  const { sql, rowcast, database } = scenario
  await sql(`INSERT INTO items VALUES (1, 'seen')`)
  await passWal(scenario)
  for (const step of steps) await sql(step)
  await passWal(scenario)
  const cursor = await rowcast.changeCursor()
  await rowcast.stop()
  const next = startNext(database)
  expect(await resume(next, scenario, cursor)).toBe('RESYNC_REQUIRED')
  // It is over with that, for this process and for the next.
  const good = await next.changeCursor()
  await next.stop()
  expect(await resume(startNext(database), scenario, good)).toBe('probe')
})

it('a client reads across a gap, comes back before its barrier, and the next process has yet to read that one', async () => {
  const { retain: _, ...options } = THIN
  const scenario = await openScenario({ options })
  const { sql, rowcast, database } = scenario
  const changes = subscribe(rowcast, await rowcast.changeCursor())
  await sql(`INSERT INTO items VALUES (1, 'before the gap')`)
  const [now] = await sql('SELECT pg_current_wal_insert_lsn()::text AS lsn')
  await sql(`INSERT INTO items VALUES (2, 'complete again')`)
  await changes.next()
  const { value } = await changes.next()
  const cut = { published: new Map(), cut: ['Item'], cleanFrom: parseLsn(String(now?.['lsn'])), isSkip: true }
  await sql(barrierSql(cut, slotOf(database)))
  await rowcast.stop()
  expect(await resume(startNext(database, options), scenario, value.cursor)).toBe('RESYNC_REQUIRED')
})

it('a cursor from before a gap ends before anything that came after it, however long a writer keeps its barrier waiting', async () => {
  const { retain: _, ...options } = THIN
  const scenario = await openScenario({ options })
  const { sql, rowcast, database } = scenario
  await sql(`INSERT INTO items VALUES (1, 'seen')`)
  const cursor = await rowcast.changeCursor()
  await rowcast.stop()
  const writer = new pg.Client({ connectionString: database.url })
  onTestFinished(() => writer.end())
  await writer.connect()
  await writer.query(`BEGIN; INSERT INTO items VALUES (2, 'open')`)
  await sql('ALTER PUBLICATION rowcast DROP TABLE items')
  await sql(`UPDATE items SET note = 'unseen'`)
  await sql('ALTER PUBLICATION rowcast ADD TABLE items')
  await sql(`INSERT INTO items VALUES (3, 'after the gap')`)
  const next = startNext(database, options)
  const changes = subscribe(next, cursor)
  const [all, seen] = [subscribe(next, 'earliest'), [] as unknown[]]
  const reading = async (): Promise<void> => {
    for (;;) seen.push((await all.next()).value.new['note'])
  }
  const failure = failureOf(reading())
  await expect(changes.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
  // Who wants all there is may have been given some of it, and ends by then.
  expect(await failure).toMatchObject({ code: 'RESYNC_REQUIRED' })
  expect(seen).toEqual(['seen', 'after the gap'].slice(0, seen.length))
  await sql(`INSERT INTO items VALUES (4, 'behind the gap')`)
  const { value } = await subscribe(next, 'earliest').next()
  expect(value.new['note']).toBe('behind the gap')
  await writer.query('ROLLBACK')
})

it('a gap is noticed and waits for a writer, and the process ends before it is confirmed', async () => {
  const scenario = await openScenario({ options: { ...THIN, watchIntervalMs: 100 } })
  const { sql, rowcast, database } = scenario
  await sql(`INSERT INTO items VALUES (1, 'seen')`)
  await passWal(scenario)
  const cursor = await rowcast.changeCursor()
  const writer = new pg.Client({ connectionString: database.url })
  onTestFinished(() => writer.end())
  await writer.connect()
  await writer.query(`BEGIN; INSERT INTO items VALUES (2, 'open')`)
  for (const step of ['DROP TABLE items', 'ADD TABLE items']) {
    await sql(`ALTER PUBLICATION rowcast ${step}`)
    await expect.poll(() => rowcast.status().drifted.length, { timeout: 20_000 }).toBe(1)
  }
  await expect
    .poll(() => rowcast.status().drifted[0]?.error.code, { timeout: 20_000 })
    .toBe('SOURCE_TABLE_CHANGED')
  await passWal(scenario)
  await rowcast.stop()
  await writer.query('COMMIT')
  expect(await resume(startNext(database), scenario, cursor)).toBe('RESYNC_REQUIRED')
})

it('nothing of the kind happens: neither the first restart after set-up ends a cursor, nor the next', async () => {
  const scenario = await openScenario({ options: THIN })
  const { sql, database } = scenario
  let { rowcast } = scenario
  for (let round = 0; round < 2; round += 1) {
    await sql(`INSERT INTO items VALUES (${nextId++})`)
    await (round === 0 ? catchUp : passWal)({ ...scenario, rowcast })
    const cursor = await rowcast.changeCursor()
    await rowcast.stop()
    rowcast = startNext(database)
    expect(await resume(rowcast, scenario, cursor)).toBe('probe')
  }
})

it('much WAL between two looks leads to a look, so that the slot holds little', async () => {
  const scenario = await openScenario({ options: THIN })
  const { sql, database } = scenario
  for (let round = 0; round < 5; round += 1)
    await sql(`SELECT pg_logical_emit_message(true, 'filler', repeat('x', 10000000))`)
  const heldBytes = async () => {
    const [slot] = await sql(
      'SELECT pg_current_wal_lsn() - confirmed_flush_lsn AS bytes FROM pg_replication_slots WHERE slot_name = $1',
      [slotOf(database)],
    )
    return Number(slot?.['bytes'])
  }
  await expect.poll(heldBytes, { timeout: 20_000 }).toBeLessThan(33 * 1024 * 1024)
})
