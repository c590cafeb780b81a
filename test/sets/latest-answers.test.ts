/** Subscriptions that follow relations and conflate: what waits is the latest of each row, and nothing of it is shown that may not be seen when it is given. */
import { expect, it } from 'vitest'
import { type ChangeFilter, createChangeFilter } from '../../src/bus/filter/change-filter.ts'
import { parseWhere } from '../../src/bus/filter/parse-where.ts'
import { Account } from '../../src/bus/holdings.ts'
import type { ModelSpec } from '../../src/catalog/model-catalog.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import { HeldPages } from '../../src/sets/held-pages.ts'
import type { ReadRows } from '../../src/sets/key-set.ts'
import type { LatestAnswers } from '../../src/sets/latest-answers.ts'
import { filterOrAll } from '../../src/sets/live-view.ts'
import { includedRelations } from '../../src/sets/parse-include.ts'
import type { RelatedRequest } from '../../src/sets/related-request.ts'
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

type Blog = ReturnType<typeof relatedBlog>

interface Asked extends Pick<RelatedRequest, 'account' | 'after' | 'isInitial'> {
  /** What commits before it is asked, and where. */
  readonly before?: readonly Readonly<Parameters<Blog['commit']>>[]
}

/** Ada's posts, and a reader that has to be let through. */
function openBlog(
  posts: readonly object[],
  {
    where = {},
    account,
    after,
    isInitial,
    before = [],
    ...more
  }: Parameters<typeof relatedBlog>[2] & Asked & { readonly where?: object } = {},
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
  for (const each of before) blog.commit(...each)
  const subscription = blog.subscribe({
    ...{ conflates: true, filter: filterOf(where), account, after, isInitial },
  })
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
        else found.push(event.kind === 'first' ? [event.kind, event.key, event.row['title']] : [event.kind])
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
  const held = new HeldPages(4000)
  const { subscription, commit } = openBlog([], { held, bytesOf: (rows) => 12 * rows.length })
  await turn()
  // A quarter may always be held, and all of it where nobody else holds any.
  held.hold({ end: () => {} }, { rows: [], bytes: 2400 })
  for (let id = 1; id <= 4; id += 1) commit(20 + id, put(id, 'a'))
  expect(await subscription.next().catch((error: unknown) => error)).toMatchObject({
    code: 'SUBSCRIBER_TOO_SLOW',
    details: { cursor: expect.any(String) },
  })
  expect(held.bytes).toBe(2400)
})

const LATER = formatCursor(PLAIN_ORIGIN, toLsn(12n), 0x80000000)
const eve = { id: 'eve', role: 'ADMIN' }
const addEve = { model: 'User', action: 'INSERT', old: null, new: eve } as const
const putOf = (id: number, authorId: string) =>
  ({ model: 'Post', action: 'INSERT', old: null, new: { ...row(id, 'a'), authorId } }) as const
/** What a resumed one has missed, which is none of its rows. */
const MISSED = [
  [12, putOf(99, 'nobody')],
  [15, putOf(98, 'nobody')],
] as const

it('who asked while nothing waited gets all of a transaction that grants a right, and writes rows', async () => {
  const { subscription, commit, taken, close, letThrough } = openBlog([], {
    after: LATER,
    before: [...MISSED],
  })
  const found: unknown[] = []
  subscription.pull.reader = { onReadable: () => found.push(...taken()) }
  expect(taken()).toEqual([])
  await turn()
  await turn()
  close()
  commit(30, addEve, putOf(2, 'eve'), putOf(3, 'eve'))
  await turn()
  expect(found).toEqual([])
  letThrough()
  await turn()
  expect(found).toEqual([
    ['INSERT', { id: 2 }, 'a'],
    ['INSERT', { id: 3 }, 'a'],
  ])
  await subscription.return()
})

