/** What the library gives is each subscriber's own, whatever was asked for: one that overwrites all it gets changes nothing of what others get, then or later. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Decimal } from '../../src/catalog/prisma-runtime.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { type LiveRowcast, openLiveRowcast } from '../support/live-rowcast.ts'

let database: TestDatabase
let live: LiveRowcast

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  await database.query(
    `INSERT INTO users (id, email, settings, tags, avatar) VALUES (gen_random_uuid(), 'ada@x', '{"a": {"b": [1]}}', '{one,two}', '\\x0102')`,
  )
  await database.query(
    `INSERT INTO "Post" (id, "authorId", title, layout) SELECT 1, id, 'first', '{"a": [1, {"b": 2}]}' FROM users`,
  )
  live = await openLiveRowcast(database, { models: ['User', 'Post', 'Comment'] })
})
afterAll(async () => {
  await live?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
})

/** All that can be reached of it, as text. */
const plain = (value: unknown): string => {
  const seen = new Set<unknown>()
  const show = (each: unknown): unknown => {
    if (typeof each === 'bigint') return `${each}n`
    if (typeof each !== 'object' || each === null) return each
    if (each instanceof Date) return `date ${each.getTime()}`
    if (each instanceof Uint8Array) return `bytes ${[...each]}`
    if (each instanceof Decimal) return `decimal ${each}`
    if (seen.has(each)) return 'again'
    seen.add(each)
    if (Array.isArray(each)) return each.map(show)
    return Object.fromEntries(namesOf(each).map((name) => [name, show(Reflect.get(each, name))]))
  }
  return JSON.stringify(show(value))
}

/** Own names, and those of getters. */
function namesOf(value: object): readonly string[] {
  const names = new Set(Object.keys(value))
  for (
    let of = Object.getPrototypeOf(value);
    of !== null && of !== Object.prototype;
    of = Object.getPrototypeOf(of)
  )
    for (const [name, { get }] of Object.entries(Object.getOwnPropertyDescriptors(of)))
      if (get) names.add(name)
  return [...names].sort()
}

/** Overwrites all that can be reached of it, as far as it lets itself be. */
function scribble(value: unknown, seen = new Set<unknown>()): void {
  // A Decimal has nothing that is meant to be written.
  if (typeof value !== 'object' || value === null || value instanceof Decimal || seen.has(value)) return
  seen.add(value)
  for (const name of Array.isArray(value) ? value.keys() : namesOf(value))
    scribble(Reflect.get(value, name), seen)
  if (value instanceof Date) value.setTime(0)
  else if (value instanceof Uint8Array) value.fill(0)
  else for (const name of Object.keys(value)) Reflect.set(value, name, 'scribbled')
  if (!(value instanceof Uint8Array))
    for (const name of Object.keys(value)) Reflect.deleteProperty(value, name)
  if (Array.isArray(value)) Reflect.set(value, 'length', 0)
}

type Open = (rowcast: LiveRowcast['rowcast']) => AsyncIterator<unknown>
const list = {
  where: { authorId: { not: '00000000-0000-4000-8000-000000000000' } },
  take: 5,
  totalCount: true,
} as const
const WAYS: Readonly<Record<string, Open>> = {
  changes: (rowcast) => rowcast.subscribe('Post'),
  'changes of several models': (rowcast) => rowcast.subscribe(['Post', 'User']),
  'first rows': (rowcast) => rowcast.subscribe('Post', { initial: true }),
  'first rows of users': (rowcast) => rowcast.subscribe('User', { initial: true }),
  'related rows': (rowcast) => rowcast.subscribe('Post', { where: { author: { is: { email: 'ada@x' } } } }),
  'included rows': (rowcast) => rowcast.subscribe('Post', { include: ['comments'] }),
  'first and included rows': (rowcast) => rowcast.subscribe('Post', { include: ['comments'], initial: true }),
  transactions: (rowcast) => rowcast.transactions({ Post: {}, User: {} }),
  list: (rowcast) => rowcast.list('Post', list),
  'list of users': (rowcast) => rowcast.list('User', { take: 5 }),
  totals: (rowcast) => rowcast.totals('Post', { max: ['createdAt'], min: ['createdAt'], sum: ['viewCount'] }),
}

it.each(Object.entries(WAYS))('%s', async (_, open) => {
  const subscriptions = [open(live.rowcast), open(live.rowcast), open(live.rowcast)] as const
  const write = (round: number) =>
    database.query(
      `BEGIN; UPDATE users SET settings = '{"r": {"n": [${round}]}}', tags = '{r${round}}', avatar = '\\x0${round}02';
       UPDATE "Post" SET "viewCount" = "viewCount" + 1, "createdAt" = "createdAt" + interval '1 day', layout = '{"r": [${round}, {"b": 2}]}';
       INSERT INTO "Comment" ("postId", body) VALUES (1, 'round ${round}'); COMMIT`,
    )
  const pending: Promise<unknown>[][] = subscriptions.map((each) => [each.next()])
  // Lists and first rows come before any write: the write is to come behind them.
  await live.rowcast.changeCursor()
  for (let round = 1; round <= 3; round += 1) {
    await write(round)
    const [control, hostile, honest] = await Promise.all(
      pending.map(async ([next]) => (await next) as IteratorResult<unknown>),
    )
    const shown = plain(control?.value)
    scribble(hostile?.value)
    expect(plain(honest?.value)).toBe(shown)
    expect(shown).toMatch(/ada@x|layout|createdAt|READ/)
    for (const [at, each] of subscriptions.entries()) pending[at] = [each.next()]
  }
  for (const each of subscriptions) void each.return?.()
})
