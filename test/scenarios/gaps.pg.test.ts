/**
 * What is published changes between two looks of the watch, and the stream does not say so. Nobody may go on from before
 * as if nothing had been missed; whoever comes after it misses nothing. Most cases are over long before a look is due.
 */
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { EnumSpec } from '../../src/catalog/model-catalog.ts'
import { isRowcastError } from '../../src/errors.ts'
import type { Rowcast } from '../../src/rowcast.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import {
  type AnyModelChange,
  buildRowcast,
  ITEM,
  OTHER,
  openScenario,
  type Scenario,
  type ScenarioOptions,
  skipBelow,
  TABLES,
} from './scenario.ts'

/** The watch as it is by default: nothing here waits for one of its looks in turn. */
const RARELY = { watchIntervalMs: 600_000 }
const OFTEN = { watchIntervalMs: 100 }

const insert = (id: number, table = 'items') => `INSERT INTO ${table} VALUES (${id})`
const FULL = 'ALTER TABLE items REPLICA IDENTITY FULL'
const ALL_TABLES = `${TABLES}; CREATE PUBLICATION rowcast FOR ALL TABLES`

const HUE: EnumSpec = {
  ...{ name: 'Hue', schema: null, dbName: 'hue', documentation: null },
  values: ['red', 'blue'].map((label) => ({ name: label.toUpperCase(), label, documentation: null })),
}
const HUED = buildModel(
  [buildField('id', 'Int'), buildField('note', 'Hue', { kind: 'enum', isList: true })],
  {
    ...{ name: 'Item', table: 'items' },
  },
)

function subscribe(rowcast: Rowcast, after: string, model = 'Item'): AsyncIterableIterator<AnyModelChange> {
  return rowcast.subscribe(model, { after }) as AsyncIterableIterator<AnyModelChange>
}

/** The code that a subscription ends with. */
async function endOf(changes: { next(): Promise<unknown> }): Promise<unknown> {
  for (;;) {
    const result = await changes.next().catch((error: unknown) => error)
    if (result instanceof Error) return (result as Error & { code?: string }).code
    if ((result as IteratorResult<unknown>).done === true) return null
  }
}

/**
 * Whoever comes now misses nothing: cursor, query, subscription, and every later row. What was not noticed yet may end the
 * first who come.
 */
async function expectWhole(
  { rowcast, sql }: Pick<Scenario, 'rowcast' | 'sql'>,
  firstId: number,
): Promise<void> {
  for (let id = firstId; ; id += 1) {
    await expect.poll(() => rowcast.status().drifted, { timeout: 20_000 }).toEqual([])
    const after = await rowcast.changeCursor()
    await sql(insert(id))
    const first = await nextOf(() => subscribe(rowcast, after))
    if (isRowcastError(first, 'RESYNC_REQUIRED') || isRowcastError(first, 'SOURCE_TABLE_CHANGED')) continue
    expect(first).toMatchObject({ value: { action: 'INSERT', key: { id } } })
    return
  }
}

async function nextOf(subscribeNow: () => AsyncIterator<unknown>): Promise<unknown> {
  try {
    return await subscribeNow().next()
  } catch (error) {
    return error
  }
}

/** A transaction of the application that is open. */
async function openTransaction(database: TestDatabase) {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  await client.query('BEGIN')
  return {
    query: (text: string) => client.query(text),
    [Symbol.asyncDispose]: () => client.end(),
  }
}

interface Gap extends ScenarioOptions {
  readonly since?: number
  readonly isForAll?: boolean
  readonly steps: readonly string[]
}

const SCHEMA_GAP: Gap = {
  since: 15,
  sql: `CREATE SCHEMA shop; CREATE SCHEMA attic; CREATE TABLE shop.items (id int PRIMARY KEY, note text);
    CREATE TABLE shop.others (id int PRIMARY KEY); CREATE PUBLICATION rowcast FOR TABLES IN SCHEMA shop`,
  models: [
    { ...ITEM, schema: 'shop' },
    { ...OTHER, schema: 'shop' },
  ],
  steps: [
    'ALTER TABLE shop.items SET SCHEMA attic',
    'INSERT INTO attic.items VALUES (2)',
    'ALTER TABLE attic.items SET SCHEMA shop',
  ],
}

