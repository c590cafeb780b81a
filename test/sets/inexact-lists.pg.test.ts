/** Live lists and totals where PostgreSQL compares otherwise than it is done here: they are what `findMany` and `count` give all the same. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { ListClient, type ListEvent } from '../support/list-oracle.ts'
import { type LiveRowcast, openLiveRowcast } from '../support/live-rowcast.ts'

/** 'b' stands before 'Cherry' there, and not by code points; the small letter of I is ı. */
const ICU = { locale: 'tr' }
const T = new Date('2026-01-01T00:00:00.000Z')

let database: TestDatabase
let live: LiveRowcast

beforeAll(async () => {
  database = await openDatabase({ migrate: true, icu: ICU })
  // One more digit than the Prisma schema says.
  await database.query(`ALTER TABLE "Post" ALTER "publishedAt" TYPE timestamp(6)`)
  live = await openLiveRowcast(database, { models: ['Tag', 'User', 'Session', 'Post'] })
})
afterAll(async () => {
  await live[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

type Query = Readonly<Record<string, unknown>>

/** A list and totals, and what the database says. */
function follow(model: 'Tag' | 'User' | 'Session' | 'Post', where: Query, orderBy: Query = { id: 'asc' }) {
  const ending = new AbortController()
  const { signal } = ending
  const client = new ListClient()
  const state = { count: -1 }
  const list = async () => {
    const options = { where, orderBy: [orderBy], totalCount: true, signal }
    for await (const event of live.rowcast.list(model, options as never)) client.apply(event as ListEvent)
  }
  const totals = async () => {
    for await (const { count } of live.rowcast.totals(model, { where, signal } as never)) state.count = count
  }
  const following = Promise.all([list(), totals()])
  const delegate = Reflect.get(live.prisma, model.toLowerCase()) as {
    findMany(query: object): Promise<readonly { readonly id: number }[]>
  }
  const settled = async () => {
    const rows = await delegate.findMany({ where, orderBy: [orderBy, { id: 'asc' }] })
    const wanted = { ids: rows.map(({ id }) => id), totalCount: rows.length, count: rows.length }
    const shown = () => ({ ids: client.rows.map(({ id }) => id), totalCount: client.totalCount, ...state })
    await expect.poll(shown, { timeout: 20_000 }).toEqual(wanted)
    return rows.length
  }
  const end = async () => {
    ending.abort()
    await following
  }
  return { settled, end }
}

describe('a list whose condition PostgreSQL judges otherwise', () => {
  it('is what findMany gives: order of text, by the collation of the database', async () => {
    await database.query(`INSERT INTO "Tag" (name) VALUES ('apple'), ('Cherry'), ('date')`)
    const after = follow('Tag', { name: { gte: 'b' } })
    const before = follow('Tag', { NOT: { name: { gte: 'b' } } })
    for (const write of [
      'SELECT 1',
      `INSERT INTO "Tag" (name) VALUES ('Zebra'), ('Able')`,
      `UPDATE "Tag" SET name = 'Bread' WHERE name = 'apple'`,
      `DELETE FROM "Tag" WHERE name = 'Cherry'`,
    ]) {
      await database.query(write)
      expect((await after.settled()) + (await before.settled())).toBeGreaterThan(2)
    }
    await Promise.all([after.end(), before.end()])
  })

  it('is what findMany gives: times of more digits than a row shows', async () => {
    await database.query(`INSERT INTO users (email) VALUES ('times')`)
    const all = [{ gt: T }, { lte: T }, { equals: T }].map((lastSeenAt) => follow('Session', { lastSeenAt }))
    for (const [token, time] of ['.0005', '.000', '.0007', '.001'].entries()) {
      await database.query(
        `INSERT INTO sessions (user_id, token_hash, last_seen_at) SELECT id, '\\x0${token}', '2026-01-01 00:00:00${time}+00' FROM users`,
      )
      for (const each of all) await each.settled()
    }
    await database.query(`UPDATE sessions SET last_seen_at = last_seen_at + interval '0.0004 s'`)
    for (const each of all) await each.settled()
    await Promise.all(all.map((each) => each.end()))
  })

  it('is what findMany gives: whatever the case', async () => {
    const found = follow('User', { fullName: { contains: 'ı', mode: 'insensitive' } })
    const other = follow('User', { fullName: { equals: 'İx', mode: 'insensitive' } })
    for (const each of [found, other]) await each.settled()
    await database.query(
      `INSERT INTO users (email, full_name) VALUES ('t1', 'I'), ('t2', 'İX'), ('t3', 'ıx'), ('t4', 'i̇x')`,
    )
    for (const each of [found, other]) await each.settled()
    await Promise.all([found.end(), other.end()])
  })
})

describe('a list by times of which the database has more digits than the Prisma schema', () => {
  it('stands as findMany gives it', async () => {
    const [author] = await database.query<{ id: string }>(
      `INSERT INTO users (email) VALUES ('author') RETURNING id`,
    )
    const list = follow('Post', {}, { publishedAt: 'asc' })
    await list.settled()
    for (const digits of ['009', '005', '001']) {
      await database.query(
        `INSERT INTO "Post" ("authorId", title, "publishedAt") VALUES ('${author?.id}', 't', '2020-01-01 00:00:00.000${digits}')`,
      )
      await list.settled()
    }
    await list.end()
  })
})
