/** Subscriptions that follow relations, before a bus whose log is small, or has a gap: whoever cannot have all ends, and nobody else. */

import { expect, it, vi } from 'vitest'
import { AFTER_EARLIEST } from '../../src/bus/bus.ts'
import { parseChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { AnyChange, AnyRow } from '../../src/changes/change.ts'
import { formatCursor, INDEX_AFTER_ALL } from '../../src/changes/cursor.ts'
import { RowcastError } from '../../src/errors.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { KeySet } from '../../src/sets/key-set.ts'
import type { RowRequest } from '../../src/sets/related-rows.ts'
import type { RelatedSubscription } from '../../src/sets/related-subscription.ts'
import { SetGraph } from '../../src/sets/set-graph.ts'
import { SetsBus } from '../../src/sets/sets-bus.ts'
import { StreamFollower } from '../../src/sets/stream-follower.ts'
import { SEES_ALL } from '../../src/source/db/visibility.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { heldRows } from '../support/held-rows.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const { Post } = blogCatalog.models
if (Post === undefined) throw new Error('The blog has posts.')
const post = Post
const ADA = { id: 'ada', role: 'ADMIN' }
const start = { ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(10n) }

type Written = Pick<AnyChange, 'model' | 'action' | 'old' | 'new'>

/** The posts of admins; Ada, who is one, has written one of them. @param bytesMax of the log */
function blog(bytesMax = 1_000_000, readRows = async ({ model }: RowRequest) => rowsOf(model.name)) {
  const log = { bytesMax, bytesReadMax: bytesMax, ageMaxMs: 1e9, monotonicMs: () => 0 }
  const inner = createMemoryBus({ log, models: blogCatalog.models })
  const follower = new StreamFollower({
    ...{ bus: inner, look: async () => SEES_ALL, monotonicMs: () => 0, wait: async () => {} },
  })
  const guard = createGuard(silentLogger)
  const bus = new SetsBus({ bus: inner, follower, guard, reading: { readRows, ...heldRows() } })
  const filter = parseChangeFilter(
    post,
    blogCatalog,
    { where: { author: { role: 'ADMIN' } } },
    { relations: {} },
  )
  if (filter === null) throw new Error('It has a condition.')
  const request = { model: post, filter, setModels: new Set(['User']), asksForRows: true }
  /** Each list is a part of the transaction. */
  const commit = (at: number, ...parts: readonly (readonly Written[])[]) => {
    const transaction = plainTransaction(at)
    let index = 0
    for (const [number, part] of parts.entries()) {
      const changes = part.map((written) => {
        const key = { id: (written.new ?? written.old)?.['id'] }
        return plainChange({ ...written, transaction, key, index: index++ })
      })
      bus.publish({ transaction, changes, isFinal: number === parts.length - 1, byteLength: 5_000 })
    }
  }
  return { inner, bus, commit, subscribe: (after?: string) => bus.subscribeRelated({ ...request, after }) }
}

function rowsOf(model: string): readonly AnyRow[] {
  return model === 'User' ? [ADA] : [{ id: 'p1', authorId: 'ada' }]
}

const written = (id: string, authorId = 'ada'): Written => ({
  ...{ model: 'Post', action: 'INSERT', old: null, new: { id, authorId } },
})
const demoted: Written = { model: 'User', action: 'UPDATE', old: ADA, new: { ...ADA, role: 'READER' } }
const other: Written = { model: 'Comment', action: 'INSERT', old: null, new: { id: 'c' } }

const asked = new WeakMap<RelatedSubscription, Promise<unknown>>()

/** What comes next of it, or why it ended; that it waits, where nothing comes by now. */
async function outcome(subscription: RelatedSubscription): Promise<unknown> {
  const next =
    asked.get(subscription) ??
    subscription.next().then(
      ({ value }) => value,
      (error: unknown) => (error as RowcastError).code,
    )
  asked.set(subscription, next)
  const turns = Array.from({ length: 50 }).reduce<Promise<unknown>>(
    (before) => before.then(() => new Promise((resolve) => setImmediate(resolve))),
    Promise.resolve(),
  )
  const result = await Promise.race([next, turns.then(() => 'waits')])
  if (result !== 'waits') asked.delete(subscription)
  return result
}

it('follows the related rows', async () => {
  const { bus, commit, subscribe } = blog()
  bus.open(start)
  const posts = subscribe()
  commit(100, [written('p2')])
  expect(await outcome(posts)).toMatchObject({ kind: 'written' })
  commit(101, [demoted])
  expect(await outcome(posts)).toMatchObject({ kind: 'moved', transition: 'LEFT' })
  commit(102, [written('p3')])
  expect(await outcome(posts)).toBe('waits')
})

it('ends who waits for a transaction that the log could not keep', async () => {
  const { bus, commit, subscribe } = blog(12_000)
  bus.open(start)
  const posts = subscribe()
  expect(await outcome(posts)).toBe('waits')
  commit(100, [demoted], [other], [other], [other])
  expect(await outcome(posts)).toBe('RESYNC_REQUIRED')
})

it.each([
  ['all', [[demoted], [other], [other], [other]]],
  [
    'one',
    [
      [demoted],
      [other],
      [other],
      [{ ...demoted, old: { id: 'eve', role: 'READER' }, new: { id: 'eve', role: 'GUEST' } }],
    ],
  ],
])('shares no set that has missed %s of its parts of a transaction', async (_, parts) => {
  let ada = ADA
  const { bus, commit, subscribe } = blog(12_000, async ({ model }) => (model.name === 'User' ? [ada] : []))
  bus.open(start)
  const slow = subscribe()
  commit(99, [written('p2')])
  expect(await outcome(slow)).toMatchObject({ kind: 'written' })
  ada = { ...ADA, role: 'READER' }
  commit(100, ...parts)
  const posts = subscribe()
  expect(await outcome(posts)).toBe('waits')
  commit(101, [written('p3')])
  expect(await outcome(posts)).toBe('waits')
})

it('begins behind a gap with the oldest there is, as all others do', async () => {
  const { bus, commit, subscribe } = blog()
  bus.open(start)
  commit(50, [written('p2')])
  const position = { commitLsn: toLsn(500n), index: INDEX_AFTER_ALL }
  const error = new RowcastError('RESYNC_REQUIRED', 'It was cut.')
  bus.cut('User', { position, cleanFrom: toLsn(300n), error })
  const posts = subscribe(AFTER_EARLIEST)
  commit(600, [written('p3')])
  expect(await outcome(posts)).toMatchObject({ change: { transaction: { xid: 600 } } })
})

it('waits until it is known what a process before this one knew', async () => {
  const { bus, commit, subscribe } = blog()
  const posts = subscribe(formatCursor(PLAIN_ORIGIN, toLsn(5n), 0))
  const failing = subscribe(formatCursor(PLAIN_ORIGIN, toLsn(3n), 0))
  bus.open({ ...start, mayRecall: true })
  for (const each of [posts, failing]) expect(await outcome(each)).toBe('waits')
  const last = { commitLsn: toLsn(4n), index: 0 }
  bus.lastChanges.recall({
    origin: PLAIN_ORIGIN,
    upTo: toLsn(10n),
    models: new Map([
      ['Post', last],
      ['User', last],
    ]),
  })
  bus.lastChanges.endRecall()
  expect(await outcome(failing)).toBe('RESYNC_REQUIRED')
  commit(100, [written('p2')])
  expect(await outcome(posts)).toMatchObject({ kind: 'written' })
})

it('shows nothing from behind a gap while it is not known yet that there is one', async () => {
  const { bus, commit, subscribe } = blog()
  const posts = subscribe(formatCursor(PLAIN_ORIGIN, toLsn(20n), 0))
  bus.open({ ...start, mayRecall: true })
  commit(50, [written('p2')])
  expect(await outcome(posts)).toBe('waits')
  const error = new RowcastError('MODEL_UNAVAILABLE', 'It was cut.')
  bus.cut('User', { position: null, cleanFrom: toLsn(300n), error })
  bus.lastChanges.endRecall()
  expect(await outcome(posts)).toBe('MODEL_UNAVAILABLE')
})

it('ends with what keeps its sets from being read, and not with the change that follows', async () => {
  const { bus, subscribe } = blog(1_000_000, async () => {
    throw new RowcastError('FILTER_TOO_BROAD', 'There are too many.')
  })
  bus.open(start)
  expect(await outcome(subscribe())).toBe('FILTER_TOO_BROAD')
})

it('ends all with a fault while sets are brought on, and shows nothing by sets that have passed over a transaction', async () => {
  let ada = ADA
  const { bus, commit, subscribe } = blog(1_000_000, async ({ model }) =>
    model.name === 'User' ? [ada] : [],
  )
  bus.open(start)
  const posts = subscribe()
  expect(await outcome(posts)).toBe('waits')
  const advance = vi.spyOn(SetGraph.prototype, 'advance').mockImplementationOnce(() => {
    throw new Error('A fault.')
  })
  ada = { ...ADA, role: 'READER' }
  commit(100, [demoted])
  advance.mockRestore()
  commit(101, [written('p2')])
  expect(await outcome(posts)).toBe('RESYNC_REQUIRED')
  const next = subscribe()
  commit(102, [written('p3')])
  expect(await outcome(next)).toBe('waits')
})

it('forgets what it has gone past, however far behind it begins', async () => {
  const load = vi.spyOn(KeySet, 'load')
  const { bus, commit, subscribe } = blog()
  bus.open(start)
  const eve = (at: number) => ({ id: `eve${at}`, role: 'ADMIN' })
  for (let at = 100; at < 300; at += 2) {
    commit(at, [{ model: 'User', action: 'INSERT', old: null, new: eve(at) }])
    commit(at + 1, [{ model: 'User', action: 'DELETE', old: eve(at), new: null }])
  }
  commit(400, [written('p2')])
  const posts = subscribe(AFTER_EARLIEST)
  expect(await outcome(posts)).toMatchObject({ kind: 'written' })
  const own = await load.mock.results[0]?.value
  expect(own?.keys.kept).toBeLessThan(5)
  load.mockRestore()
})

const LOST = new RowcastError('RESYNC_REQUIRED', 'Changes are missing.')
const ENDS: Readonly<Record<string, (bus: SetsBus) => void>> = {
  'a gap': (bus) => bus.gap(LOST),
  'a cut': (bus) => bus.cut('Post', { position: null, cleanFrom: toLsn(1_000n), error: LOST }),
  'a close': (bus) => bus.close(LOST, 'Post'),
  'a hold': (bus) => bus.hold(new Map([['Post', LOST]])),
  'a stop': (bus) => bus.stop(() => LOST),
}

it.each(Object.entries(ENDS))('ends with %s, though the end of another fails', async (_, end) => {
  const { bus, subscribe } = blog()
  bus.open(start)
  const others = bus.subscribe({ model: 'Post' }).pull
  expect(others?.take()).toBeUndefined()
  const posts = subscribe()
  if (others)
    others.reader = {
      onReadable() {
        throw new Error('of a socket')
      },
    }
  expect(() => end(bus)).toThrow('of a socket')
  expect(await outcome(posts)).toBe('RESYNC_REQUIRED')
})

it.each([
  ['has got nothing', []],
  ['has got what came first', [[written('p2')]]],
])('ends with the cursor to go on after, also where it %s', async (_, first) => {
  const { bus, commit, subscribe } = blog()
  bus.open(start)
  commit(90, [written('p1')])
  const posts = subscribe()
  first.forEach((part, index) => {
    commit(100 + index, part)
  })
  for (const _ of first) expect(await outcome(posts)).toMatchObject({ kind: 'written' })
  commit(200, [other])
  bus.hold(new Map([['User', new RowcastError('MODEL_UNAVAILABLE', 'It cannot be read.')]]))
  const error = await posts.next().catch((failure: unknown) => failure)
  expect(error).toMatchObject({ code: 'MODEL_UNAVAILABLE' })
  commit(300, [written('p3')])
  bus.hold(new Map())
  const next = subscribe(String((error as RowcastError).details['cursor']))
  expect(await outcome(next)).toMatchObject({ change: { transaction: { xid: 300 } } })
})
