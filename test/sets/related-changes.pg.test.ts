/** Subscriptions that follow relations: what comes of them in order, and what is refused, on a real PostgreSQL. */
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { openLiveRowcast } from '../support/live-rowcast.ts'

const ADA = '00000000-0000-4000-8000-000000000001'
const TEAM = '00000000-0000-4000-8000-000000000002'

it('a member who is added has the rows at that commit, and one who is removed has lost them', async () => {
  await using database = await openDatabase({ migrate: true })
  await using live = await openLiveRowcast(database)
  const { rowcast, prisma } = live
  await prisma.user.create({ data: { id: ADA, email: 'ada@x' } })
  await prisma.team.create({ data: { id: TEAM, slug: 'a', name: 'a' } })
  const { id } = await prisma.post.create({ data: { title: 'one', authorId: ADA, teamId: TEAM } })
  const where = { team: { memberships: { some: { userId: ADA } } } }
  const events = rowcast.subscribe('Post', { where, after: await rowcast.changeCursor() })
  const membership = { userId: ADA, teamId: TEAM }
  await prisma.membership.create({ data: membership })
  const { value: entered } = await events.next()
  expect(entered).toMatchObject({ action: 'READ', transition: 'ENTERED', cause: 'RELATION', key: { id } })
  expect(entered?.new).toEqual(await prisma.post.findUnique({ where: { id } }))
  await prisma.post.update({ where: { id }, data: { title: 'two' } })
  expect((await events.next()).value).toMatchObject({ action: 'UPDATE', transition: 'STAYED' })
  // Removed, written by somebody else, added again: nothing of what was written in between is shown.
  await prisma.membership.delete({ where: { userId_teamId: membership } })
  await prisma.post.update({ where: { id }, data: { title: 'secret' } })
  await prisma.post.update({ where: { id }, data: { title: 'three' } })
  await prisma.membership.create({ data: membership })
  const { value: left } = await events.next()
  expect(left).toMatchObject({ action: 'READ', transition: 'LEFT', key: { id }, new: null })
  const { value: again } = await events.next()
  expect(again).toMatchObject({ action: 'READ', transition: 'ENTERED', new: { title: 'three' } })
  await events.return?.()
  // Removed and added again in one transaction: nothing has moved.
  const resumed = rowcast.subscribe('Post', { where, after: String(again?.cursor) })
  await prisma.$transaction([
    prisma.membership.delete({ where: { userId_teamId: membership } }),
    prisma.membership.create({ data: membership }),
  ])
  await prisma.post.update({ where: { id }, data: { title: 'four' } })
  expect((await resumed.next()).value).toMatchObject({ action: 'UPDATE', new: { title: 'four' } })
  // A post whose membership went with it, in the same transaction.
  await prisma.$transaction([
    prisma.post.update({ where: { id }, data: { title: 'five' } }),
    prisma.membership.delete({ where: { userId_teamId: membership } }),
  ])
  expect((await resumed.next()).value).toMatchObject({ action: 'UPDATE', transition: 'LEFT' })
  const controller = new AbortController()
  const aborted = rowcast.subscribe('Post', { where, signal: controller.signal })
  const next = aborted.next()
  controller.abort()
  expect((await next).done).toBe(true)
  expect(rowcast.status().subscriptions.get('Post')).toBe(1)
  await rowcast.stop()
  expect((await resumed.next()).done).toBe(true)
})

