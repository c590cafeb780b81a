/** The library end to end on a real PostgreSQL: what an application that subscribes in process gets. */
import { describe, expect, it } from 'vitest'
import type { RowcastModels } from '../prisma/generated/rowcast.ts'
import type { Change } from '../src/changes/change.ts'
import { openDatabase } from './support/database.ts'
import { openLiveRowcast, slotOf, takeChanges } from './support/live-rowcast.ts'

type UserChange = Change<RowcastModels, 'User'>

async function nextUser(changes: AsyncIterator<UserChange>): Promise<UserChange> {
  const [change] = await takeChanges(changes, 1)
  return change as UserChange
}

describe('changes of a row', () => {
  it('arrive as INSERT, UPDATE and DELETE with exactly the objects Prisma Client returns', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database)
    const users = live.rowcast.subscribe('User')

    await database.query(`INSERT INTO users (email) VALUES ('ada@example.com')`)
    const row = await live.prisma.user.findUniqueOrThrow({ where: { email: 'ada@example.com' } })
    const inserted = await nextUser(users)
    expect(inserted.action).toBe('INSERT')
    expect(inserted.new).toStrictEqual(row)
    expect(inserted.old).toBeNull()
    expect(inserted.key).toStrictEqual({ id: row.id })
    expect(inserted.changed).toEqual([])

    await database.query(`UPDATE users SET full_name = 'Ada', balance = 12.50 WHERE id = $1`, [row.id])
    const updated = await nextUser(users)
    expect(updated.action).toBe('UPDATE')
    expect(updated.old).toStrictEqual(row)
    const after = await live.prisma.user.findUniqueOrThrow({ where: { id: row.id } })
    expect(updated.new).toStrictEqual(after)
    expect([...updated.changed].sort()).toEqual(['balance', 'fullName'])
    expect(updated.unavailable).toEqual([])

    await database.query('DELETE FROM users WHERE id = $1', [row.id])
    const deleted = await nextUser(users)
    expect(deleted.action).toBe('DELETE')
    expect(deleted.old).toStrictEqual(after)
    expect(deleted.new).toBeNull()
    expect(deleted.key).toStrictEqual({ id: row.id })
    expect(deleted.changed).toEqual([])
  })

  it('are each subscriber’s own: what one does to a row, no other sees', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database)
    const [careless, other] = [live.rowcast.subscribe('User'), live.rowcast.subscribe('User')]
    await database.query(
      `INSERT INTO users (email, tags, avatar, balance, settings)
       VALUES ('a@example.com', '{x}', '\\x00ff', 1.25, '{"a": {"b": [1, {"c": 2}]}}')`,
    )
    const row = await live.prisma.user.findUniqueOrThrow({ where: { email: 'a@example.com' } })
    const { new: own, cursor } = await nextUser(careless)
    if (own === null) throw new Error('An INSERT has a row.')
    Object.assign((own.settings as { a: { b: object[] } }).a.b[1] ?? {}, { c: '***' })
    Object.assign(own.balance, { d: [9], e: 0 })
    Object.assign(own, { email: '***' })
    own.createdAt.setTime(0)
    own.tags.push('y')
    own.avatar?.fill(1)
    expect((await nextUser(other)).new).toStrictEqual(row)
    // Nor does anybody who reads it from the log, or finds it as the row before.
    const late = live.rowcast.subscribe('User', { after: 'earliest' })
    const replayed = await nextUser(late)
    expect([replayed.cursor, replayed.new]).toStrictEqual([cursor, row])
    await database.query(`UPDATE users SET email = 'b@example.com'`)
    const { old, changed } = await nextUser(late)
    expect(old).toStrictEqual(row)
    expect(changed.filter((name) => name !== 'updatedAt')).toEqual(['email'])
  })

  it('are the same in text form', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database, { binary: false })
    const users = live.rowcast.subscribe('User')
    await database.query(
      `INSERT INTO users (email, tags, avatar) VALUES ('b@example.com', '{x,"y z"}', '\\x00ff')`,
    )
    const row = await live.prisma.user.findUniqueOrThrow({ where: { email: 'b@example.com' } })
    expect((await nextUser(users)).new).toStrictEqual(row)
  })

  it('carry the key alone where the identity is not FULL, and never half a row', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database)
    const users = live.rowcast.subscribe('User')
    await database.query('ALTER TABLE users REPLICA IDENTITY DEFAULT')
    const [user] = await database.query<{ id: string }>(
      `INSERT INTO users (email) VALUES ('c@example.com') RETURNING id`,
    )
    await database.query(`UPDATE users SET full_name = 'C'`)
    await database.query('DELETE FROM users')
    const [, updated, deleted] = await takeChanges(users, 3)
    expect(updated).toMatchObject({ action: 'UPDATE', old: null, changed: [], key: { id: user?.id } })
    expect(updated?.new).toMatchObject({ fullName: 'C' })
    expect(deleted).toMatchObject({ action: 'DELETE', old: null, new: null, key: { id: user?.id } })
  })

  it('report TRUNCATE once for each table', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database)
    const teams = live.rowcast.subscribe('Team')
    await database.query(`INSERT INTO "Team" (name, slug) VALUES ('a', 'a'), ('b', 'b')`)
    await database.query('TRUNCATE "Team" CASCADE')
    const changes = await takeChanges(teams, 3)
    expect(changes[2]).toMatchObject({ action: 'TRUNCATE', old: null, new: null, key: null })
  })
})