it('who asked while nothing waited does not get what waits by now, while a right is taken away', async () => {
  const { subscription, commit, taken, close, letThrough } = openBlog([row(2, 'a')], {
    after: LATER,
    before: [...MISSED],
  })
  expect(taken()).toEqual([])
  await turn()
  await turn()
  commit(30, put(2, 'a'))
  close()
  commit(31, demote)
  await turn()
  expect(taken()).toEqual([])
  letThrough()
  await turn()
  for (const each of taken()) expect(each).toEqual(['LEFT', expect.anything()])
  await subscription.return()
})

it('who is resumed may ask while the sets that all share are still loaded', async () => {
  const readRows: ReadRows = async ({ model }, at) => {
    await turn()
    if (model.name !== 'User') return []
    return (at >= 15 ? [ADA, eve] : [ADA]) as never
  }
  const blog = relatedBlog(readRows)
  blog.bus.open(start)
  blog.commit(12, putOf(99, 'nobody'))
  blog.commit(15, addEve, putOf(2, 'eve'))
  const subscription = blog.subscribe({ conflates: true, filter: filterOf({}), after: LATER })
  const found: unknown[] = []
  for (let at = 0; at < 10; at += 1) {
    const event = subscription.pull.take()
    if (event?.kind === 'written') found.push(event.change.key)
    await turn()
  }
  expect(found).toEqual([{ id: 2 }])
  await subscription.return()
})

it('nothing is given while it is not known what the right is', async () => {
  const parse = (where: object) =>
    parseWhere(blogCatalog.models['Post'] as ModelSpec, blogCatalog, where, { relations: {} })
  const rights = (where: object) => createChangeFilter({ rows: parse(where), where: null }) as ChangeFilter
  let answer = rights({ id: { gt: 0 } })
  let answers: (() => void)[] | null = null
  const blog = relatedBlog(async () => [], 100, { whenVisible: async () => {} })
  blog.bus.open(start)
  const subscription = blog.subscribe({
    ...{ conflates: true, filter: answer, setModels: new Set<string>() },
    rights: {
      dependencies: [
        { model: blogCatalog.models['User'] as ModelSpec, condition: { kind: 'constant', value: true } },
      ],
      ask: async () => {
        const given = answer
        if (answers !== null) await new Promise<void>((resolve) => answers?.push(resolve))
        return given
      },
    },
  })
  await turn()
  blog.commit(20, put(1, 'a'))
  await turn()
  answers = []
  answer = rights({ id: { lt: 0 } })
  blog.commit(21, demote)
  await turn()
  expect(subscription.pull.take()).toBeUndefined()
  blog.commit(22, { ...demote, old: GUEST, new: { ...GUEST, role: 'OTHER' } })
  answers.shift()?.()
  await turn()
  // The answer for 21 may be one for 22, which is asked for now.
  expect(answers).toHaveLength(1)
  expect(subscription.pull.take()).toBeUndefined()
  answers.shift()?.()
  await turn()
  expect(subscription.pull.take()).toBeUndefined()
  await subscription.return()
})

it('whoever takes is not ended because the client has no room any more for others', async () => {
  const account = new Account({ bytesMax: 10_000 })
  const { subscription, commit, taken } = openBlog([], { account })
  await turn()
  for (let id = 1; id <= 3; id += 1) commit(20 + id, put(id, 'a'))
  account.addBytes(10_000)
  expect(taken()).toHaveLength(3)
  commit(30, put(4, 'a'))
  expect(await subscription.next().catch((error: unknown) => error)).toMatchObject({
    code: 'SUBSCRIBER_TOO_SLOW',
  })
})

it('what replaces what waits is kept, though the client has no room any more', async () => {
  const account = new Account({ bytesMax: 10_000 })
  const { subscription, commit, taken } = openBlog([], { account, bytesOf: (rows) => 100 * rows.length })
  await turn()
  commit(20, update(1, 'a', 'b'))
  account.addBytes(9_900)
  commit(21, update(1, 'b', 'c'))
  expect(taken()).toEqual([['UPDATE', { id: 1 }, 'c']])
  await subscription.return()
})

