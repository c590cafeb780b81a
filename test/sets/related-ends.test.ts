/** Subscriptions that follow relations for clients: what ends them says nothing of the rows that decide, and they have no more than their share. */

import { expect, it } from 'vitest'
import { Account } from '../../src/bus/holdings.ts'
import { cannotGoOn } from '../../src/bus/resync-required.ts'
import { formatCursor, INDEX_AFTER_ALL } from '../../src/changes/cursor.ts'
import { isRowcastError, type RowcastError } from '../../src/errors.ts'
import { HeldPages } from '../../src/sets/held-pages.ts'
import type { ReadRows } from '../../src/sets/key-set.ts'
import { relatedDeliveries } from '../../src/sets/related-deliveries.ts'
import { readRowsAt, type StreamTransaction } from '../../src/sets/rows-at.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'
import { relatedBlog } from '../support/related-blog.ts'

const { Post } = blogCatalog.models
if (Post === undefined) throw new Error('The blog has posts.')
const start = { ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(10n) }
const ADA = { id: 'ada', role: 'ADMIN' }
const cursorAt = (commit: number) => formatCursor(PLAIN_ORIGIN, toLsn(BigInt(commit)), INDEX_AFTER_ALL)

const cursorOfChange = (commit: number) => formatCursor(PLAIN_ORIGIN, toLsn(BigInt(commit)), 0)

const joined = (id: string) => ({ model: 'User', action: 'INSERT', old: null, new: { ...ADA, id } }) as const
const readUsers: ReadRows = async ({ model }) => (model.name === 'User' ? [ADA] : [])
/** As the reader does where a table is emptied meanwhile. */
const readEmptied: ReadRows = (request, ordinal) => {
  const change = plainChange({ model: 'User', action: 'TRUNCATE', transaction: plainTransaction(50) })
  const later: StreamTransaction = { ordinal: 50, changesOf: () => [change] }
  return readRowsAt({ read: async () => ({ rows: [], later: async () => [later] }) }, ordinal, request)
}

const FAILING: ReadRows = async ({ model }) => {
  throw cannotGoOn('related rows could not be read', model.name)
}
const noMore = (): void => {}
const ENDS: readonly (readonly [
  string,
  string,
  ReturnType<typeof relatedBlog>,
  (its: ReturnType<typeof relatedBlog>) => void,
])[] = [
  ['a read that fails', 'RESYNC_REQUIRED', relatedBlog(FAILING), noMore],
  ['a table that is emptied while it is read', 'RESYNC_REQUIRED', relatedBlog(readEmptied), noMore],
  ['too many keys', 'POLICY_FAILED', relatedBlog(readUsers, 1), ({ commit }) => commit(100, joined('bob'))],
  [
    'a row before that is not sent',
    'POLICY_FAILED',
    relatedBlog(readUsers),
    ({ commit }) => commit(100, { model: 'User', action: 'UPDATE', old: null, new: ADA }),
  ],
  ['changes that could not be read', 'RESYNC_REQUIRED', relatedBlog(readUsers), ({ bus }) => bus.cut('User')],
]

it.each(ENDS)('%s ends it with nothing that names the rows that decide', async (_, code, its, end) => {
  its.bus.open(start)
  const deliveries = relatedDeliveries('Post', its.subscribe(), (row) => row)
  const next = deliveries.next().catch((failure: unknown) => failure)
  end(its)
  const error = await next
  if (!isRowcastError(error)) throw new Error('It has not ended with an error.')
  expect(error.code).toBe(code)
  expect(error.message + JSON.stringify(error.details)).not.toContain('User')
  expect(
    (error.cause as RowcastError).message + JSON.stringify((error.cause as RowcastError).details),
  ).toContain('User')
})

it('first rows behind a gap are ready at a position behind it: who goes on from there is refused nothing', async () => {
  const { bus, subscribe, commit } = relatedBlog(POSTS)
  bus.open(start)
  commit(20, joined('eve'))
  bus.passed(toLsn(60n))
  bus.cut('User')
  // The table is published again, and the stream goes on.
  bus.passed(toLsn(65n))
  const first = subscribe({ isInitial: true })
  let cursor: string | null = null
  while (cursor === null) {
    const { value } = await first.next()
    if (value === undefined) throw new Error('It has ended.')
    if (value.kind === 'ready') cursor = value.cursor
  }
  const next = subscribe({ after: cursor })
  commit(70, joined('bob'))
  expect((await next.next()).value).toMatchObject({ kind: 'moved' })
  await Promise.all([first.return(), next.return()])
})

