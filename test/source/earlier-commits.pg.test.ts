/**
 * What committed before a stream began and is not visible to queries yet: a commit that waits for a standby which is not there is on
 * disk, is sent, and is seen by nobody for as long as one wants. No position is given that stands behind it.
 */
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openLiveRowcast, slotOf, takeChanges } from '../support/live-rowcast.ts'
import { missTag, openWriter, whenOpen } from '../support/publication-gap.ts'
import { insertTag, until } from '../support/tags.ts'
import { awaitStandby, insertUnseen, waitForNoStandby } from '../support/unseen-commit.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  await waitForNoStandby(database)
  await database.query(`SELECT pg_create_logical_replication_slot('beside_${database.name}', 'pgoutput')`)
})
afterAll(async () => {
  await awaitStandby(database, null)
  await database[Symbol.asyncDispose]()
})

/** Barriers that hold the word, of all that this file's database has. */
async function barriersThatSay(word: string): Promise<number> {
  const [row] = await database.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM pg_logical_slot_peek_binary_changes(
       'beside_${database.name}', NULL, NULL, 'proto_version', '1', 'publication_names', 'rowcast', 'messages', 'true')
      WHERE position($1::text::bytea IN data) > 0`,
    [`"${word}":`],
  )
  return row?.count ?? 0
}

const OPTIONS = {
  models: ['Tag'],
  ...{ retain: { bytes: 0, minutes: 0 }, watchIntervalMs: 100, answerTimeoutMs: 15_000 },
} as const
/** Of one whose wait has to end. Other answers of the database have to come within it, too, on a busy machine. */
const ENDING = { ...OPTIONS, answerTimeoutMs: 6_000 } as const

it('has the slot held before such a commit: the process that comes next gives a position before it, at once', async () => {
  const first = await openLiveRowcast(database, OPTIONS)
  await until(async () => (await barriersThatSay('seen')) > 0)
  const release = await insertUnseen(database, 'read again')
  // The slot moves as far as it may: looks write barriers.
  const changes = first.rowcast.subscribe('Tag')
  const count = await barriersThatSay('seen')
  const names: string[] = []
  await until(async () => {
    names.push(await insertTag(database))
    await database.query("SELECT pg_logical_emit_message(false, 'noise', repeat('x', 300000))")
    return (await barriersThatSay('seen')) > count + 1
  })
  await takeChanges(changes, names.length)
  await first[Symbol.asyncDispose]()
  const writer = new pg.Client(database.target)
  writer.on('error', () => {})
  await writer.connect()
  await writer.query('BEGIN')
  await writer.query(`INSERT INTO "Tag" (name) VALUES ('open for long')`)
  await using live = await openLiveRowcast(database, OPTIONS)
  const after = await live.rowcast.changeCursor()
  expect(await live.prisma.tag.count({ where: { name: 'read again' } })).toBe(0)
  expect(await takeChanges(live.rowcast.subscribe('Tag', { after }), 1)).toMatchObject([
    { new: { name: 'read again' } },
  ])
  await writer.query('ROLLBACK')
  await writer.end()
  await release()
})

it('keeps changeCursor waiting, up to a typed end, where the slot has been led past such a commit', async () => {
  await (await openLiveRowcast(database, OPTIONS))[Symbol.asyncDispose]()
  const release = await insertUnseen(database, 'passed over')
  await database.query('SELECT pg_replication_slot_advance($1, pg_current_wal_lsn())', [slotOf(database)])
  await using live = await openLiveRowcast(database, ENDING)
  await expect(live.rowcast.changeCursor()).rejects.toMatchObject({
    code: 'COMMITS_NOT_VISIBLE',
    details: { retryAfterMs: 1_000 },
  })
  // Nobody else waits for it.
  const changes = live.rowcast.subscribe('Tag')
  const name = await insertTag(database)
  expect(await takeChanges(changes, 1)).toMatchObject([{ new: { name } }])
  await release()
  await live.rowcast.changeCursor()
  expect(await live.prisma.tag.count({ where: { name: 'passed over' } })).toBe(1)
})

it('gives a position behind each gap while somebody else goes on writing: a look shows that all before its end is visible', async () => {
  const options = {
    ...OPTIONS,
    models: ['Tag', 'Post'] as const,
    watchIntervalMs: 60_000,
    answerTimeoutMs: 6_000,
  }
  await using live = await openLiveRowcast(database, options)
  await using _ = await openWriter(database)
  for (const name of ['missed', 'missed again']) {
    const before = live.rowcast.subscribe('Tag')
    await missTag(database, name)
    await expect(takeChanges(before, 1)).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
    await whenOpen({ subscribe: () => live.rowcast.subscribe('Tag') })
    const after = await live.rowcast.changeCursor()
    expect(await live.prisma.tag.count({ where: { name } })).toBe(1)
    const next = await insertTag(database)
    const [change] = await takeChanges(live.rowcast.subscribe('Tag', { after }), 1)
    expect(change?.new?.name).toBe(next)
  }
})