const GAPS: Readonly<Record<string, Gap>> = {
  'a migration that drops, makes, fills and publishes a table': {
    steps: [
      'DROP TABLE items',
      'CREATE TABLE items (id int PRIMARY KEY, note text)',
      insert(2),
      FULL,
      'ALTER PUBLICATION rowcast ADD TABLE items',
    ],
  },
  'the same in one transaction': {
    steps: [
      `BEGIN; DROP TABLE items; CREATE TABLE items (id int PRIMARY KEY, note text); ${insert(2)}; ${FULL};
        ALTER PUBLICATION rowcast ADD TABLE items; COMMIT`,
    ],
  },
  'a table of FOR ALL TABLES that is dropped and made again': {
    sql: ALL_TABLES,
    steps: ['DROP TABLE items', 'CREATE TABLE items (id int PRIMARY KEY, note text)', FULL],
  },
  'a table of FOR ALL TABLES that is loaded and swapped in by its name': {
    sql: ALL_TABLES,
    steps: [
      'CREATE TABLE fresh (id int PRIMARY KEY, note text)',
      insert(2, 'fresh'),
      'ALTER TABLE items RENAME TO stale; ALTER TABLE fresh RENAME TO items',
      FULL,
    ],
  },
  'a table that is swapped in by its name, and published with SET TABLE': {
    steps: [
      'CREATE TABLE fresh (id int PRIMARY KEY, note text)',
      insert(2, 'fresh'),
      'ALTER TABLE items RENAME TO stale; ALTER TABLE fresh RENAME TO items',
      FULL,
      'ALTER PUBLICATION rowcast SET TABLE items, others',
    ],
  },
  'a table that leaves the publication and comes back': {
    steps: [
      'ALTER PUBLICATION rowcast DROP TABLE items',
      `UPDATE items SET note = 'unseen'`,
      'ALTER PUBLICATION rowcast ADD TABLE items',
    ],
  },
  'a publication that is renamed while another has its name': {
    isForAll: true,
    steps: [
      'ALTER PUBLICATION rowcast RENAME TO stale; CREATE PUBLICATION rowcast FOR TABLE others',
      `UPDATE items SET note = 'unseen'`,
      'DROP PUBLICATION rowcast; ALTER PUBLICATION stale RENAME TO rowcast',
    ],
  },
  'a second table that is swapped in while the first one is away': {
    steps: [
      'ALTER TABLE items RENAME TO stale; CREATE TABLE items (id int PRIMARY KEY, note text)',
      `${FULL}; ALTER PUBLICATION rowcast ADD TABLE items; ${insert(2)}`,
      `ALTER TABLE items RENAME TO staler; UPDATE stale SET note = 'unseen'; ALTER TABLE stale RENAME TO items`,
    ],
  },
  'an action that is left out for a while': {
    isForAll: true,
    steps: [
      `ALTER PUBLICATION rowcast SET (publish = 'insert')`,
      'DELETE FROM items',
      `ALTER PUBLICATION rowcast SET (publish = 'insert, update, delete, truncate')`,
    ],
  },
  'a TRUNCATE that is not published': {
    isForAll: true,
    steps: [
      `ALTER PUBLICATION rowcast SET (publish = 'insert, update, delete')`,
      'TRUNCATE items',
      `ALTER PUBLICATION rowcast SET (publish = 'insert, update, delete, truncate')`,
    ],
  },
  'a row filter': {
    since: 15,
    steps: ['ALTER PUBLICATION rowcast SET TABLE items WHERE (id < 100), others'],
  },
  'a row filter for a while': {
    since: 15,
    steps: [
      'ALTER PUBLICATION rowcast SET TABLE items WHERE (id < 100), others',
      `UPDATE items SET id = 100`,
      'ALTER PUBLICATION rowcast SET TABLE items, others',
    ],
  },
  'a column list for a while': {
    since: 15,
    steps: [
      'ALTER TABLE items REPLICA IDENTITY DEFAULT',
      'ALTER PUBLICATION rowcast SET TABLE items (id), others',
      `UPDATE items SET note = 'unseen'`,
      'ALTER PUBLICATION rowcast SET TABLE items, others',
      FULL,
      insert(3),
    ],
  },
  'a schema that leaves the publication and comes back': {
    ...SCHEMA_GAP,
    isForAll: true,
    steps: [
      'ALTER PUBLICATION rowcast DROP TABLES IN SCHEMA shop',
      'INSERT INTO shop.items VALUES (2)',
      'ALTER PUBLICATION rowcast ADD TABLES IN SCHEMA shop',
    ],
  },
  'a table that leaves a published schema and comes back': SCHEMA_GAP,
  'a column that is dropped and made again in one statement': {
    steps: ['ALTER TABLE items DROP COLUMN note, ADD COLUMN note text'],
  },
  'two columns that change their names': {
    sql: TABLES.replace('note text', 'note text, spare text'),
    steps: ['ALTER TABLE items RENAME note TO was; ALTER TABLE items RENAME spare TO note'],
  },
  'a column that gets another type, with other values': {
    steps: ['ALTER TABLE items ALTER note TYPE varchar(40) USING upper(note)'],
  },
  'the same type with other values, in a table without TOAST': {
    sql: 'CREATE TABLE items (id int PRIMARY KEY, note "char"); CREATE TABLE others (id int PRIMARY KEY)',
    steps: ['ALTER TABLE items ALTER id TYPE int USING id + 1'],
  },
  'a column that came with a DEFAULT and gets other values': {
    sql: `${TABLES.replace(', note text', '')}; ALTER TABLE items ADD note text DEFAULT 'of before'`,
    steps: ['ALTER TABLE items ALTER note TYPE text USING upper(note)'],
  },
  'a table of FOR ALL TABLES that is a partition of another one for a while': {
    // Before, a stream that is under way goes on with the table's own name: nothing is missed.
    since: 15,
    sql: `${ALL_TABLES} WITH (publish_via_partition_root = true); CREATE TABLE whole (id int, note text) PARTITION BY RANGE (id)`,
    steps: [
      'ALTER TABLE whole ATTACH PARTITION items FOR VALUES FROM (0) TO (1000)',
      insert(2),
      'ALTER TABLE whole DETACH PARTITION items',
    ],
  },
  'labels of an enum that change their names': {
    sql: `CREATE TYPE hue AS ENUM ('red', 'blue'); CREATE DOMAIN tone AS hue; CREATE TABLE others (id int PRIMARY KEY);
      CREATE TABLE items (id int PRIMARY KEY, note tone[])`,
    models: [HUED, OTHER],
    enums: { Hue: HUE },
    steps: [
      `ALTER TYPE hue RENAME VALUE 'red' TO 'was'; ALTER TYPE hue RENAME VALUE 'blue' TO 'red'; ALTER TYPE hue RENAME VALUE 'was' TO 'blue'`,
    ],
  },
  'a column of a child table that is dropped and made again': {
    sql: `${TABLES}; CREATE TABLE special_items (PRIMARY KEY (id)) INHERITS (items)`,
    steps: ['ALTER TABLE items DROP COLUMN note, ADD COLUMN note text'],
  },
  'a column of a partitioned table that is dropped and made again': {
    sql: `CREATE TABLE items (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
      CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (0) TO (100); CREATE TABLE others (id int PRIMARY KEY)`,
    steps: ['ALTER TABLE items DROP COLUMN note, ADD COLUMN note text'],
  },
  'a table of FOR ALL TABLES that is UNLOGGED for a while': {
    sql: ALL_TABLES,
    steps: ['ALTER TABLE items SET UNLOGGED', insert(2), 'ALTER TABLE items SET LOGGED'],
  },
}