it('counts in the account of its client: what its filter costs, and that it catches up', async () => {
  const { bus, subscribe, commit } = relatedBlog(readUsers)
  bus.open(start)
  commit(20, joined('bob'))
  const account = new Account({ replaysMax: 1 })
  const first = subscribe({ account, after: cursorAt(15) })
  expect(account).toMatchObject({ replays: 1, filterCost: 2 })
  for (const more of [{ after: cursorAt(15) }, { isInitial: true }])
    expect(() => subscribe({ account, ...more })).toThrow(
      expect.objectContaining({ code: 'TOO_MANY_REPLAYS' }),
    )
  const next = first.next()
  await expect.poll(() => account.replays).toBe(0)
  const second = subscribe({ account, after: cursorAt(15) })
  expect(account).toMatchObject({ replays: 1, filterCost: 4 })
  await Promise.all([first.return(), second.return()])
  await next
  expect(account).toMatchObject({ replays: 0, filterCost: 0 })
  expect(bus.subscriptionCounts.get('Post')).toBeUndefined()
})

/** A post of Ada's, who is an admin until she is none. */
const POSTS: ReadRows = async ({ model }) =>
  model.name === 'User'
    ? [ADA]
    : [
        { id: 1, authorId: 'bob' },
        { id: 2, authorId: 'bob' },
      ]

it('whoever a change does not concern has nothing to do, and a cursor behind it', async () => {
  const { bus, subscribe, commit } = relatedBlog(async ({ model }) => (model.name === 'User' ? [ADA] : []))
  bus.open(start)
  const subscription = subscribe()
  const next = subscription.next()
  await expect.poll(() => subscription.behindFrom).toBeNull()
  const posted = (id: number, authorId: string) =>
    ({ model: 'Post', action: 'INSERT', old: null, new: { id, authorId } }) as const
  const bob = { id: 'bob', role: 'MEMBER' }
  const rename = { model: 'User', action: 'UPDATE', old: bob, new: { ...bob, name: 'b' } } as const
  for (const [at, written] of [posted(1, 'bob'), rename, posted(2, 'eve')].entries()) {
    commit(20 + at, written)
    expect([subscription.behindFrom, subscription.lastCursor]).toEqual([null, cursorAt(20 + at)])
  }
  commit(30, posted(3, 'ada'))
  expect((await next).value).toMatchObject({ kind: 'written', change: { key: { id: 3 } } })
  // Whoever is not there for what comes is behind it, however it is kept.
  for (let id = 4; id < 104; id++) {
    commit(27 + id, posted(id, 'ada'))
    expect([subscription.behindFrom, subscription.lastCursor]).toEqual([30, cursorOfChange(30)])
  }
  const taken: unknown[] = []
  for (let id = 4; id < 104; id++) {
    const { value } = await subscription.next()
    taken.push(value.change.key.id)
    expect(subscription.lastCursor).toBe(cursorOfChange(27 + id))
  }
  expect(taken).toEqual(Array.from({ length: 100 }, (_, n) => n + 4))
  const last = subscription.next()
  await expect.poll(() => subscription.behindFrom).toBeNull()
  await subscription.return()
  expect(await last).toMatchObject({ done: true })
})

it('a key that goes in the transaction of a write hides the write behind those that wait', async () => {
  const { bus, subscribe, commit } = relatedBlog(async ({ model }) => (model.name === 'User' ? [ADA] : []))
  bus.open(start)
  const subscription = subscribe()
  const first = subscription.next()
  await expect.poll(() => subscription.behindFrom).toBeNull()
  const posted = (id: number) =>
    ({ model: 'Post', action: 'INSERT', old: null, new: { id, authorId: 'ada' } }) as const
  const demoted = { model: 'User', action: 'UPDATE', old: ADA, new: { ...ADA, role: 'GUEST' } } as const
  for (const id of [1, 2]) commit(20 + id, posted(id))
  commit(23, demoted, posted(3))
  commit(24, posted(4))
  commit(25, { ...demoted, old: demoted.new, new: ADA }, posted(5))
  commit(26, posted(6))
  const taken = [await first]
  for (let left = 3; left > 0; left--) taken.push(await subscription.next())
  expect(taken.map(({ value }) => value.change.key.id)).toEqual([1, 2, 5, 6])
  await subscription.return()
})