it('of a transaction whose last row falls away, the one before it says that it is the last', async () => {
  const { subscription, commit } = openBlog([])
  await turn()
  commit(21, update(1, 'a', 'b'), update(2, 'a', 'b'))
  commit(22, update(2, 'b', 'c'), put(3, 'a'))
  commit(23, remove(3, 'a'), update(4, 'a', 'b'), put(5, 'a'), remove(5, 'a'))
  const given = [1, 2, 3].map(() => subscription.pull.take())
  expect(given.map((event) => event?.kind === 'written' && [event.change.key, event.isLast])).toEqual([
    [{ id: 1 }, true],
    [{ id: 2 }, true],
    [{ id: 4 }, true],
  ])
  await subscription.return()
})

it('what comes behind its removal under another key is judged when it is given', async () => {
  const seen = { ...ADA, id: 'eve' }
  const { subscription, commit, taken } = openBlog([{ ...row(9, 'b'), authorId: 'eve' }])
  await turn()
  commit(20, { model: 'User', action: 'INSERT', old: null, new: seen })
  await turn()
  taken()
  const [old, moved] = [row(1, 'a'), { ...row(9, 'b'), authorId: 'eve' }]
  commit(21, { model: 'Post', action: 'UPDATE', old, new: moved, oldKey: { id: 1 } })
  commit(22, demote)
  await turn()
  expect(subscription.pull.take()).toMatchObject({ kind: 'moved', key: { id: 1 }, transition: 'LEFT' })
  commit(23, { model: 'User', action: 'UPDATE', old: seen, new: { ...seen, role: 'GUEST' } })
  await turn()
  for (let event = subscription.pull.take(); event !== undefined; event = subscription.pull.take())
    expect(event).toMatchObject({ kind: 'moved', transition: 'LEFT' })
  await subscription.return()
})

it('both images of what waits are counted, and more than these', async () => {
  const held = new HeldPages(1e6)
  const { subscription, commit, taken } = openBlog([], { held, bytesOf: (rows) => 1000 * rows.length })
  await turn()
  commit(20, update(1, 'a', 'b'))
  expect(held.bytes).toBeGreaterThan(2000)
  expect(held.bytes).toBeLessThan(3000)
  commit(21, update(1, 'b', 'c'))
  expect(held.bytes).toBeLessThan(3000)
  taken()
  expect(held.bytes).toBe(0)
  await subscription.return()
})

it('what is retained is read in turns', async () => {
  let isOpen = false
  let waits = 0
  const gates: (() => void)[] = []
  const turns = {
    wait: () => {
      waits += 1
      return isOpen ? null : new Promise<void>((resolve) => gates.push(resolve))
    },
    isOver: false,
  }
  const before = Array.from({ length: 20 }, (_, at) => [20 + at, put(at, 'a')] as const)
  const after = formatCursor(PLAIN_ORIGIN, toLsn(12n), 0x80000000)
  const { subscription } = openBlog([], { turns, after, before: [[12, putOf(99, 'nobody')], ...before] })
  for (let at = 0; at < 3; at += 1) {
    await turn()
    expect((subscription.pull as LatestAnswers).waiting).toBeLessThanOrEqual(1)
  }
  isOpen = true
  gates.shift()?.()
  await turn()
  expect(waits).toBeGreaterThanOrEqual(20)
  expect((subscription.pull as LatestAnswers).waiting).toBe(20)
  await subscription.return()
})

