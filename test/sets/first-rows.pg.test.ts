/** A subscription that begins with the rows there are, on a real PostgreSQL. */

import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog, type RowcastModels } from '../../prisma/generated/rowcast.ts'
import type { AnyRow } from '../../src/changes/change.ts'
import { parseCursor } from '../../src/changes/cursor.ts'
import { ERRORS, type RowcastError } from '../../src/errors.ts'
import { createRowcast, type Rowcast } from '../../src/rowcast.ts'
import { readForRows } from '../../src/sets/fence.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openLiveRowcast } from '../support/live-rowcast.ts'
import { type PickBelow, picker } from '../support/mvcc-world.ts'
import { countStatements } from '../support/statement-counter.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 20_261_127)
const KEYS = 40
const END = '999999'

/** Takes events until READY; the rows that came. */
async function untilReady(events: AsyncIterator<unknown>) {
  const rows: Record<string, unknown>[] = []
  for (;;) {
    const { value } = (await events.next()) as { value: Record<string, unknown> }
    if (value['action'] === 'READY') return { rows, cursor: String(value['cursor']) }
    rows.push(value)
  }
}

/** One connection that writes tags: keys move, rows come and go, some of it is rolled back. */
async function writeTags(database: TestDatabase, pick: PickBelow, count: number): Promise<void> {
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  try {
    for (let done = 0; done < count; done += 1) {
      await client.query('BEGIN')
      // An id of its own early: commits then end out of the order of ids.
      await client.query('SELECT pg_current_xact_id()')
      try {
        for (let writes = 1 + pick(3); writes > 0; writes -= 1) await writeTag(client, pick)
        await client.query(pick(6) === 0 ? 'ROLLBACK' : 'COMMIT')
      } catch {
        // Two writers met: a key is taken, or each waits for the other.
        await client.query('ROLLBACK')
      }
    }
  } finally {
    await client.end()
  }
}

async function writeTag(client: pg.Client, pick: PickBelow): Promise<void> {
  const [id, other, name] = [pick(KEYS), pick(KEYS), `n${pick(1_000_000_000)}`]
  const isLost = pick(5) === 0
  if (isLost) await client.query('SAVEPOINT s')
  const kind = pick(4)
  if (kind === 0)
    await client.query('INSERT INTO "Tag" (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING', [id, name])
  else if (kind === 1) await client.query('DELETE FROM "Tag" WHERE id = $1', [id])
  else if (kind === 2) await client.query('UPDATE "Tag" SET name = $2 WHERE id = $1', [id, name])
  else
    await client.query(
      'UPDATE "Tag" SET id = $2 WHERE id = $1 AND NOT EXISTS (SELECT FROM "Tag" WHERE id = $2)',
      [id, other],
    )
  if (isLost) await client.query('ROLLBACK TO s')
}

interface TagEvent {
  readonly action: string
  readonly cursor: string
  readonly transition?: string
  readonly key: { readonly id: number } | null
  readonly oldKey?: { readonly id: number } | null
  readonly new: { readonly id: number; readonly name: string } | null
  readonly transaction?: { readonly commitLsn: bigint }
}

/** Tags by key, as a subscriber puts them together. */
class Tags {
  readonly rows = new Map<string, string>()

  apply({ action, transition, key, oldKey, new: row }: TagEvent): void {
    if (action === 'READ' && transition === 'ENTERED') expect(this.rows.has(String(key?.id))).toBe(false)
    if (oldKey != null) this.rows.delete(String(oldKey.id))
    if (row === null) this.rows.delete(String(key?.id))
    else this.rows.set(String(row.id), row.name)
  }

  text(): string {
    return [...this.rows]
      .map((each) => each.join('='))
      .sort()
      .join(' ')
  }
}

/** All states, by the transaction that made them: what a query would find after each. */
async function followAll(rowcast: Rowcast<RowcastModels>, after: string) {
  const tags = new Tags()
  const states: { readonly commitLsn: bigint; text: string }[] = [{ commitLsn: 0n, text: '' }]
  for await (const change of rowcast.subscribe('Tag', { after })) {
    tags.apply(change as TagEvent)
    const { commitLsn } = change.transaction
    const last = states.at(-1)
    if (last?.commitLsn === commitLsn) last.text = tags.text()
    else states.push({ commitLsn, text: tags.text() })
    if (change.action === 'INSERT' && String(change.key.id) === END) break
  }
  return states
}