it('rows that others have moved are counted until they are taken, and the cursor of who leaves them waiting is good', async () => {
  const held = new HeldPages(100)
  const { bus, subscribe, commit } = relatedBlog(POSTS, 100, { held, bytesOf: (rows) => 12 * rows.length })
  bus.open(start)
  const account = new Account({ bytesMax: 1_000 })
  const slow = subscribe({ account })
  const first = slow.next()
  await new Promise(setImmediate)
  commit(20, joined('bob'))
  expect((await first).value).toMatchObject({ kind: 'moved', transition: 'ENTERED', key: { id: 1 } })
  expect([account.bytes, held.bytes]).toEqual([24, 24])
  // Of five there is no room for all: whoever has taken nothing for the longest has to go.
  const others = [1, 2, 3, 4].map(() => subscribe({ after: cursorAt(15) }))
  for (const other of others) expect((await other.next()).value).toMatchObject({ kind: 'moved' })
  const end = await slow.next().catch((error: unknown) => error)
  expect(end).toMatchObject({ code: 'SUBSCRIBER_TOO_SLOW', details: { cursor: expect.any(String) } })
  expect([account.bytes, held.bytes]).toEqual([0, 96])
  for (const other of others) await other.return()
  expect(held.bytes).toBe(0)
})

it('of a client that leaves too much waiting, whoever is to have more ends with its cursor', async () => {
  const { bus, subscribe, commit } = relatedBlog(POSTS, 100, { bytesOf: (rows) => 12 * rows.length })
  bus.open(start)
  commit(20, joined('bob'))
  const account = new Account({ bytesMax: 24 })
  const [slow, next] = [1, 2].map(() => subscribe({ account, after: cursorAt(15) }))
  expect((await slow?.next())?.value).toMatchObject({ kind: 'moved', key: { id: 1 } })
  const end = await next?.next().catch((error: unknown) => error)
  expect(end).toMatchObject({ code: 'SUBSCRIBER_TOO_SLOW', details: { cursor: cursorAt(15) } })
  expect((await slow?.next())?.value).toMatchObject({ kind: 'moved', key: { id: 2 }, isLast: true })
  expect([account.bytes, bus.subscriptionCounts.get('Post')]).toEqual([0, 1])
  await slow?.return()
})

it('a transaction that moves nothing takes no room from others', async () => {
  const held = new HeldPages(100)
  let ends = 0
  const other = {
    end: () => {
      ends += 1
    },
  }
  // Alone, it may have more than there is room for.
  held.hold(other, { rows: [], bytes: 120 })
  const asked: string[] = []
  const readRows: ReadRows = async ({ model }) => {
    asked.push(model.name)
    return model.name === 'User' ? [ADA] : []
  }
  const { bus, subscribe, commit } = relatedBlog(readRows, 100, { held, bytesOf: () => 0 })
  bus.open(start)
  const subscription = subscribe()
  const next = subscription.next()
  commit(20, joined('bob'))
  await expect.poll(() => asked).toContain('Post')
  await new Promise(setImmediate)
  expect([ends, held.bytes]).toEqual([0, 120])
  await subscription.return()
  expect(await next).toMatchObject({ done: true })
})

it('first rows wait for what had committed before they were asked for', async () => {
  const asked: number[] = []
  const readRows: ReadRows = async (request, ordinal) => {
    if (request.model.name === 'Post') asked.push(ordinal)
    return POSTS(request, ordinal)
  }
  const { bus, subscribe, commit } = relatedBlog(readRows, 100, { endLsn: async () => toLsn(25n) })
  bus.open(start)
  const subscription = subscribe({ isInitial: true })
  const next = subscription.next()
  await new Promise(setImmediate)
  expect(asked).toEqual([])
  commit(20, joined('bob'))
  commit(30, joined('eve'))
  expect((await next).value).toMatchObject({ kind: 'first', key: { id: 1 } })
  expect(asked).toEqual([30])
  await subscription.return()
})

it('whoever watches hears of each that begins and ends, and of what ended it', async () => {
  const heard: unknown[] = []
  const observer = {
    onSubscribed: (model: string) => heard.push(model),
    onSubscriptionEnded: (model: string, error: Error | null) =>
      heard.push([model, isRowcastError(error) ? error.code : error]),
  }
  const { bus, subscribe } = relatedBlog(async () => [], 100, { observer })
  bus.open(start)
  const [left, missed] = [subscribe(), subscribe()]
  const waiting = missed.next()
  await left.return()
  bus.cut('User')
  await expect(waiting).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
  await missed.return()
  expect(heard).toEqual(['Post', 'Post', ['Post', null], ['Post', 'RESYNC_REQUIRED']])
})