it('a client whose resumed subscription has nothing to give any more may resume another one', async () => {
  const account = new Account({ replaysMax: 1 })
  const { subscription, commit, taken, subscribe } = openBlog([], {
    account,
    after: LATER,
    before: [
      [12, putOf(99, 'nobody')],
      [15, put(1, 'a')],
    ],
  })
  await turn()
  await turn()
  expect(() => subscribe({ account, after: LATER })).toThrow(
    expect.objectContaining({ code: 'TOO_MANY_REPLAYS' }),
  )
  commit(31, demote)
  await turn()
  expect(taken()).toEqual([])
  await subscribe({ account, after: LATER }).return()
  await subscription.return()
})

it('begins with the rows there are, and keeps what comes meanwhile behind READY', async () => {
  const held = new HeldPages(1e6)
  const options = { isInitial: true, held, bytesOf: (rows: readonly unknown[]) => 1000 * rows.length }
  const { subscription, commit, taken } = openBlog([row(1, 'a'), row(2, 'a')], options)
  await turn()
  expect(held.bytes).toBe(2000)
  const partial = subscription.lastCursor
  commit(20, update(1, 'a', 'b'))
  commit(21, update(1, 'b', 'c'))
  // Nothing can be gone on after before READY.
  expect(subscription.lastCursor).toBe(partial)
  expect(taken()).toEqual([
    ['first', { id: 1 }, 'a'],
    ['first', { id: 2 }, 'a'],
    ['ready'],
    ['UPDATE', { id: 1 }, 'c'],
  ])
  expect(held.bytes).toBe(0)
  await subscription.return()
})

it('a right that is taken away takes the rows with it that it begins with', async () => {
  const { subscription, commit, taken } = openBlog([row(1, 'a'), row(2, 'a')], { isInitial: true })
  await turn()
  expect(subscription.pull.take()).toMatchObject({ kind: 'first', key: { id: 1 } })
  commit(21, demote)
  await turn()
  expect(taken()).toEqual([['ready'], ['LEFT', { id: 1 }], ['LEFT', { id: 2 }]])
  await subscription.return()
})

it('where there is no room any more for the rows that it begins with, it ends without a cursor to go on after', async () => {
  const held = new HeldPages(4000)
  const options = { isInitial: true, held, bytesOf: (rows: readonly unknown[]) => 1000 * rows.length }
  const { subscription } = openBlog([row(1, 'a'), row(2, 'a')], options)
  await turn()
  held.hold({ end: () => {} }, { rows: [], bytes: 3000 })
  const failure = await subscription.next().catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'FIRST_ROWS_FAILED' })
  expect(held.bytes).toBe(3000)
})

/** Ada, who hears of her posts, as long as she is an admin. */
function openIncluding(more: Partial<RelatedRequest> = {}) {
  const user = blogCatalog.models['User'] as ModelSpec
  const blog = relatedBlog(async ({ model }) => (model.name === 'User' ? [ADA] : []) as never)
  blog.bus.open(start)
  const include = includedRelations(user, blogCatalog, ['posts'], () => filterOf({}))
  const subscription = blog.bus.subscribeRelated({
    ...{ model: user, filter: filterOrAll(null), setModels: new Set(['User', 'Post']), asksForRows: true },
    ...{ include, conflates: true, ...more },
  })
  const heard = () => {
    const found: unknown[] = []
    for (let event = subscription.pull.take(); event !== undefined; event = subscription.pull.take())
      if (event.kind === 'written' || event.kind === 'moved')
        found.push([event.heard?.viaCount, event.heard?.via.map(({ action, key }) => [action, key?.['id']])])
    return found
  }
  return { ...blog, subscription, heard }
}

it('a row hears of all that its related rows went through since it was given last', async () => {
  const { subscription, commit, heard } = openIncluding()
  await turn()
  commit(20, put(1, 'a'), put(2, 'a'))
  await turn()
  commit(21, update(1, 'a', 'b'))
  await turn()
  expect(heard()).toEqual([
    [
      3,
      [
        ['INSERT', 1],
        ['INSERT', 2],
        ['UPDATE', 1],
      ],
    ],
  ])
  for (let at = 0; at < 150; at += 1) {
    commit(30 + at, update(1, 'a', 'b'))
    await turn()
  }
  const [[count, via]] = heard() as [[number, unknown[]]]
  expect([count, via.length]).toEqual([150, 100])
  commit(300, remove(1, 'a'))
  await turn()
  expect(heard()).toEqual([[1, [['DELETE', 1]]]])
  await subscription.return()
})

