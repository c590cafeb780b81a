/** Looking at changes takes nothing from the service, misses nothing in silence, and holds nothing up. */
import { expect, it, onTestFinished } from 'vitest'
import { formatCursor, parseCursor } from '../../src/changes/cursor.ts'
import { type LookRequest, openLookStream } from '../../src/source/session/tail-session.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { createDeferred as deferred } from '../support/deferred.ts'
import { openLiveRowcast, slotOf, takeChanges } from '../support/live-rowcast.ts'
import { openPostgres } from '../support/postgres.ts'

/**
 * Opens a stream; `commits` resolves with the number of commits once there are so many. PostgreSQL 14 sends transactions
 * without rows, too: those do not count.
 */
async function look(database: TestDatabase, request: Partial<LookRequest> = {}) {
  let count = 0
  let hasRows = false
  let wanted = 0
  let reached = deferred<number>()
  const stream = await openLookStream(
    {
      ...{ target: database.target, publication: 'rowcast', slot: null, after: null },
      ...{ applicationName: 'rowcast look' },
      ...request,
    },
    {
      onStart() {},
      onMessage(bytes, start) {
        const tag = String.fromCharCode(bytes[start] ?? 0)
        if (tag === 'B') hasRows = false
        if ('IUD'.includes(tag)) hasRows = true
        if (tag === 'C' && hasRows) count += 1
        if (count >= wanted) reached.resolve(count)
      },
    },
  )
  onTestFinished(() => stream.close())
  stream.closed.catch(() => undefined)
  return {
    stream,
    commits(more: number): Promise<number> {
      wanted = more
      reached = deferred()
      if (count >= wanted) reached.resolve(count)
      return reached.promise
    },
  }
}

const slotsOf = (database: TestDatabase) =>
  database.query<{ name: string; temporary: boolean; confirmed: string }>(
    `SELECT slot_name::text AS name, temporary, confirmed_flush_lsn::text AS confirmed
       FROM pg_replication_slots WHERE database = current_database() ORDER BY temporary`,
  )

it('reads the slot of a running service again, and leaves it where it is', async () => {
  await using database = await openDatabase({ migrate: true })
  await using live = await openLiveRowcast(database, { models: ['Tag'] })
  const tags = live.rowcast.subscribe('Tag')
  await database.query(`INSERT INTO "Tag" (name) VALUES ('a')`)
  await database.query(`INSERT INTO "Tag" (name) VALUES ('b')`)
  const [first] = await takeChanges(tags, 2)
  const slot = slotOf(database)
  const all = await look(database, { slot })
  expect(await all.commits(2)).toBe(2)
  const after = parseCursor(first?.cursor ?? '')
  const rest = await look(database, { slot, after })
  await database.query(`INSERT INTO "Tag" (name) VALUES ('c')`)
  expect(await all.commits(3)).toBe(3)
  await rest.commits(3)
  expect((await takeChanges(tags, 1))[0]?.new?.name).toBe('c')
  expect((await slotsOf(database)).map(({ temporary }) => temporary)).toEqual([false, true, true])
  await all.stream.close()
  await rest.stream.close()
  await expect.poll(async () => (await slotsOf(database)).length, { timeout: 30_000 }).toBe(1)
})

it('refuses a cursor whose changes the slot no longer has, or of another history', async () => {
  await using database = await openDatabase({ migrate: true })
  await using live = await openLiveRowcast(database, { models: ['Tag'], retain: { bytes: 0, minutes: 0 } })
  const tags = live.rowcast.subscribe('Tag')
  await database.query(`INSERT INTO "Tag" (name) VALUES ('a')`)
  const [change] = await takeChanges(tags, 1)
  const cursor = parseCursor(change?.cursor ?? '')
  const { origin, position } = cursor
  const old = {
    origin,
    position: {
      ...position,
      commitLsn: parseCursor(formatCursor(origin, position.commitLsn, 0)).position.commitLsn,
    },
  }
  await live.rowcast.stop()
  await database.query(`SELECT pg_replication_slot_advance('${slotOf(database)}', pg_current_wal_lsn())`)
  await expect(look(database, { slot: slotOf(database), after: old })).rejects.toMatchObject({
    code: 'RESYNC_REQUIRED',
    hint: expect.stringContaining('earliest'),
  })
  const elsewhere = { origin: { ...origin, timeline: origin.timeline + 1 }, position }
  await expect(look(database, { slot: slotOf(database), after: elsewhere })).rejects.toMatchObject({
    code: 'RESYNC_REQUIRED',
  })
  await expect(look(database, { slot: 'no_such_slot' })).rejects.toMatchObject({
    code: 'SOURCE_SLOT_MISSING',
  })
})

it('confirms what it has seen, so that a long look holds no WAL, and reads no further than its consumer', async () => {
  await using database = await openDatabase({ migrate: true })
  await database.query('ALTER TABLE "Tag" ALTER COLUMN name TYPE text')
  await using live = await openLiveRowcast(database, { models: ['Tag'] })
  const slow = deferred<void>()
  let seen = 0
  const stream = await openLookStream(
    { target: database.target, publication: 'rowcast', slot: null, after: null, applicationName: 'look' },
    {
      onStart() {},
      onMessage() {
        seen += 1
      },
      backlog: () => (seen === 1 ? slow.promise : null),
    },
  )
  onTestFinished(() => stream.close())
  stream.closed.catch(() => undefined)
  const tags = live.rowcast.subscribe('Tag')
  const ROWS = 100_000
  await database.query(
    `INSERT INTO "Tag" (name) SELECT repeat(n::text, 100) FROM generate_series(1, ${ROWS}) n`,
  )
  await takeChanges(tags, 1)
  const held = seen
  expect(held).toBeLessThan(ROWS)
  const confirmed = async () => (await slotsOf(database)).find(({ temporary }) => temporary)?.confirmed
  const before = await confirmed()
  slow.resolve()
  await expect.poll(() => seen, { timeout: 60_000 }).toBeGreaterThan(ROWS)
  await expect.poll(confirmed, { timeout: 60_000 }).not.toBe(before)
})

it('does not keep PostgreSQL from stopping', async () => {
  // So patient that a stop which is held up fails the test instead of getting harder.
  await using postgres = await openPostgres({ stopTimeoutMs: 600_000 })
  await using database = await openDatabase({ migrate: true, serverUrl: postgres.cluster.connectionString() })
  await database.query('CREATE PUBLICATION rowcast FOR ALL TABLES')
  const { stream, commits } = await look(database)
  await database.query(`INSERT INTO "Tag" (name) VALUES ('a')`)
  await commits(1)
  await postgres.cluster.stop('fast')
  await expect(stream.closed).rejects.toMatchObject({ code: expect.stringMatching(/^(SOURCE|WIRE)_/) })
  await postgres.cluster.start()
})

it.each([['no publication', (database: TestDatabase) => look(database), 'SOURCE_PUBLICATION_MISSING']])(
  'says what is missing: %s',
  async (_name, open, code) => {
    await using database = await openDatabase({ migrate: true })
    await expect(open(database)).rejects.toMatchObject({
      code,
      hint: expect.stringContaining('rowcast enable'),
    })
    expect(await slotsOf(database)).toEqual([])
  },
)
