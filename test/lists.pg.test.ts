/** Live lists and totals on a real PostgreSQL: whatever is written, they end at what `findMany` and `aggregate` give at the same boundary. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseCursor } from '../src/changes/cursor.ts'
import { openDatabase, type TestDatabase } from './support/database.ts'
import { type LiveRowcast, openLiveRowcast } from './support/live-rowcast.ts'
import { type PickBelow, picker } from './support/mvcc-world.ts'
import { countStatements } from './support/statement-counter.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 20_261_127)
const ROUNDS = process.env['ROWCAST_LONG'] === undefined ? 24 : 600
const AUTHORS = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002']

const statements = countStatements()
let database: TestDatabase
let live: LiveRowcast

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  const prisma = statements.createPrisma(database.url)
  live = await openLiveRowcast(database, {
    models: ['User', 'Post', 'Tag'],
    followed: ['_PostToTag'],
    prisma,
  })
})
afterAll(async () => {
  await live[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

interface Row {
  readonly id: number
}

interface ListEvent {
  readonly kind: 'snapshot' | 'patch'
  readonly cursor: string
  readonly totalCount: number | null
  readonly rows?: readonly Row[]
  readonly operations?: readonly {
    readonly kind: 'INSERT' | 'UPDATE' | 'MOVE' | 'REMOVE'
    readonly key: { readonly id: number }
    readonly index: number
    readonly row: Row | null
  }[]
}

const plain = (value: unknown) =>
  JSON.stringify(value, (_name, each: unknown) => (typeof each === 'bigint' ? `${each}n` : each))

/** A list as a client puts it together: it knows nothing but the operations. */
class Client {
  rows: Row[] = []
  totalCount: number | null = null

  apply({ rows, operations = [], totalCount }: ListEvent): void {
    if (rows !== undefined) this.rows = [...rows]
    for (const { kind, key, index, row } of operations) {
      const at = this.rows.findIndex(({ id }) => id === key.id)
      expect(at >= 0).toBe(kind !== 'INSERT')
      if (kind !== 'MOVE' && kind !== 'INSERT') expect(at).toBe(index)
      if (at >= 0) this.rows.splice(at, 1)
      if (kind !== 'REMOVE') this.rows.splice(index, 0, row as Row)
    }
    this.totalCount = totalCount
  }
}

/** What is asked of both. */
const LISTS = {
  byNumber: {
    where: { status: { not: 'DRAFT' } },
    orderBy: [{ viewCount: 'desc' }],
    take: 4,
    totalCount: true,
  },
  byTime: { orderBy: { publishedAt: { sort: 'desc', nulls: 'last' } }, take: 5 },
  byRating: { orderBy: [{ rating: 'asc' }, { id: 'desc' }], take: 3 },
  byText: { orderBy: [{ title: 'asc' }], take: 4, totalCount: true },
  byEnum: { orderBy: [{ status: 'desc' }], take: 4 },
  byRelation: {
    where: { author: { is: { isActive: true } } },
    orderBy: [{ id: 'desc' }],
    take: 6,
    totalCount: true,
  },
  byJoinTable: {
    where: { tags: { some: { name: 't1' } } },
    orderBy: [{ id: 'asc' }],
    take: 4,
    totalCount: true,
  },
  throttled: { orderBy: [{ viewCount: 'asc' }], take: 4, every: 200 },
  throttledRelation: {
    where: { author: { isNot: { isActive: true } } },
    orderBy: [{ id: 'asc' }],
    take: 4,
    every: 200,
  },
} as const
const TOTALS = {
  where: { status: 'PUBLISHED' },
  sum: ['viewCount', 'rating'],
  min: ['viewCount', 'createdAt'],
  max: ['viewCount', 'title'],
} as const

interface Asked {
  readonly where?: object
  readonly orderBy?: unknown
  readonly totalCount?: boolean
  readonly every?: number
}

/** What the database says. */
async function searched() {
  const { prisma } = live
  const found = new Map<string, string>()
  const search = async ([name, list]: [string, Asked]) => {
    const { totalCount, every: _, ...query } = list
    const orderBy = [query.orderBy, { id: 'asc' }].flat()
    const [rows, count] = await Promise.all([
      prisma.post.findMany({ ...query, orderBy } as never),
      totalCount === true ? prisma.post.count({ where: (query.where ?? {}) as never }) : null,
    ])
    found.set(name, plain([rows, count]))
  }
  const lists = Promise.all(Object.entries<Asked>(LISTS).map(search))
  const { where, sum, min, max } = TOTALS
  const picked = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, true]))
  const { _count, _sum, _min, _max } = await prisma.post.aggregate({
    where,
    ...{ _count: true, _sum: picked(sum), _min: picked(min), _max: picked(max) },
  })
  await lists
  found.set('totals', plain([_count, _sum, _min, _max]))
  return found
}

