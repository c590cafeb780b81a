/** Subscriptions that follow relations and conflate: what waits is the latest of each row, and nothing of it is shown that may not be seen when it is given. */
import { expect, it } from 'vitest'
import { type ChangeFilter, createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import { HeldPages } from '../../src/sets/held-pages.ts'
import type { ReadRows } from '../../src/sets/key-set.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { blogCatalog } from '../graphql/blog-catalog.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'
import { relatedBlog } from '../support/related-blog.ts'

const start = { ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(10n) }
const ADA = { id: 'ada', role: 'ADMIN' }
const GUEST = { ...ADA, role: 'GUEST' }
const row = (id: number, title: string) => ({ id, authorId: 'ada', title })
const put = (id: number, title: string) =>
  ({ model: 'Post', action: 'INSERT', old: null, new: row(id, title) }) as const
const update = (id: number, from: string, to: string) =>
  ({ model: 'Post', action: 'UPDATE', old: row(id, from), new: row(id, to) }) as const
const remove = (id: number, title: string) =>
  ({ model: 'Post', action: 'DELETE', old: row(id, title), new: null }) as const
const demote = { model: 'User', action: 'UPDATE', old: ADA, new: GUEST } as const

/** The posts of admins may be seen. */
const filterOf = (where: object) => {
  const parse = (part: object) =>
    parseWhere(blogCatalog.models['Post'] as ModelSpec, blogCatalog, part, { relations: {} })
  return createChangeFilter({
    rows: parse({ author: { role: 'ADMIN' } }),
    where: parse(where),
  }) as ChangeFilter
}

const turn = () => new Promise(setImmediate)

/** Ada's posts, and a reader that has to be let through. */
function openBlog(
  posts: readonly object[],
  { where = {}, ...more }: Parameters<typeof relatedBlog>[2] & { readonly where?: object } = {},
) {
  let isOpen = true
  let open: () => void = () => {}
  const readRows: ReadRows = async ({ model }) => {
    if (model.name === 'User') return [ADA]
    if (!isOpen) await new Promise<void>((resolve) => (open = resolve))
    return posts as never
  }
  const blog = relatedBlog(readRows, 100, more)
  blog.bus.open(start)
  const subscription = blog.subscribe({ conflates: true, filter: filterOf(where) })
  return {
    ...blog,
    subscription,
    close: () => {
      isOpen = false
    },
    letThrough: () => {
      isOpen = true
      open()
    },
    /** All that is there now. */
    taken: () => {
      const found: unknown[] = []
      for (let event = subscription.pull.take(); event !== undefined; event = subscription.pull.take()) {
        if (event.kind === 'written')
          found.push([event.change.action, event.change.key, event.change.new?.['title']])
        else if (event.kind === 'moved') found.push([event.transition, event.key])
      }
      return found
    },
  }
}

it('keeps the latest event of each row, and its cursor is before what waits', async () => {
  const { subscription, commit, taken } = openBlog([])
  await turn()
  for (let at = 0; at < 500; at += 1) commit(20 + at, update(1 + (at % 2), 'a', `${at}`))
  expect(subscription.behindFrom).toBeNull()
  expect(subscription.lastCursor).toBe(formatCursor(PLAIN_ORIGIN, toLsn(517n), 0x80000000))
  expect(taken()).toEqual([
    ['UPDATE', { id: 1 }, '498'],
    ['UPDATE', { id: 2 }, '499'],
  ])
  await subscription.return()
})

it('a right that is taken away takes what waits with it', async () => {
  const { subscription, commit, taken } = openBlog([row(1, 'b'), row(2, 'b')])
  await turn()
  commit(20, update(1, 'a', 'b'), put(2, 'b'), remove(3, 'a'))
  commit(21, demote)
  await turn()
  // The second one came and went: whoever asks for rows was never to have it.
  expect(taken()).toEqual([
    ['LEFT', { id: 3 }],
    ['LEFT', { id: 1 }],
  ])
  await subscription.return()
})

it('a row that has left under another key goes by the one that was known', async () => {
  const { subscription, commit, taken } = openBlog([], { where: { title: 'a' } })
  await turn()
  const [old, moved] = [row(1, 'a'), row(9, 'b')]
  commit(20, { model: 'Post', action: 'UPDATE', old, new: moved, oldKey: { id: 1 } })
  commit(21, demote)
  await turn()
  expect(taken()).toEqual([['LEFT', { id: 1 }]])
  await subscription.return()
})

it('of a row that has another key by now, what was there before is not shown where it may not be seen', async () => {
  const { subscription, commit, taken } = openBlog([{ ...row(9, 'b'), authorId: 'eve' }])
  await turn()
  commit(20, { model: 'User', action: 'INSERT', old: null, new: { ...ADA, id: 'eve' } })
  await turn()
  taken()
  const [old, moved] = [row(1, 'a'), { ...row(9, 'b'), authorId: 'eve' }]
  commit(21, { model: 'Post', action: 'UPDATE', old, new: moved, oldKey: { id: 1 } })
  commit(22, demote)
  await turn()
  const before = subscription.lastCursor
  expect(subscription.pull.take()).toMatchObject({
    kind: 'moved',
    key: { id: 1 },
    transition: 'LEFT',
    isLast: false,
  })
  // Who goes on from there is given the row.
  expect(subscription.lastCursor).toBe(before)
  const next = subscription.pull.take()
  expect(next).toMatchObject({ kind: 'written', judgement: { hidesOld: true }, change: { key: { id: 9 } } })
  await subscription.return()
})

it('gives nothing before it is worked out what has come', async () => {
  const { subscription, commit, taken, close, letThrough } = openBlog([row(1, 'b')])
  await turn()
  commit(20, update(1, 'a', 'b'))
  close()
  commit(21, demote)
  await turn()
  expect(taken()).toEqual([])
  let notices = 0
  subscription.pull.reader = {
    onReadable: () => {
      notices += 1
    },
  }
  letThrough()
  await turn()
  expect(notices).toBeGreaterThan(0)
  expect(taken()).toEqual([['LEFT', { id: 1 }]])
  await subscription.return()
})

it('whoever waits is given what comes, one after the other, and its end', async () => {
  const { subscription, commit } = openBlog([row(1, 'b')])
  const asked = [subscription.next(), subscription.next(), subscription.next()]
  await turn()
  commit(20, put(1, 'b'))
  commit(21, demote)
  const given = await Promise.all(asked.slice(0, 2))
  expect(given.map(({ value }) => value.kind)).toEqual(['written', 'moved'])
  await subscription.return()
  expect(await asked[2]).toMatchObject({ done: true })
})

it('where there is no room for what waits, it ends with the cursor to go on after', async () => {
  const held = new HeldPages(100)
  const { subscription, commit } = openBlog([], { held, bytesOf: (rows) => 12 * rows.length })
  await turn()
  // A quarter may always be held, and all of it where nobody else holds any.
  held.hold({ end: () => {} }, { rows: [], bytes: 60 })
  for (let id = 1; id <= 4; id += 1) commit(20 + id, put(id, 'a'))
  expect(await subscription.next().catch((error: unknown) => error)).toMatchObject({
    code: 'SUBSCRIBER_TOO_SLOW',
    details: { cursor: expect.any(String) },
  })
  expect(held.bytes).toBe(60)
})