/** The scenario of a gap, with the cursor of a client that has got one change. */
async function openGap(gap: Gap, options: ScenarioOptions['options']) {
  const table = gap.models?.[0]?.schema == null ? 'items' : `${gap.models[0].schema}.items`
  const scenario = await openScenario({ ...gap, options })
  const items = scenario.watch()
  await scenario.sql(insert(1, table))
  const { cursor } = await items.next()
  return {
    ...scenario,
    cursor,
    items,
    others: scenario.watch('Other'),
    sql: (text: string) => scenario.sql(text.replace('INTO items', `INTO ${table}`)),
    async run() {
      for (const step of gap.steps) await scenario.sql(step)
    },
  }
}

async function skipOlder(gap: Gap, context: Parameters<typeof skipBelow>[2]): Promise<void> {
  if (gap.since === undefined) return
  await using probe = await openDatabase()
  await skipBelow(gap.since, probe, context)
}

describe('what is published changes, and the stream says nothing:', () => {
  it.for(Object.entries(GAPS))('%s', async ([, gap], context) => {
    await skipOlder(gap, context)
    const { run, rowcast, sql, cursor, items, others } = await openGap(gap, OFTEN)
    await run()
    expect(await endOf(items)).toMatch(/RESYNC_REQUIRED|SOURCE_TABLE_NOT_PUBLISHED|CATALOG_DRIFT/)
    await expectWhole({ rowcast, sql }, 10)
    expect(await endOf(subscribe(rowcast, cursor))).toBe('RESYNC_REQUIRED')
    // One publication is changed for all its tables; otherwise nobody else is disturbed.
    if (gap.isForAll === true) return
    await sql(insert(1, gap.models?.[0]?.schema === 'shop' ? 'shop.others' : 'others'))
    expect((await others.next()).key).toEqual({ id: 1 })
  })
})