it('a row that went and came back before that was given hears of what its related rows went through before it went', async () => {
  const include = includedRelations(blogCatalog.models['User'] as ModelSpec, blogCatalog, ['posts'])
  const { subscription, commit, heard } = openIncluding({ include })
  await turn()
  commit(20, put(1, 'a'))
  commit(21, remove(1, 'a'), { model: 'User', action: 'DELETE', old: ADA, new: null })
  commit(22, { model: 'User', action: 'INSERT', old: null, new: ADA })
  commit(23, put(2, 'a'))
  await turn()
  expect(heard()).toEqual([
    [
      3,
      [
        ['INSERT', 1],
        ['DELETE', 1],
        ['INSERT', 2],
      ],
    ],
  ])
  commit(24, put(3, 'a'))
  commit(25, { model: 'User', action: 'DELETE', old: ADA, new: null })
  await turn()
  expect(heard()).toEqual([[1, [['INSERT', 3]]]])
  await subscription.return()
})

it('a row that goes out of sight says of related rows that it heard of none, as all that comes with `include`', async () => {
  const renamed = {
    model: 'User',
    action: 'UPDATE',
    old: ADA,
    new: { ...ADA, id: 'bob' },
    oldKey: { id: 'ada' },
  } as const
  const again = { ...renamed, old: renamed.new, oldKey: null }
  const admins = createChangeFilter({
    rows: parseWhere(
      blogCatalog.models['User'] as ModelSpec,
      blogCatalog,
      { role: 'ADMIN' },
      { relations: {} },
    ),
  })
  const { subscription, commit, heard } = openIncluding({ filter: filterOrAll(admins) })
  await turn()
  // The second one takes the place of the first, which took another key away.
  commit(20, renamed, { ...put(1, 'a'), new: { ...row(1, 'a'), authorId: 'bob' } })
  commit(21, again)
  await turn()
  expect(heard()).toEqual([
    [0, []],
    [1, [['INSERT', 1]]],
  ])
  await subscription.return()
})

it('a row hears of no related row any more that may not be seen by then', async () => {
  const { subscription, commit, heard } = openIncluding()
  await turn()
  commit(20, put(1, 'a'))
  await turn()
  // More than are named: those that are only counted may not be seen either.
  for (let at = 0; at < 150; at += 1) {
    commit(30 + at, update(1, 'a', 'b'))
    await turn()
  }
  commit(300, demote)
  await turn()
  expect(heard()).toEqual([[0, []]])
  await subscription.return()
})

it('counts what falls away, and what goes with it that is too slow', async () => {
  const dropped: unknown[] = []
  const held = new HeldPages(4000)
  const { commit, subscription } = openBlog([], {
    held,
    bytesOf: (rows) => 12 * rows.length,
    observer: { onDropped: (...each) => dropped.push(each.slice(0, 3)) },
  })
  await turn()
  commit(20, update(1, 'a', 'b'))
  commit(21, update(1, 'b', 'c'))
  commit(22, put(2, 'a'))
  commit(23, remove(2, 'a'))
  expect(dropped).toEqual([
    ['Post', 1, 'conflated'],
    ['Post', 1, 'conflated'],
    ['Post', 1, 'conflated'],
  ])
  held.hold({ end: () => {} }, { rows: [], bytes: 2400 })
  for (let id = 3; id <= 6; id += 1) commit(20 + id, put(id, 'a'))
  await subscription.next().catch(() => null)
  expect(dropped.slice(3)).toEqual([['Post', expect.any(Number), 'too_slow']])
})