/** Joins, and takes everything until the end; its own states from READY on. */
async function joinAt(rowcast: Rowcast<RowcastModels>, pageSize: number) {
  const tags = new Tags()
  const states: { readonly commitLsn: bigint; text: string }[] = []
  for await (const event of rowcast.subscribe('Tag', { initial: { pageSize } })) {
    if (event.action === 'READY') {
      states.push({ commitLsn: parseCursor(event.cursor).position.commitLsn, text: tags.text() })
      continue
    }
    tags.apply(event as TagEvent)
    if (event.action === 'READ') {
      if (String(event.key.id) === END && states.length > 0) break
      continue
    }
    const { commitLsn } = event.transaction
    const last = states.at(-1)
    if (last?.commitLsn === commitLsn) last.text = tags.text()
    else states.push({ commitLsn, text: tags.text() })
    if (String(event.key?.id) === END) break
  }
  return states
}

describe('first rows', () => {
  it('come in pages, then READY, then what follows, and the cursor of READY goes on there', async () => {
    await using database = await openDatabase({ migrate: true })
    await database.query(
      `INSERT INTO users (email) SELECT 'u' || n || '@x' FROM generate_series(1, 100) AS n`,
    )
    await using live = await openLiveRowcast(database)
    const users = live.rowcast.subscribe('User', { initial: { pageSize: 30 } })
    const { rows, cursor } = await untilReady(users)
    expect(rows.length).toBe(100)
    const found = await live.prisma.user.findMany({ orderBy: { id: 'asc' } })
    expect(rows.map(({ new: row }) => row)).toEqual(found)
    expect(rows[0]).toMatchObject({ action: 'READ', transition: 'ENTERED', cause: 'INITIAL', old: null })
    await database.query(`UPDATE users SET full_name = 'x' WHERE email = 'u5@x'`)
    const { value } = await users.next()
    expect(value).toMatchObject({ action: 'UPDATE', new: { fullName: 'x' } })
    await users.return?.()
    const resumed = live.rowcast.subscribe('User', { initial: true, after: cursor })
    expect((await resumed.next()).value).toMatchObject({ action: 'UPDATE', new: { fullName: 'x' } })
    const partial = live.rowcast.subscribe('User', { after: String(rows[50]?.['cursor']) })
    await expect(partial.next()).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
  })

  it('are those of `where`, of composite keys and without rows marked as deleted', async () => {
    await using database = await openDatabase({ migrate: true })
    await database.query(`INSERT INTO users (email, deleted_at, is_active)
      SELECT 'u' || n || '@x', CASE WHEN n % 2 = 0 THEN now() END, n % 3 = 0 FROM generate_series(1, 60) AS n`)
    await using live = await openLiveRowcast(database, { models: ['Membership'] })
    for (const slug of ['a', 'b', 'c']) await live.prisma.team.create({ data: { slug, name: slug } })
    await database.query(
      'INSERT INTO team_memberships (team_id, user_id) SELECT t.id, u.id FROM "Team" t, users u',
    )
    const members = await untilReady(live.rowcast.subscribe('Membership', { initial: { pageSize: 7 } }))
    expect(members.rows.length).toBe(180)
    const order = [{ userId: 'asc' }, { teamId: 'asc' }] as const
    const found = await live.prisma.membership.findMany({ orderBy: [...order] })
    expect(members.rows.map(({ new: row }) => row)).toEqual(found)
    const none = live.rowcast.subscribe('Membership', { initial: true, where: { OR: [] } })
    expect((await untilReady(none)).rows).toEqual([])
    await using soft = await openSoft(database)
    const users = soft.rowcast.subscribe('User', { initial: true, where: { isActive: true } })
    const { rows } = await untilReady(users)
    expect(rows.length).toBe(10)
    const [first] = rows as unknown as readonly { readonly key: { readonly id: string } }[]
    await database.query('UPDATE users SET deleted_at = now() WHERE id = $1', [first?.key.id])
    expect((await users.next()).value).toMatchObject({ action: 'DELETE', key: first?.key })
  })

  it('of tables that are written to all the while are what a query finds, at every boundary', {
    timeout: 120_000,
  }, async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database, { models: ['Tag'] })
    const all = followAll(live.rowcast, await live.rowcast.changeCursor())
    await writeTags(database, picker(SEED), 30)
    let isWriting = true
    const writers = Promise.all(
      [1, 2, 3, 4].map((each) => writeTags(database, picker(SEED + each), 120)),
    ).then(() => {
      isWriting = false
    })
    const joined: ReturnType<typeof joinAt>[] = []
    while (isWriting && joined.length < 12) {
      joined.push(joinAt(live.rowcast, 1 + (joined.length % 6)))
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    await writers
    await database.query('INSERT INTO "Tag" (id, name) VALUES ($1, $2)', [Number(END), END])
    const states = await all
    const stateAt = (lsn: bigint) => states.findLast(({ commitLsn }) => commitLsn <= lsn)?.text
    for (const seen of await Promise.all(joined)) {
      expect(seen.length).toBeGreaterThan(0)
      for (const { commitLsn, text } of seen) expect(text).toBe(stateAt(commitLsn))
    }
    const rows = await live.prisma.tag.findMany()
    expect(states.at(-1)?.text).toBe(
      rows
        .map(({ id, name }) => `${id}=${name}`)
        .sort()
        .join(' '),
    )
  })

  it('of a thousand who ask together are read once, or twice for those whose cursor is later', async () => {
    await using database = await openDatabase({ migrate: true })
    await database.query(`INSERT INTO "Tag" (name) SELECT 'tag ' || n FROM generate_series(1, 20) AS n`)
    const counter = countStatements()
    const prisma = counter.createPrisma(database.url)
    await using live = await openLiveRowcast(database, { models: ['Tag'], prisma })
    const release = counter.holdTransactions()
    const subscribers = Array.from({ length: 1_000 }, () => live.rowcast.subscribe('Tag', { initial: true }))
    const first = subscribers.map((each) => each.next())
    await expect.poll(() => live.rowcast.status().subscriptions.get('Tag'), { timeout: 60_000 }).toBe(1_000)
    release()
    for (const { value } of await Promise.all(first)) expect(value).toMatchObject({ action: 'READ' })
    for (const each of subscribers) expect((await untilReady(each)).rows).toHaveLength(19)
    expect(counter.readsOf('Tag')).toBeGreaterThan(0)
    expect(counter.readsOf('Tag')).toBeLessThanOrEqual(3)
    await Promise.all(subscribers.map((each) => each.return?.()))
    await prisma.$disconnect()
  })

  it('of values that PostgreSQL rejects end with a code that nobody retries', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database, { models: ['User'] })
    const wheres = [
      { email: { contains: 'a\0' } },
      { signInCount: 2 ** 40 },
      { createdAt: { gt: new Date(-8.64e15) } },
      { settings: { equals: { a: '\0' } } },
    ]
    for (const where of wheres) {
      const error = await live.rowcast
        .subscribe('User', { initial: true, where })
        .next()
        .catch((each: unknown) => each)
      expect(error, JSON.stringify(where)).toMatchObject({ code: 'FIRST_ROWS_REJECTED' })
      expect((error as RowcastError).cause).toBeUndefined()
    }
    expect(ERRORS.FIRST_ROWS_REJECTED).toMatchObject({ retry: 'never', isPublic: true })
  })

  it('and totals of Int beyond what a number holds: the hint is about the type, not about `where`', async () => {
    await using database = await openDatabase({ migrate: true })
    await database.query('ALTER TABLE users ALTER COLUMN sign_in_count TYPE bigint')
    await database.query(`INSERT INTO users (email, sign_in_count) VALUES ('a', ${2 ** 53 - 1}), ('b', 2)`)
    const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) })
    const read = readForRows(prisma, catalog.models.User, 60_000, async (_, { summarize }) => [
      (await summarize('aggregate', { _sum: { signInCount: true } })) as AnyRow,
    ])
    await expect(read).rejects.toMatchObject({
      ...{ code: 'FIRST_ROWS_REJECTED', hint: expect.stringContaining('BigInt') },
    })
    await prisma.$disconnect()
  })

  it('are refused where they could not be right', async () => {
    await using database = await openDatabase({ migrate: true })
    await using live = await openLiveRowcast(database, { models: ['Tag', 'User'] })
    const refused = expect.objectContaining({ code: 'FIRST_ROWS_REFUSED' })
    const { rowcast } = live
    expect(() => rowcast.subscribe('Tag', { initial: true, action: 'INSERT' })).toThrow(refused)
    expect(() => rowcast.subscribe('Tag', { initial: true, new: { name: 'a' } })).toThrow(refused)
    expect(() => rowcast.subscribe('Tag', { initial: { pageSize: 0 } })).toThrow(refused)
    expect(() => rowcast.subscribe('Tag', { initial: true, where: { nme: 'a' } as never })).toThrow(
      /BAD_FILTER/,
    )
    await database.query('DROP TABLE "Tag" CASCADE')
    await expect(rowcast.subscribe('Tag', { initial: true }).next()).rejects.toMatchObject({
      code: expect.stringMatching(/FIRST_ROWS_FAILED|SOURCE_|CATALOG_/),
    })
  })
})

/** A rowcast of its own whose users are marked as deleted. */
async function openSoft(database: TestDatabase) {
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) })
  const names = { slot: `soft_${database.name}`, publication: 'soft' }
  const rowcast = createRowcast({ prisma, catalog, ...names }).register('User', { softDelete: 'deletedAt' })
  await rowcast.enable()
  rowcast.start()
  await rowcast.ready()
  return {
    rowcast,
    async [Symbol.asyncDispose]() {
      await rowcast.stop()
      await prisma.$disconnect()
    },
  }
}