describe('while nobody reads the slot', () => {
  const names = [
    'a migration that drops, makes, fills and publishes a table',
    'a table that is swapped in by its name, and published with SET TABLE',
    'a table of FOR ALL TABLES that is loaded and swapped in by its name',
    'a table that leaves the publication and comes back',
    'an action that is left out for a while',
    'a table that leaves a published schema and comes back',
    'a column that is dropped and made again in one statement',
    'a column that gets another type, with other values',
  ]
  it.for(names)('%s: the next process takes no cursor from before', async (name, context) => {
    const gap = GAPS[name] as Gap
    await skipOlder(gap, context)
    const { run, database, rowcast, sql, cursor } = await openGap(gap, RARELY)
    await rowcast.stop()
    await run()
    const next = buildRowcast(database, { ...gap, options: RARELY })
    onTestFinished(() => next.stop())
    next.start()
    const early = subscribe(next, cursor)
    await next.ready()
    expect(await endOf(early)).toBe('RESYNC_REQUIRED')
    expect(await endOf(subscribe(next, cursor))).toBe('RESYNC_REQUIRED')
    await expectWhole({ rowcast: next, sql }, 10)
  })

  it('the publication is dropped and made again', async () => {
    const { database, rowcast, sql, cursor } = await openGap({ steps: [] }, RARELY)
    await rowcast.stop()
    await sql('DROP PUBLICATION rowcast')
    await sql(`UPDATE items SET note = 'unseen'`)
    await sql('CREATE PUBLICATION rowcast FOR TABLE items, others')
    const next = buildRowcast(database, { options: RARELY })
    onTestFinished(() => next.stop())
    next.start()
    await next.ready()
    expect(await endOf(subscribe(next, cursor))).toBe('RESYNC_REQUIRED')
    await expectWhole({ rowcast: next, sql }, 10)
  })

  it('nothing of the kind happens, and every cursor is good', async () => {
    const { database, rowcast, sql, cursor } = await openGap({ steps: [] }, RARELY)
    await rowcast.stop()
    for (const statement of HARMLESS) await sql(statement)
    await sql(insert(2))
    const next = buildRowcast(database, { options: RARELY })
    onTestFinished(() => next.stop())
    next.start()
    const early = subscribe(next, cursor)
    expect((await early.next()).value).toMatchObject({ key: { id: 2 } })
    await next.ready()
    expect((await subscribe(next, cursor).next()).value).toMatchObject({ key: { id: 2 } })
  })
})

describe('a gap that was noticed', () => {
  it('is known to the next process, and to the one after it', async () => {
    const gap = GAPS['a table that leaves the publication and comes back'] as Gap
    const { run, database, rowcast, sql, cursor, items } = await openGap(gap, OFTEN)
    await run()
    await endOf(items)
    await expectWhole({ rowcast, sql }, 10)
    const good = await rowcast.changeCursor()
    await rowcast.stop()
    await sql(insert(11))
    for (let round = 0; round < 2; round += 1) {
      const next = buildRowcast(database, { options: RARELY })
      next.start()
      await next.ready()
      expect(await endOf(subscribe(next, cursor))).toBe('RESYNC_REQUIRED')
      expect((await subscribe(next, good).next()).value).toMatchObject({ key: { id: 11 } })
      await next.stop()
    }
  })

  it('is noticed by the first row of another table, without a look in turn', async () => {
    const gap = GAPS['a table of FOR ALL TABLES that is loaded and swapped in by its name'] as Gap
    const { run, rowcast, sql, cursor, items } = await openGap(gap, RARELY)
    await run()
    await sql(insert(3))
    expect(await items.failure()).toMatchObject({ code: 'RESYNC_REQUIRED' })
    await expectWhole({ rowcast, sql }, 10)
    expect(await endOf(subscribe(rowcast, cursor))).toBe('RESYNC_REQUIRED')
  })

  it('is a column that is gone at one look, and made again by the next', async () => {
    const { rowcast, sql, cursor, items } = await openGap({ steps: [] }, OFTEN)
    await sql('ALTER TABLE items DROP COLUMN note')
    await passLooks(rowcast)
    await sql('ALTER TABLE items ADD COLUMN note text')
    expect(await items.failure()).toMatchObject({ code: 'RESYNC_REQUIRED' })
    await expectWhole({ rowcast, sql }, 10)
    expect(await endOf(subscribe(rowcast, cursor))).toBe('RESYNC_REQUIRED')
  }, 40_000)

  it('lasts until transactions that wrote meanwhile are over', async () => {
    const { database, rowcast, sql, items } = await openGap({ steps: [] }, OFTEN)
    await sql('ALTER PUBLICATION rowcast DROP TABLE items')
    await endOf(items)
    await using writer = await openTransaction(database)
    await writer.query(insert(7))
    await rowcast.enable()
    await expect.poll(() => codeOf(rowcast), { timeout: 20_000 }).toBe('SOURCE_TABLE_CHANGED')
    expect(() => rowcast.subscribe('Item')).toThrow(expect.objectContaining({ code: 'SOURCE_TABLE_CHANGED' }))
    // The row of the open transaction is in no change and in no query yet.
    const early = await rowcast.changeCursor()
    await writer.query('COMMIT')
    await expect.poll(() => codeOf(rowcast), { timeout: 20_000 }).toBe(undefined)
    expect(await endOf(subscribe(rowcast, early))).toBe('RESYNC_REQUIRED')
    await rowcast.changeCursor()
    expect(await sql('SELECT id FROM items WHERE id = 7')).toHaveLength(1)
    await expectWhole({ rowcast, sql }, 10)
  })
})