it('who is connected with what decides, where the join table is followed', async () => {
  await using database = await openDatabase({ migrate: true })
  await using live = await openLiveRowcast(database, { models: ['Post', 'Tag'], followed: ['_PostToTag'] })
  const { rowcast, prisma } = live
  await prisma.user.create({ data: { id: ADA, email: 'ada@x' } })
  const post = (title: string, tags: readonly string[]) =>
    prisma.post.create({
      data: {
        title,
        authorId: ADA,
        tags: { connectOrCreate: tags.map((name) => ({ where: { name }, create: { name } })) },
      },
    })
  await post('one', ['red', 'blue'])
  const two = await post('two', ['blue'])
  const where = { tags: { some: { name: { in: ['red', 'green'] } } } } as const
  const others = { tags: { none: { name: 'red' } } } as const
  const find = (filter: object) => prisma.post.findMany({ where: filter, orderBy: { id: 'asc' } })
  const [tagged, untagged] = [where, others].map((filter) => {
    const events = rowcast.subscribe('Post', { where: filter, initial: true })
    const rows = new Map<number, unknown>()
    return {
      /** The rows, once they are those that a search finds. */
      async untilFound() {
        for (let isFound = false; !isFound; ) {
          const { value: event } = await events.next()
          if (event === undefined || event.action === 'TRUNCATE') throw new Error('It has ended.')
          if (event.action === 'READY') continue
          if (event.new !== null && event.transition !== 'LEFT') rows.set(event.new.id, event.new)
          else rows.delete(event.key.id)
          isFound = isSame(await find(filter), [...rows.values()])
        }
        expect([...rows].sort(([a], [b]) => a - b).map(([, row]) => row)).toEqual(await find(filter))
      },
    }
  })
  const isSame = (found: readonly { id: number }[], has: readonly unknown[]) =>
    JSON.stringify(found.map(({ id }) => id)) ===
    JSON.stringify((has as { id: number }[]).map(({ id }) => id).sort())
  await tagged?.untilFound()
  await untagged?.untilFound()
  // Two comes to red, and one goes from it: both ways at once.
  await prisma.post.update({ where: { id: two.id }, data: { tags: { connect: { name: 'red' } } } })
  await tagged?.untilFound()
  await untagged?.untilFound()
  await prisma.tag.update({ where: { name: 'red' }, data: { name: 'rose' } })
  await tagged?.untilFound()
  await untagged?.untilFound()
  await prisma.post.update({ where: { id: two.id }, data: { tags: { create: { name: 'green' } } } })
  await tagged?.untilFound()
  expect(rowcast.models).toEqual(['Post', 'Tag'])
  const loose = rowcast as { subscribe(model: string): unknown; register(model: string): unknown }
  for (const call of [() => loose.subscribe('_PostToTag'), () => loose.register('_PostToTag')])
    expect(call).toThrow(expect.objectContaining({ code: 'CATALOG_UNKNOWN_MODEL' }))
})

it('are refused where they could not be right', async () => {
  await using database = await openDatabase({ migrate: true })
  await using live = await openLiveRowcast(database, { models: ['Post', 'Team'] })
  const { rowcast } = live
  const refused = (what: RegExp) =>
    expect.objectContaining({ code: 'BAD_FILTER', message: expect.stringMatching(what) })
  const isFree = { team: { is: { plan: 'FREE' } } } as const
  const loose = rowcast as { subscribe(model: string, options: object): unknown }
  expect(() => loose.subscribe('Post', { where: { author: { is: { email: 'x' } } } })).toThrow(
    refused(/not live/),
  )
  expect(() => loose.subscribe('Post', { where: { tags: { some: {} } } })).toThrow(refused(/join table/))
  expect(() => loose.subscribe('Post', { where: isFree, initial: true, action: 'INSERT' })).toThrow(
    expect.objectContaining({ code: 'FIRST_ROWS_REFUSED' }),
  )
  const far = { posts: { some: { team: { posts: { some: { team: null } } } } } }
  expect(() => loose.subscribe('Team', { where: far })).toThrow(refused(/more than 3/))
  // A table that is gone cannot be read: one typed end.
  await database.query('DROP TABLE "Team" CASCADE')
  await expect(rowcast.subscribe('Post', { where: isFree }).next()).rejects.toMatchObject({
    code: expect.stringMatching(/RESYNC_REQUIRED|SOURCE_|CATALOG_/),
  })
})
