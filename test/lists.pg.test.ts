/** Live lists and totals on a real PostgreSQL: whatever is written, they end at what `findMany` and `aggregate` give at the same boundary. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from './support/database.ts'
import { LIST_AUTHORS, ListClient, type ListEvent, playLists } from './support/list-oracle.ts'
import { type LiveRowcast, openLiveRowcast } from './support/live-rowcast.ts'
import { countStatements } from './support/statement-counter.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 20_261_127)
const ROUNDS = process.env['ROWCAST_LONG'] === undefined ? 24 : 600

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

describe('live lists', () => {
  it('end at what findMany and aggregate give, at every boundary that they show', async () => {
    const { rowcast, prisma } = live
    const faceOf = () => rowcast as never
    const found = await playLists({ database, prisma, faceOf, seed: SEED, rounds: ROUNDS })
    expect(found.wrong.slice(0, 2)).toEqual([])
    // Where nothing has to be asked, every transaction that changes the list is shown.
    expect(found.shownOf('byNumber')).toBeGreaterThan(ROUNDS / 4)
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
      `UPDATE users SET is_active = true; INSERT INTO "Post" ("authorId", title) VALUES ('${LIST_AUTHORS[0]}', 'here')`,
    )
    const first = [open('own'), open('related')]
    const begun = await Promise.all(first.map((list) => list.next()))
    expect(begun.map(({ value }) => value.totalCount)).toEqual([1, 1])
    const later = async (own: number, related: number) => {
      await expect.poll(() => counted('own'), { timeout: 20_000 }).toBe(own)
      await expect.poll(() => counted('related'), { timeout: 20_000 }).toBe(related)
    }
    await database.query(`INSERT INTO "Post" ("authorId", title) VALUES ('${LIST_AUTHORS[0]}', 'here')`)
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
      const [list, client] = [open(every), new ListClient()]
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
