/**
 * Rows that come and go with a partition, or with a child table: PostgreSQL says nothing of them, so the model's
 * subscriptions end. A partition that is made as one takes nothing away, and brings nothing that was not said.
 */
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { buildRowcast, openScenario, TABLES } from './scenario.ts'

const OFTEN = { options: { watchIntervalMs: 100 } }
const PARTITIONED = `
  CREATE TABLE items (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
  CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (0) TO (10);
  CREATE TABLE items_2 PARTITION OF items FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);
  CREATE TABLE items_21 PARTITION OF items_2 FOR VALUES FROM (10) TO (20);
  CREATE TABLE apart (id int NOT NULL, note text);
  INSERT INTO apart VALUES (31, 'apart');
  CREATE TABLE others (id int PRIMARY KEY)`
const INSERTS = `INSERT INTO items VALUES (1, 'a'), (11, 'b')`

const GAPS: Readonly<Record<string, readonly string[]>> = {
  'TRUNCATE of one partition': ['TRUNCATE items_1'],
  'TRUNCATE of one partition below another': ['TRUNCATE items_21'],
  'DETACH PARTITION': ['ALTER TABLE items DETACH PARTITION items_1'],
  'DETACH PARTITION of one with partitions': ['ALTER TABLE items DETACH PARTITION items_2'],
  'DETACH PARTITION CONCURRENTLY': ['ALTER TABLE items DETACH PARTITION items_1 CONCURRENTLY'],
  'DETACH and ATTACH, with a change in between': [
    'ALTER TABLE items DETACH PARTITION items_1',
    `UPDATE items_1 SET note = 'unseen'`,
    'ALTER TABLE items ATTACH PARTITION items_1 FOR VALUES FROM (0) TO (10)',
  ],
  'DROP of a partition': ['DROP TABLE items_1'],
  'ATTACH PARTITION': ['ALTER TABLE items ATTACH PARTITION apart FOR VALUES FROM (30) TO (40)'],
  'a partition that is made, filled and attached in one transaction': [
    `BEGIN; CREATE TABLE fresh (id int NOT NULL, note text); INSERT INTO fresh VALUES (41, 'unseen');
     ALTER TABLE items ATTACH PARTITION fresh FOR VALUES FROM (40) TO (50); COMMIT`,
  ],
  'a table that is renamed, written and renamed back': [
    'ALTER TABLE items RENAME TO stale',
    `UPDATE stale SET note = 'unseen'`,
    'ALTER TABLE stale RENAME TO items',
  ],
}

