/**
 * Old rows of partitions, which PostgreSQL marks as whole whatever the partition logs: what is not known is never reported
 * as null, and whoever needs it asks for the rows again.
 */
import { describe, expect, it } from 'vitest'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { openScenario, outline } from './scenario.ts'

const EVENT = buildModel(
  [
    buildField('id', 'Int'),
    buildField('name', 'String'),
    buildField('note', 'String', { isRequired: false }),
  ],
  { name: 'Event', table: 'events' },
)

/** Of the models below; a look of the watch would repair partitions. */
const UNWATCHED = { watchIntervalMs: 3_600_000 }

const EVENTS = `CREATE TABLE events (id int PRIMARY KEY, name text NOT NULL, note text) PARTITION BY RANGE (id);
  CREATE TABLE events_0 PARTITION OF events FOR VALUES FROM (0) TO (100)`
const NEXT = 'CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (100) TO (200)'

const openEvents = (options = {}) =>
  openScenario({ sql: EVENTS, models: [EVENT], options: UNWATCHED, ...options })

describe('a partition made after set-up', () => {
  it('logs keys alone: its old rows are not known, and those of the others are', async () => {
    const { sql, watch } = await openEvents()
    const events = watch('Event')
    await sql(NEXT)
    await sql(`INSERT INTO events VALUES (1, 'a', null), (101, 'b', 'x'), (102, 'c', null)`)
    await sql('UPDATE events SET name = upper(name)')
    await sql('UPDATE events SET id = 103 WHERE id = 101')
    await sql('DELETE FROM events')
    const [, , , ...changes] = await events.take(10)
    expect(outline(changes)).toEqual([
      ['UPDATE', { id: 1, name: 'a', note: null }, { id: 1, name: 'A', note: null }],
      ['UPDATE', null, { id: 101, name: 'B', note: 'x' }],
      ['UPDATE', null, { id: 102, name: 'C', note: null }],
      ['UPDATE', null, { id: 103, name: 'B', note: 'x' }],
      ['DELETE', { id: 1, name: 'A', note: null }, null],
      ['DELETE', null, null],
      ['DELETE', null, null],
    ])
    expect(changes.map(({ changed }) => changed)).toEqual([['name'], [], [], [], [], [], []])
    expect(changes[3]).toMatchObject({ key: { id: 103 }, oldKey: { id: 101 } })
    expect(changes.slice(4).map(({ key }) => key)).toEqual([{ id: 1 }, { id: 102 }, { id: 103 }])
  })

  it('keeps no filter from a row that leaves: the subscription asks for the rows again', async () => {
    const { sql, rowcast } = await openEvents()
    const all = rowcast.subscribe('Event', { action: 'INSERT' })
    await sql(NEXT)
    await sql(`INSERT INTO events VALUES (101, 'ada')`)
    await all.next()
    const mine = rowcast.subscribe('Event', { where: { name: 'ada' } } as object)
    await sql(`UPDATE events SET name = 'bob'`)
    await expect(mine.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED', details: { model: 'Event' } })
    await sql(`INSERT INTO events VALUES (102, 'eve')`)
    expect((await all.next()).value).toMatchObject({ key: { id: 102 } })
  })

  it('shows whole rows again once it logs them', async () => {
    const { sql, watch, rowcast } = await openEvents()
    const events = watch('Event')
    await sql(NEXT)
    await sql(`INSERT INTO events VALUES (101, 'a'); DELETE FROM events`)
    await rowcast.enable()
    await sql(`INSERT INTO events VALUES (101, 'a'); DELETE FROM events`)
    const gone = (await events.take(4)).filter(({ action }) => action === 'DELETE')
    expect(outline(gone)).toEqual([
      ['DELETE', null, null],
      ['DELETE', { id: 101, name: 'a', note: null }, null],
    ])
  })
})

describe('a model that keeps the identity of its table', () => {
  const keep = { register: { Event: { replicaIdentity: 'keep' as const } } }

  it('counts on no old row; a filter that needs one ends for good', async () => {
    const { sql, rowcast } = await openEvents(keep)
    // Before anything was said of the table.
    const mine = rowcast.subscribe('Event', { action: 'UPDATE', where: { name: 'ada' } } as object)
    await sql(`INSERT INTO events VALUES (1, 'ada')`)
    await sql(`UPDATE events SET name = 'bob'`)
    await expect(mine.next()).rejects.toMatchObject({ code: 'FILTER_UNANSWERABLE' })
  })

  it('is not told that a key is as it was where a partition does not log it', async () => {
    const { sql, watch } = await openEvents(keep)
    const events = watch('Event')
    await sql(
      `CREATE UNIQUE INDEX by_name ON events_0 (name); ALTER TABLE events_0 REPLICA IDENTITY USING INDEX by_name`,
    )
    await sql(`INSERT INTO events VALUES (1, 'a')`)
    await sql('UPDATE events SET id = 2')
    const [, updated] = await events.take(2)
    expect(updated).toMatchObject({ action: 'UPDATE', old: null, key: { id: 2 } })
    expect(updated).toHaveProperty('oldKey', undefined)
  })
})

describe('a partition that came with an identity of its own', () => {
  it('by an index that is not the key: neither the key before nor the row deleted is known', async () => {
    const { sql, watch } = await openEvents()
    const events = watch('Event')
    await sql(`${NEXT}; CREATE UNIQUE INDEX by_name ON events_1 (name);
      ALTER TABLE events_1 REPLICA IDENTITY USING INDEX by_name`)
    await sql(`INSERT INTO events VALUES (101, 'a', 'x')`)
    await sql('UPDATE events SET id = 102')
    expect((await events.take(1)).map(({ key }) => key)).toEqual([{ id: 101 }])
    expect(await events.failure()).toMatchObject({ code: 'RESYNC_REQUIRED' })
    const again = watch('Event')
    await sql('DELETE FROM events')
    expect(await again.failure()).toMatchObject({ code: 'RESYNC_REQUIRED' })
  })

  it('below a partition of a partition, attached, detached, and in another order of columns', async () => {
    const { sql, watch } = await openEvents()
    const events = watch('Event')
    await sql(`CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (200) TO (300) PARTITION BY RANGE (id);
      CREATE TABLE events_2a (note text, name text NOT NULL, dropped int, id int PRIMARY KEY);
      ALTER TABLE events_2a DROP COLUMN dropped;
      ALTER TABLE events_2 ATTACH PARTITION events_2a FOR VALUES FROM (200) TO (250)`)
    await sql(`INSERT INTO events VALUES (201, 'a'); DELETE FROM events WHERE id = 201`)
    await sql('ALTER TABLE events_2a REPLICA IDENTITY FULL')
    await sql(`INSERT INTO events VALUES (202, 'b'); DELETE FROM events WHERE id = 202`)
    await sql('ALTER TABLE events_2 DETACH PARTITION events_2a')
    await sql('ALTER TABLE events_2a REPLICA IDENTITY DEFAULT')
    await sql('ALTER TABLE events_2 ATTACH PARTITION events_2a FOR VALUES FROM (200) TO (250)')
    await sql(`INSERT INTO events VALUES (203, 'c'); DELETE FROM events WHERE id = 203`)
    const gone = (await events.take(6)).filter(({ action }) => action === 'DELETE')
    expect(gone.map(({ key, old }) => [key, old])).toEqual([
      [{ id: 201 }, null],
      [{ id: 202 }, { id: 202, name: 'b', note: null }],
      [{ id: 203 }, null],
    ])
  })

  it('that changes in the middle of a transaction, and back', async () => {
    const { sql, watch } = await openEvents()
    const events = watch('Event')
    await sql(NEXT)
    await sql(`INSERT INTO events VALUES (101, 'a'), (102, 'b'), (103, 'c'), (104, 'd')`)
    await sql(`BEGIN; DELETE FROM events WHERE id = 101;
      ALTER TABLE events_1 REPLICA IDENTITY FULL; DELETE FROM events WHERE id = 102;
      SAVEPOINT s; ALTER TABLE events_1 REPLICA IDENTITY DEFAULT; UPDATE events SET name = 'x' WHERE id = 103; ROLLBACK TO s;
      DELETE FROM events WHERE id = 103;
      ALTER TABLE events_1 REPLICA IDENTITY DEFAULT; DELETE FROM events WHERE id = 104; COMMIT`)
    const gone = (await events.take(8)).slice(4)
    expect(gone.map(({ action, key, old }) => [action, key, old])).toEqual([
      ['DELETE', { id: 101 }, null],
      ['DELETE', { id: 102 }, { id: 102, name: 'b', note: null }],
      ['DELETE', { id: 103 }, { id: 103, name: 'c', note: null }],
      ['DELETE', { id: 104 }, null],
    ])
  })

  it('gets rows moved to it, and gives them away', async () => {
    const { sql, watch } = await openEvents()
    const events = watch('Event')
    await sql(NEXT)
    await sql(`INSERT INTO events VALUES (1, 'a', 'x'), (101, 'b', 'y')`)
    await sql('UPDATE events SET id = 102 WHERE id = 1; UPDATE events SET id = 2 WHERE id = 101')
    const moved = (await events.take(6)).slice(2)
    expect(outline(moved)).toEqual([
      ['DELETE', { id: 1, name: 'a', note: 'x' }, null],
      ['INSERT', null, { id: 102, name: 'a', note: 'x' }],
      ['DELETE', null, null],
      ['INSERT', null, { id: 2, name: 'b', note: 'y' }],
    ])
    expect(moved[2]?.key).toEqual({ id: 101 })
  })
})

describe('old rows of many partitions', () => {
  it('are what the table held, or nothing', async () => {
    const { sql, watch } = await openEvents()
    const events = watch('Event')
    const identities = ['DEFAULT', 'FULL', 'USING INDEX by_3', 'FULL', 'DEFAULT']
    for (const [index, identity] of identities.entries()) {
      const name = `events_${index + 1}`
      await sql(`CREATE TABLE ${name} PARTITION OF events FOR VALUES FROM (${100 * (index + 1)}) TO (${100 * (index + 2)});
        CREATE UNIQUE INDEX by_${index + 1} ON ${name} (id, name); ALTER TABLE ${name} REPLICA IDENTITY ${identity}`)
    }
    await sql(
      `INSERT INTO events SELECT 7 * n, 'n' || n, CASE WHEN n % 3 = 0 THEN 'note' END FROM generate_series(0, 80) n`,
    )
    await sql(`UPDATE events SET note = CASE WHEN note IS NULL THEN 'new' END WHERE id % 2 = 0`)
    await sql(`UPDATE events SET id = id + 1 WHERE id % 21 = 0`)
    await sql(`ALTER TABLE events_2 REPLICA IDENTITY DEFAULT; ALTER TABLE events_1 REPLICA IDENTITY FULL`)
    await sql(`UPDATE events SET name = name || '!' WHERE id % 5 < 3`)
    await sql('DELETE FROM events')
    await sql(`INSERT INTO events VALUES (0, 'end')`)
    const rows = new Map<unknown, unknown>()
    const counts = { known: 0, unknown: 0 }
    for (let change = await events.next(); ; change = await events.next()) {
      if ((change.new as { name?: string } | null)?.name === 'end') break
      const { action, key, old } = change
      const before = (action === 'UPDATE' ? change.oldKey : null) ?? key
      if (action !== 'INSERT') {
        const truth = rows.get(before?.['id'])
        expect(truth, `${action} of ${JSON.stringify(before)}`).toBeDefined()
        if (old !== null) expect(old).toEqual(truth)
        counts[old === null ? 'unknown' : 'known'] += 1
        rows.delete(before?.['id'])
      }
      if (change.new !== null) rows.set(key?.['id'], change.new)
    }
    expect(rows.size).toBe(0)
    expect(Math.min(counts.known, counts.unknown)).toBeGreaterThan(40)
  })
})