describe('transactions', () => {
  it('arrive contiguous, numbered and only after their commit; a rolled back one not at all', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database)
    const users = live.rowcast.subscribe('User')
    const insert = (email: string) => database.query('INSERT INTO users (email) VALUES ($1)', [email])

    await database.query('BEGIN')
    await insert('lost@example.com')
    await database.query('ROLLBACK')

    await database.query('BEGIN')
    await insert('t1@example.com')
    // Another transaction begins later and commits earlier: commit order counts.
    await live.prisma.user.create({ data: { email: 'between@example.com' } })
    await insert('t2@example.com')
    await database.query(`UPDATE users SET full_name = 'T' WHERE email = 't1@example.com'`)
    const [commit] = await database.query<{ xid: string }>('SELECT txid_current()::text AS xid')
    await database.query('COMMIT')

    const changes = await takeChanges(users, 4)
    expect(changes.map((c) => [c.action, c.new?.email, c.index])).toEqual([
      ['INSERT', 'between@example.com', 0],
      ['INSERT', 't1@example.com', 0],
      ['INSERT', 't2@example.com', 1],
      ['UPDATE', 't1@example.com', 2],
    ])
    expect(new Set(changes.slice(1).map((c) => c.transaction.xid))).toEqual(new Set([Number(commit?.xid)]))
  })

  it('with more rows than a part holds arrive whole and once', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database)
    const users = live.rowcast.subscribe('User')
    await database.query(
      `INSERT INTO users (email) SELECT i || '@example.com' FROM generate_series(1, 10000) i`,
    )
    const changes = await takeChanges(users, 10_000)
    expect(changes.map((c) => c.index)).toEqual(Array.from({ length: 10_000 }, (_, index) => index))
    expect(changes[9_999]?.new?.email).toBe('10000@example.com')
  })
})

describe("the application's pool", () => {
  it('is not touched: changes flow while its only connection is held by an open transaction', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database, { pool: { max: 1 } })
    const users = live.rowcast.subscribe('User')
    await live.prisma.$transaction(
      async (held) => {
        await held.$queryRaw`SELECT 1`
        for (let i = 0; i < 5; i += 1) {
          await database.query('INSERT INTO users (email) VALUES ($1)', [`${i}@example.com`])
          expect((await nextUser(users)).new?.email).toBe(`${i}@example.com`)
        }
        const connections = await database.query<{ name: string; type: string }>(
          `SELECT application_name AS name, backend_type AS type FROM pg_stat_activity
            WHERE datname = current_database() AND application_name LIKE 'rowcast%' AND application_name <> 'rowcast test'`,
        )
        expect(connections).toEqual([{ name: `rowcast: ${slotOf(database)}`, type: 'walsender' }])
      },
      { timeout: 30_000 },
    )
  })
})

describe('actions', () => {
  it('filter a subscription and narrow its type', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database)
    const updates = live.rowcast.subscribe('User', { action: 'UPDATE' })
    const others = live.rowcast.subscribe('User', { action: ['INSERT', 'DELETE'] })
    await database.query(`INSERT INTO users (email) VALUES ('a@example.com')`)
    await database.query(`UPDATE users SET full_name = 'A'`)
    await database.query('DELETE FROM users')
    const [update] = await takeChanges(updates, 1)
    // Typed: an UPDATE has a new row, no question mark needed.
    expect(update?.new.fullName).toBe('A')
    expect((await takeChanges(others, 2)).map((c) => c.action)).toEqual(['INSERT', 'DELETE'])
  })
})

describe('disable', () => {
  it('stops, and leaves the database as it was', async () => {
    await using database = await openDatabase({ migrate: true })
    const shape = () =>
      database.query(`SELECT relname, relreplident FROM pg_class WHERE relkind = 'r' ORDER BY oid`)
    const before = await shape()
    await using live = await openLiveRowcast(database)
    expect(await shape()).not.toEqual(before)
    const users = live.rowcast.subscribe('User')
    const steps = await live.rowcast.disable()
    expect(steps.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['slot', 'replica-identity', 'publication']),
    )
    expect(await shape()).toEqual(before)
    expect(await database.query('SELECT FROM pg_publication')).toEqual([])
    expect(
      await database.query(`SELECT FROM pg_replication_slots WHERE slot_name = '${slotOf(database)}'`),
    ).toEqual([])
    expect(await users.next()).toEqual({ done: true, value: undefined })
    expect(await live.rowcast.disable()).toEqual([])
  })
})