const WRITES: readonly ((pick: PickBelow) => string)[] = [
  (pick) =>
    `INSERT INTO "Post" ("authorId", title, status, "viewCount", rating, "publishedAt") VALUES ('${AUTHORS[pick(2)]}', ` +
    `'${'aBäZ -_é'[pick(8)]}${pick(50)}', '${['draft', 'in-review', 'published'][pick(3)]}', ${pick(9)}, ${pick(3) === 0 ? 'NULL' : pick(5)}, ` +
    `${pick(3) === 0 ? 'NULL' : `'2026-01-0${1 + pick(9)}'`})`,
  (pick) => `DELETE FROM "Post" WHERE id % 7 = ${pick(7)}`,
  (pick) => `UPDATE "Post" SET "viewCount" = "viewCount" + ${1 + pick(6)} WHERE id % 5 = ${pick(5)}`,
  (pick) =>
    `UPDATE "Post" SET status = '${['draft', 'in-review', 'published'][pick(3)]}' WHERE id % 6 = ${pick(6)}`,
  (pick) => `UPDATE "Post" SET title = '${'aBäZ'[pick(4)]}' || id WHERE id % 9 = ${pick(9)}`,
  (pick) =>
    `UPDATE "Post" SET id = id + 1000 WHERE id = (SELECT id FROM "Post" ORDER BY id LIMIT 1 OFFSET ${pick(5)})`,
  (pick) =>
    `INSERT INTO "_PostToTag" SELECT p.id, t.id FROM "Post" p, "Tag" t WHERE p.id % 3 = ${pick(3)} AND t.name = 't1' ON CONFLICT DO NOTHING`,
  (pick) => `DELETE FROM "_PostToTag" WHERE "A" % 5 = ${pick(5)}`,
  (pick) => `UPDATE users SET is_active = ${pick(2) === 0} WHERE id = '${AUTHORS[pick(2)]}'`,
  (pick) => `UPDATE "Post" SET body = body || 'x' WHERE id % 4 = ${pick(4)}`,
  (pick) => (pick(6) === 0 ? 'TRUNCATE "Post" CASCADE' : 'UPDATE "Post" SET rating = NULL WHERE id % 8 = 1'),
]

