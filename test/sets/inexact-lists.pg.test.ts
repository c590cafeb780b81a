/** Live lists and totals where PostgreSQL compares otherwise than it is done here: they are what `findMany` and `count` give all the same. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { ListClient, type ListEvent } from '../support/list-oracle.ts'
import { type LiveRowcast, openLiveRowcast } from '../support/live-rowcast.ts'
import { picker } from '../support/mvcc-world.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 20_261_127)
const ROUNDS = process.env['ROWCAST_LONG'] === undefined ? 40 : 600

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
function follow(
  model: 'Tag' | 'User' | 'Session' | 'Post',
  where: Query,
  orderBy: Query = { id: 'asc' },
  take = 50,
) {
  const ending = new AbortController()
  const { signal } = ending
  const client = new ListClient()
  const state = { count: -1 }
  const list = async () => {
    const options = { where, orderBy: [orderBy], take, totalCount: true, signal }
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
    const wanted = { rows: rows.slice(0, take), totalCount: rows.length, count: rows.length }
    const shown = () => ({ rows: client.rows, totalCount: client.totalCount, ...state })
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

describe('lists whose condition PostgreSQL judges otherwise, through random writes', () => {
  const WHERES: readonly Query[] = [
    { name: { gte: 'b' } },
    { NOT: { name: { gte: 'c' } } },
    { name: { contains: 'ı', mode: 'insensitive' } },
    { OR: [{ name: { lt: 'c' } }, { color: '#000001' }] },
    { AND: [{ name: { gte: 'b' } }, { color: '#000002' }] },
  ]
  const ORDERS: readonly Query[] = [
    { id: 'asc' },
    { name: 'desc' },
    { color: { sort: 'asc', nulls: 'first' } },
  ]

  it('are what findMany gives after each of them', { timeout: 240_000 }, async () => {
    await database.query(`TRUNCATE "Tag" RESTART IDENTITY CASCADE`)
    await database.query(
      `INSERT INTO "Tag" (name) SELECT chr(97 + i % 5) || CASE WHEN i % 3 = 0 THEN 'I' ELSE 'ı' END || i FROM generate_series(1, 40) i`,
    )
    const pick = picker(SEED)
    const lists = WHERES.flatMap((where, at) =>
      [2, 50].map((take) => follow('Tag', where, ORDERS[(at + take) % 3], take)),
    )
    const name = () => `${'aBcıI'.charAt(pick(5))}${'IıiÇ'.charAt(pick(4))}${pick(1_000_000)}`
    const color = () => (pick(3) === 0 ? 'NULL' : `'#00000${pick(4)}'`)
    const some = () => `id % 7 = ${pick(7)}`
    const write = () => {
      const kind = pick(7)
      if (kind === 0) return `INSERT INTO "Tag" (name, color) VALUES ('${name()}', ${color()})`
      if (kind === 1) return `UPDATE "Tag" SET name = left('${name()}', 3) || '-' || id WHERE ${some()}`
      if (kind === 2) return `DELETE FROM "Tag" WHERE id % 23 = ${pick(23)}`
      if (kind === 3) return `UPDATE "Tag" SET id = id + 1000 WHERE id % 31 = ${pick(31)}`
      return `UPDATE "Tag" SET color = ${color()} WHERE ${some()}`
    }
    for (let round = 0; round < ROUNDS; round += 1) {
      await database.query(Array.from({ length: 1 + pick(3) }, write).join(';'))
      for (const each of lists) await each.settled()
    }
    await Promise.all(lists.map((each) => each.end()))
  })

  it('are read for what they compare alone: hundreds of them go on beside writes of the rest', {
    timeout: 240_000,
  }, async () => {
    await database.query(`TRUNCATE "Tag" RESTART IDENTITY CASCADE`)
    await database.query(`INSERT INTO "Tag" (name) SELECT 'tag ' || i FROM generate_series(1, 300) i`)
    const lists = Array.from({ length: 300 }, (_, at) => {
      const where = { name: { endsWith: ` ${at + 1}`, mode: 'insensitive' } } as const
      const events = live.rowcast.list('Tag', { where })
      return { events, client: new ListClient() }
    })
    const next = async ({ events, client }: (typeof lists)[number]) =>
      client.apply((await events.next()).value as ListEvent)
    for (const list of lists) await next(list)
    const { reads } = live.rowcast.listCost()
    for (let round = 1; round <= 4; round += 1)
      await database.query(`UPDATE "Tag" SET color = '#00000${round}' WHERE id > 300 - 20 * ${round}`)
    // Each shows it, and so has seen all that came before.
    await database.query(`UPDATE "Tag" SET color = '#000005'`)
    await Promise.all(
      lists.map(async (list) => {
        while (list.client.rows.some((row) => Reflect.get(row, 'color') !== '#000005')) await next(list)
      }),
    )
    expect(lists.map(({ client }) => client.rows)).toEqual(
      lists.map((_, at) => [{ id: at + 1, name: `tag ${at + 1}`, color: '#000005' }]),
    )
    expect(live.rowcast.listCost().reads).toBe(reads)
    await Promise.all(lists.map(({ events }) => events.return?.()))
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