/** Resolves when a look that began after the call is over. */
async function passLooks(rowcast: Rowcast): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    const last = rowcast.status().slotHealth
    await expect.poll(() => rowcast.status().slotHealth, { timeout: 20_000 }).not.toBe(last)
  }
}

const codeOf = (rowcast: Rowcast) => rowcast.status().drifted[0]?.error.code

/** What changes nothing of what is published. */
const HARMLESS = [
  'ALTER TABLE items ADD COLUMN extra int',
  `ALTER TABLE items ADD COLUMN made timestamptz DEFAULT clock_timestamp()`,
  `ALTER TABLE items ADD COLUMN known text DEFAULT 'for rows of before'`,
  'ALTER TABLE items ADD CONSTRAINT sane CHECK (id >= 0)',
  'ALTER TABLE items RENAME extra TO other; ALTER TABLE items DROP COLUMN other, ADD COLUMN other text',
  'ALTER TABLE items ALTER other TYPE int USING 1',
  `CREATE TYPE hue AS ENUM ('red'); ALTER TABLE items ADD COLUMN hue hue`,
  `ALTER TYPE hue ADD VALUE 'blue'`,
  `ALTER TYPE hue ADD VALUE 'black' BEFORE 'red'`,
  'CREATE INDEX ON items (note)',
  'VACUUM FULL items',
  'CLUSTER items USING items_pkey',
  'VACUUM items',
  'ANALYZE items',
  'COMMENT ON TABLE items IS $$things$$',
  'GRANT SELECT ON items TO public',
  'GRANT USAGE ON SCHEMA public TO public',
  'BEGIN; SAVEPOINT s; ALTER PUBLICATION rowcast DROP TABLE items; DROP TABLE items; ROLLBACK TO s; COMMIT',
  'BEGIN; ALTER PUBLICATION rowcast DROP TABLE items; ROLLBACK',
  'CREATE TABLE strangers (id int PRIMARY KEY)',
  'ALTER PUBLICATION rowcast ADD TABLE strangers',
  'INSERT INTO strangers VALUES (1)',
  'ALTER PUBLICATION rowcast DROP TABLE strangers',
  'DROP TABLE strangers',
]

describe('what changes nothing', () => {
  it('ends no subscription and no cursor', async () => {
    const { rowcast, sql, cursor, items, others } = await openGap({ steps: [] }, OFTEN)
    for (const statement of HARMLESS) await sql(statement)
    await passLooks(rowcast)
    await sql(insert(2))
    await sql(insert(1, 'others'))
    expect((await items.next()).key).toEqual({ id: 2 })
    expect((await others.next()).key).toEqual({ id: 1 })
    expect((await subscribe(rowcast, cursor).next()).value).toMatchObject({ key: { id: 2 } })
  })

  it('is VACUUM FULL of FOR ALL TABLES as well, where the table has TOAST, and a TRUNCATE that is published', async () => {
    const { rowcast, sql, items } = await openGap({ sql: ALL_TABLES, steps: [] }, OFTEN)
    for (const statement of [
      'VACUUM FULL items',
      'ALTER TABLE items ADD COLUMN extra int',
      'TRUNCATE items',
    ]) {
      await sql(statement)
      await passLooks(rowcast)
    }
    await sql(insert(2))
    expect((await items.take(2)).map(({ action }) => action)).toEqual(['TRUNCATE', 'INSERT'])
  })
})