describe('live lists', () => {
  it('end at what findMany and aggregate give, at every boundary that they show', async () => {
    const pick = picker(SEED)
    for (const id of AUTHORS)
      await database.query(`INSERT INTO users (id, email) VALUES ('${id}', '${id}@example.com')`)
    /** Commits, in order; the states after them. */
    const commits: bigint[] = []
    const states = [await searched()]
    const ending = new AbortController()
    const wrong: string[] = []
    const seen = new Map<string, number>()
    const shown: { name: string; lsn: bigint; state: string }[] = []
    const note = (name: string, cursor: string, state: unknown) => {
      shown.push({ name, lsn: parseCursor(cursor).position.commitLsn, state: plain(state) })
      seen.set(name, (seen.get(name) ?? 0) + 1)
    }
    const follow = async (name: keyof typeof LISTS) => {
      const client = new Client()
      for await (const event of live.rowcast.list('Post', {
        ...LISTS[name],
        signal: ending.signal,
      } as never)) {
        client.apply(event as ListEvent)
        note(name, event.cursor, [client.rows, client.totalCount])
      }
    }
    const followTotals = async () => {
      for await (const { cursor, count, sum, min, max } of live.rowcast.totals('Post', {
        ...TOTALS,
        signal: ending.signal,
      } as never))
        note('totals', cursor, [count, sum, min, max])
    }
    const commitsDone = (async () => {
      for await (const { transaction } of live.rowcast.subscribe('Tag', { action: 'INSERT' })) {
        commits.push(transaction.commitLsn)
        if (commits.length === ROUNDS) return
      }
    })()
    const names = Object.keys(LISTS) as (keyof typeof LISTS)[]
    const following = [...names.map(follow), followTotals()]
    for (let round = 0; round < ROUNDS; round += 1) {
      const writes = Array.from({ length: 1 + pick(3) }, () =>
        (WRITES[pick(round < 8 ? 1 : WRITES.length)] ?? (() => ''))(pick),
      )
      await database.query(
        ['BEGIN', ...writes, `INSERT INTO "Tag" (name) VALUES ('t${round}')`, 'COMMIT'].join('; '),
      )
      states.push(await searched())
      if (round % 8 === 3) following.push(...names.map(follow), followTotals())
    }
    await commitsDone
    // All of them get there.
    for (const name of [...names, 'totals']) {
      await expect
        .poll(() => shown.findLast((each) => each.name === name)?.state, { timeout: 60_000, interval: 20 })
        .toBe(states.at(-1)?.get(name))
    }
    ending.abort()
    await Promise.all(following)
    for (const { name, lsn, state } of shown) {
      const at = commits.filter((commit) => commit <= lsn).length
      if (states[at]?.get(name) !== state)
        wrong.push(`${name} after ${at}:\n${state}\n${states[at]?.get(name)}`)
    }
    expect(wrong.slice(0, 2)).toEqual([])
    // Where nothing has to be asked, every transaction that changes the list is shown.
    expect(seen.get('byNumber')).toBeGreaterThan(ROUNDS / 4)
  })

  it('is one query for a thousand clients that open it together, and none for the next', async () => {
    const before = statements.readsOf('Tag')
    const open = () => live.rowcast.list('Tag', { orderBy: { id: 'desc' }, take: 3 })
    const clients = Array.from({ length: 1_000 }, open)
    const first = await Promise.all(clients.map((client) => client.next()))
    const later = open()
    expect((await later.next()).value).toEqual(first[0]?.value)
    expect(statements.readsOf('Tag') - before).toBe(1)
    await database.query(`INSERT INTO "Tag" (name) VALUES ('last')`)
    const patches = await Promise.all([...clients, later].map((client) => client.next()))
    const kinds = patches.map(({ value }) =>
      value.operations.map(({ kind }: { kind: string }) => kind).join(),
    )
    expect(new Set(kinds)).toEqual(new Set(['REMOVE,INSERT']))
    const { sets, subscriptions, ...cost } = live.rowcast.listCost()
    expect({ sets, subscriptions }).toEqual({ sets: 1, subscriptions: 1_001 })
    await Promise.all([...clients, later].map((client) => client.return?.()))
    expect(live.rowcast.listCost()).toEqual({ ...cost, sets: 0, subscriptions: 0 })
  })

  it('gives whoever comes later what there is by then, whatever those wait for who came before', async () => {
    const lists = {
      own: { where: { title: 'here' }, orderBy: { id: 'asc' } },
      related: { where: { title: 'here', author: { is: { isActive: true } } }, orderBy: { id: 'asc' } },
    } as const
    const open = (name: keyof typeof lists) =>
      live.rowcast.list('Post', { ...lists[name], totalCount: true, every: 60_000 })
    const counted = async (name: keyof typeof lists) => {
      const list = open(name)
      const { value } = await list.next()
      await list.return?.()
      return value?.totalCount
    }
    await database.query(
      `UPDATE users SET is_active = true; INSERT INTO "Post" ("authorId", title) VALUES ('${AUTHORS[0]}', 'here')`,
    )
    const first = [open('own'), open('related')]
    const begun = await Promise.all(first.map((list) => list.next()))
    expect(begun.map(({ value }) => value.totalCount)).toEqual([1, 1])
    const later = async (own: number, related: number) => {
      await expect.poll(() => counted('own'), { timeout: 20_000 }).toBe(own)
      await expect.poll(() => counted('related'), { timeout: 20_000 }).toBe(related)
    }
    await database.query(`INSERT INTO "Post" ("authorId", title) VALUES ('${AUTHORS[0]}', 'here')`)
    await later(2, 2)
    // What nobody may see any more is given to nobody, however late others lose it.
    await database.query(`UPDATE users SET is_active = false`)
    await later(2, 0)
    expect(live.rowcast.listCost().sets).toBe(2)
    await Promise.all(first.map((list) => list.return?.()))
  })

  it('goes on from there for whoever came between two patches', async () => {
    const open = (every: number) =>
      live.rowcast.list('Tag', { where: { name: { startsWith: 'zz' } }, orderBy: { id: 'asc' }, every })
    const insert = (name: string) => database.query(`INSERT INTO "Tag" (name) VALUES ('${name}')`)
    const followed = (every: number) => {
      const [list, client] = [open(every), new Client()]
      const until = async (count: number) => {
        while (client.rows.length < count) client.apply((await list.next()).value as ListEvent)
        return client.rows
      }
      return { list, until }
    }
    const [first, atOnce] = [followed(700), followed(0)]
    await Promise.all([first, atOnce].map(({ list }) => list.next()))
    await insert('zz1')
    await Promise.all([first, atOnce].map(({ until }) => until(1)))
    // Those who were there before have it as soon as it is time; whoever comes has it at once.
    await insert('zz2')
    await atOnce.until(2)
    const later = followed(700)
    await later.until(2)
    await insert('zz3')
    expect(await later.until(3)).toEqual(await first.until(3))
    await Promise.all([first, atOnce, later].map(({ list }) => list.return?.()))
  })

  it('refuses what it cannot give, and says why', () => {
    const { rowcast } = live
    const refused = (open: () => unknown) => (why: string) => expect(open).toThrow(why)
    refused(() => rowcast.list('Post', { take: 0 }))('take')
    refused(() => rowcast.list('Post', { take: 1_001 }))('take')
    refused(() => rowcast.list('Post', { every: -1 }))('every')
    refused(() => rowcast.list('Post', { orderBy: { layout: 'asc' } } as never))('orderBy')
    refused(() => rowcast.list('Post', { orderBy: { id: 'up' } } as never))('orderBy')
    refused(() => rowcast.list('Post', { orderBy: [{ id: 'asc', title: 'asc' }] }))('orderBy')
    refused(() => rowcast.list('Comment'))('not live')
    refused(() => rowcast.totals('Post', { sum: ['title'] }))('no number')
    refused(() => rowcast.totals('Post', { min: ['authorId'] }))('no min')
    refused(() => rowcast.totals('User', { max: ['isActive'] }))('no max')
  })
})