describe('the model’s subscriptions end after', () => {
  it.for(Object.entries(GAPS))('%s', async ([, steps]) => {
    const { sql, rowcast, watch } = await openScenario({ sql: PARTITIONED, ...OFTEN })
    const items = watch()
    const others = watch('Other')
    await sql(INSERTS)
    const { cursor } = (await items.take(2))[1] ?? {}
    for (const step of steps) await sql(step)
    // What comes of the table under its other name comes before that, or as drift.
    expect(await endOf(items)).toMatch(/RESYNC_REQUIRED|CATALOG_DRIFT/)
    await expect.poll(() => rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
    const late = rowcast.subscribe('Item', { after: cursor ?? '' })
    await expect(late.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
    await sql('INSERT INTO others VALUES (1)')
    expect((await others.next()).key).toEqual({ id: 1 })
  })
})

async function endOf(changes: { next(): Promise<unknown> }): Promise<string> {
  for (;;) {
    const result = await changes.next().catch((error: unknown) => error)
    if (result instanceof Error) return String((result as Error & { code?: string }).code)
  }
}

describe('nobody is disturbed', () => {
  it('by a partition that is made as one and written at once, however many rows it gets', async () => {
    const { sql, rowcast, watch } = await openScenario({ sql: PARTITIONED, ...OFTEN })
    const items = watch()
    await sql(
      `BEGIN; CREATE TABLE items_5 PARTITION OF items FOR VALUES FROM (50) TO (60); INSERT INTO items VALUES (50); COMMIT`,
    )
    await sql(`CREATE TABLE IF NOT EXISTS items_6 PARTITION OF items FOR VALUES FROM (60) TO (70)`)
    await sql('INSERT INTO items VALUES (60)')
    await sql('VACUUM items_6; ANALYZE items_6').catch(() => undefined)
    await sql('CREATE INDEX ON items (note)')
    for (let look = 0; look < 2; look += 1) {
      const last = rowcast.status().slotHealth
      await expect.poll(() => rowcast.status().slotHealth, { timeout: 20_000 }).not.toBe(last)
    }
    await sql('INSERT INTO items VALUES (61)')
    expect((await items.take(3)).map(({ key }) => key)).toEqual([{ id: 50 }, { id: 60 }, { id: 61 }])
  })
})

it('a stream begins and is looked at while somebody works on a partition for long, as VACUUM FULL does', async () => {
  const { database, sql, rowcast } = await openScenario({ sql: PARTITIONED, ...OFTEN })
  const worker = new pg.Client({ connectionString: database.url })
  worker.on('error', () => {})
  await worker.connect()
  try {
    await worker.query('BEGIN; LOCK TABLE items_1, items_21 IN ACCESS EXCLUSIVE MODE')
    const next = buildRowcast(database, OFTEN)
    onTestFinished(() => next.stop())
    await rowcast.stop()
    next.start()
    await next.ready()
    const others = next.subscribe('Other')
    await sql('INSERT INTO others VALUES (1)')
    expect((await others.next()).value).toMatchObject({ key: { id: 1 } })
    for (let look = 0; look < 2; look += 1) {
      const last = next.status().slotHealth
      await expect.poll(() => next.status().slotHealth, { timeout: 20_000 }).not.toBe(last)
    }
  } finally {
    await worker.end()
  }
})

describe('a table that wrote while the stream lasted', () => {
  // Before version 15 PostgreSQL goes on to send its rows under the name that it had at its first one.
  it.each(['', 'CREATE PUBLICATION rowcast FOR ALL TABLES WITH (publish_via_partition_root = true)'])(
    'is the model’s from ATTACH on, and not after DETACH: %j',
    async (publication) => {
      const { sql, rowcast, watch } = await openScenario({
        sql: `${PARTITIONED}; ALTER TABLE apart REPLICA IDENTITY FULL; ${publication}`,
        ...OFTEN,
      })
      /** Once the subscriptions from before have ended, whoever comes gets all from now on. */
      const comeAgain = async () => {
        await expect.poll(() => rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
        await rowcast.ready()
        return rowcast.subscribe('Item', { after: await rowcast.changeCursor() })
      }
      const first = watch()
      await sql(`${INSERTS}; INSERT INTO apart VALUES (32, 'apart')`)
      await first.take(2)
      await sql('ALTER TABLE items ATTACH PARTITION apart FOR VALUES FROM (30) TO (40)')
      expect(await endOf(first)).toBe('RESYNC_REQUIRED')
      const second = await comeAgain()
      await sql('INSERT INTO items VALUES (33)')
      expect((await second.next()).value).toMatchObject({ action: 'INSERT', key: { id: 33 } })
      await sql('ALTER TABLE items DETACH PARTITION apart')
      await expect(second.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
      const third = await comeAgain()
      await sql('INSERT INTO apart VALUES (34); INSERT INTO items VALUES (2)')
      expect((await third.next()).value).toMatchObject({ action: 'INSERT', key: { id: 2 } })
    },
  )
})

describe('a child table that inherits no longer', () => {
  it('is a gap for the model, and its rows are nobody’s from then on', async () => {
    const childTables = `${TABLES}; CREATE TABLE special_items (extra int, PRIMARY KEY (id)) INHERITS (items)`
    const { sql, rowcast, watch } = await openScenario({ sql: childTables, ...OFTEN })
    const items = watch()
    await sql(`INSERT INTO special_items VALUES (1, 'child')`)
    expect((await items.next()).key).toEqual({ id: 1 })
    await sql('ALTER TABLE special_items NO INHERIT items')
    expect(await items.failure()).toMatchObject({ code: 'RESYNC_REQUIRED' })
    await expect.poll(() => rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
    const again = watch()
    await sql(`INSERT INTO special_items VALUES (2, 'nobody’s')`)
    await sql(`INSERT INTO items VALUES (3, 'own')`)
    expect((await again.next()).key).toEqual({ id: 3 })
  })
})
