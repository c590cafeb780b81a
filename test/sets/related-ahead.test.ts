/** Subscriptions that go on after a cursor to which the stream is still to come: a slot that catches up, a gateway behind another one. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { cannotGoOn } from '../../src/bus/resync-required.ts'
import { formatCursor, INDEX_AFTER_ALL } from '../../src/changes/cursor.ts'
import type { ReadRows } from '../../src/sets/key-set.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN } from '../support/plain-change.ts'
import { relatedBlog } from '../support/related-blog.ts'

const cursorAt = (commit: number) => formatCursor(PLAIN_ORIGIN, toLsn(BigInt(commit)), INDEX_AFTER_ALL)
const opened = (server: number) => ({
  ...PLAIN_ORIGIN,
  ...{ isFirst: true, floorLsn: toLsn(10n), serverLsn: toLsn(BigInt(server)) },
})
const readUsers: ReadRows = async ({ model }) => (model.name === 'User' ? [{ id: 'ada', role: 'ADMIN' }] : [])
const posted = (id: number) =>
  ({ model: 'Post', action: 'INSERT', old: null, new: { id, authorId: 'ada', title: 'a' } }) as const

it('has nothing from before its cursor, where a slot catches up', async () => {
  const { bus, subscribe, commit } = relatedBlog(readUsers)
  bus.open(opened(100))
  const next = subscribe({ after: cursorAt(90) }).next()
  for (let left = 20; left > 0; left -= 1) await turn()
  commit(50, posted(1))
  commit(95, posted(2))
  expect((await next).value).toMatchObject({ change: { new: { id: 2 } } })
})

it('has nothing twice of a transaction within which it goes on, and which is still to come', async () => {
  const { bus, subscribe, commit } = relatedBlog(readUsers)
  bus.open(opened(100))
  const next = subscribe({ after: formatCursor(PLAIN_ORIGIN, toLsn(50n), 0) }).next()
  for (let left = 20; left > 0; left -= 1) await turn()
  commit(50, posted(1), posted(2))
  expect((await next).value).toMatchObject({ change: { new: { id: 2 } } })
})

it('begins at a gateway once that has come as far as the one that gave the cursor', async () => {
  const { bus, subscribe, commit } = relatedBlog(readUsers, 100, { isShared: true })
  bus.open(opened(20))
  const next = subscribe({ after: cursorAt(190) }).next()
  for (const at of [50, 190]) {
    commit(at, posted(at))
    for (let left = 20; left > 0; left -= 1) await turn()
  }
  bus.passed(toLsn(191n))
  for (let left = 20; left > 0; left -= 1) await turn()
  commit(200, posted(2))
  expect((await next).value).toMatchObject({ change: { new: { id: 2 } } })
})

it('goes on after a cursor behind a gap that the stream is still to come to, and after none before it', async () => {
  const { bus, subscribe, commit } = relatedBlog(readUsers, 100, { isShared: true })
  bus.open(opened(20))
  const [behind, before] = [190, 100].map((at) => subscribe({ after: cursorAt(at) }).next())
  for (let left = 20; left > 0; left -= 1) await turn()
  const position = { commitLsn: toLsn(150n), index: INDEX_AFTER_ALL }
  bus.cut('User', { position, cleanFrom: toLsn(140n), error: cannotGoOn('it was not published') })
  bus.passed(toLsn(191n))
  await expect(before).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
  for (let left = 20; left > 0; left -= 1) await turn()
  commit(200, posted(2))
  expect((await behind)?.value).toMatchObject({ change: { new: { id: 2 } } })
})

it('goes on after no cursor from before a gap that has come', async () => {
  const { bus, subscribe, commit } = relatedBlog(readUsers, 100, { isShared: true })
  bus.open(opened(20))
  commit(50, posted(1))
  const position = { commitLsn: toLsn(150n), index: INDEX_AFTER_ALL }
  bus.cut('User', { position, cleanFrom: toLsn(140n), error: cannotGoOn('it was not published') })
  bus.passed(toLsn(191n))
  const [before, behind] = [50, 190].map((at) => subscribe({ after: cursorAt(at) }).next())
  await expect(before).rejects.toMatchObject({ code: 'RESYNC_REQUIRED' })
  commit(200, posted(2))
  expect((await behind)?.value).toMatchObject({ change: { new: { id: 2 } } })
})

it('waits for a moment at a gateway that never comes as far, and ends', async () => {
  let nowMs = 0
  const monotonicMs = () => (nowMs += 1_000)
  const { bus, subscribe } = relatedBlog(readUsers, 100, { isShared: true, monotonicMs })
  bus.open(opened(20))
  await expect(subscribe({ after: cursorAt(190) }).next()).rejects.toMatchObject({
    code: 'RESYNC_REQUIRED',
    message: expect.stringContaining('has not come that far'),
  })
})
