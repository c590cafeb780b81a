/**
 * Related rows that are marked as deleted count as gone: what comes is what Prisma Client finds where the filter says so at each relation. For whoever
 * takes each change, and for one that takes nothing until the end and is conflated for.
 */
import { PrismaPg } from '@prisma/adapter-pg'
import { expect, it } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { canonicalText } from '../../src/catalog/values/canonical-text.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { openDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'

const [ADA, BOB, TEAM] = ['a', 'b', 'c'].map((digit) => `00000000-0000-4000-8000-00000000000${digit}`)
const THERE = { deletedAt: null }

interface Asked {
  readonly model: 'Comment' | 'Post' | 'Team'
  readonly where: object
  /** The same with what a soft delete adds to every query. */
  readonly found: object
}

const ASKED: readonly Asked[] = [
  {
    model: 'Comment',
    where: { post: { is: { status: 'PUBLISHED' } } },
    found: { post: { is: { status: 'PUBLISHED', ...THERE } } },
  },
  {
    model: 'Comment',
    where: { post: { isNot: { status: 'PUBLISHED' } } },
    found: { post: { isNot: { status: 'PUBLISHED', ...THERE } } },
  },
  {
    model: 'Comment',
    where: { post: { author: { email: 'ada@x' } } },
    found: { post: { ...THERE, author: { ...THERE, email: 'ada@x' } } },
  },
  {
    model: 'Team',
    where: { posts: { some: { author: { email: 'bob@x' } } } },
    found: { posts: { some: { ...THERE, author: { ...THERE, email: 'bob@x' } } } },
  },
  {
    model: 'Team',
    where: { posts: { every: { status: 'PUBLISHED' } } },
    found: { posts: { every: { OR: [{ status: 'PUBLISHED' }, { NOT: THERE }] } } },
  },
  {
    model: 'Team',
    where: { posts: { none: { status: 'PUBLISHED' } } },
    found: { posts: { none: { status: 'PUBLISHED', ...THERE } } },
  },
  {
    model: 'Post',
    where: { comments: { some: { body: 'hi' } }, reviewer: { is: { email: 'bob@x' } } },
    found: { ...THERE, comments: { some: { body: 'hi' } }, reviewer: { is: { ...THERE, email: 'bob@x' } } },
  },
]

const STEPS = [
  `UPDATE "Post" SET "deletedAt" = now() WHERE id = 1`,
  `UPDATE "Post" SET status = 'draft' WHERE id = 1`,
  `UPDATE users SET deleted_at = now() WHERE id = '${BOB}'`,
  `UPDATE "Post" SET "deletedAt" = NULL WHERE id = 1`,
  `BEGIN; UPDATE "Post" SET status = 'published'; UPDATE users SET deleted_at = NULL; UPDATE "Comment" SET body = 'hi'; COMMIT`,
  `INSERT INTO "Post" (id, "authorId", title, "teamId", "deletedAt") VALUES (3, '${BOB}', 'three', '${TEAM}', now())`,
  `UPDATE "Post" SET id = 4 WHERE id = 3`,
  `UPDATE "Post" SET "deletedAt" = NULL, id = 5 WHERE id = 4`,
  `DELETE FROM "Comment" WHERE id = 11; UPDATE "Post" SET "deletedAt" = now() WHERE id = 2`,
  `DELETE FROM "Post" WHERE id = 2`,
  `UPDATE users SET deleted_at = now() WHERE id = '${ADA}'`,
]

interface Row {
  readonly id: number | string
}

interface Event {
  readonly action: string
  readonly transition: string | null
  readonly cursor: string
  readonly key: Row
  readonly oldKey?: Row | null
  readonly new: Row | null
}

function fold(rows: Map<unknown, Row>, event: Event): void {
  if (event.action === 'READY') return
  if (event.oldKey != null) rows.delete(event.oldKey.id)
  rows.delete(event.key.id)
  if (event.new != null && event.transition !== 'LEFT') rows.set(event.new.id, event.new)
}

const textOf = (rows: readonly Row[]) => rows.map((row) => canonicalText(row)).join()
const isSame = (a: readonly Row[], b: readonly Row[]) => textOf(a) === textOf(b)

it('are none, and come back with their mark', { timeout: 60_000 }, async () => {
  await using database = await openDatabase({ migrate: true })
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) })
  const rowcast = createRowcast({ prisma, catalog, slot: slotOf(database) })
  for (const model of ['Post', 'User'] as const) rowcast.register(model, { softDelete: 'deletedAt' })
  for (const model of ['Comment', 'Team', 'Membership'] as const) rowcast.register(model)
  let conflatedEvents = 0
  rowcast.observe({
    onDropped: (_model, count, why) => {
      if (why === 'conflated') conflatedEvents += count
    },
  })
  await rowcast.enable()
  rowcast.start()
  await rowcast.ready()
  await database.query(
    `INSERT INTO users (id, email) VALUES ('${ADA}', 'ada@x'), ('${BOB}', 'bob@x');
     INSERT INTO "Team" (id, name, slug) VALUES ('${TEAM}', 'team', 'team');
     INSERT INTO "Post" (id, "authorId", title, "teamId", "reviewerId", status) VALUES
       (1, '${BOB}', 'one', '${TEAM}', NULL, 'published'), (2, '${ADA}', 'two', NULL, '${BOB}', 'draft');
     INSERT INTO "Comment" (id, "postId", "authorId", body) VALUES (10, 1, '${BOB}', 'hi'), (11, 2, '${ADA}', 'ho')`,
  )
  const loose = rowcast as unknown as {
    subscribe(model: string, options: object): AsyncIterableIterator<Event>
  }
  const find = ({ model, found }: Asked) => {
    const delegates = { Comment: prisma.comment, Post: prisma.post, Team: prisma.team } as unknown as Record<
      string,
      { findMany(query: object): Promise<Row[]> }
    >
    return (delegates[model] as (typeof delegates)[string]).findMany({ where: found, orderBy: { id: 'asc' } })
  }
  const sorted = (rows: Map<unknown, Row>) =>
    [...rows.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  try {
    const after = await rowcast.changeCursor()
    const followers = []
    for (const asked of ASKED) {
      const { model, where } = asked
      const has = new Map((await find(asked)).map((row) => [row.id as unknown, row]))
      const events = loose.subscribe(model, { where, initial: true })
      const conflated = loose.subscribe(model, { where, after, overflow: 'conflate' })
      followers.push({ asked, events, rows: new Map<unknown, Row>(), conflated, has, taken: 0 })
    }
    let moved = 0
    for (const step of ['SELECT 1', ...STEPS]) {
      await database.query(step)
      for (const { asked, events, rows } of followers) {
        const found = await find(asked)
        for (; !isSame(found, sorted(rows)); moved += 1) {
          const { value } = await events.next()
          if (value === undefined) throw new Error('It has ended.')
          fold(rows, value)
        }
      }
    }
    expect(moved).toBeGreaterThan(STEPS.length)
    for (const follower of followers) {
      const { asked, conflated, has } = follower
      const found = await find(asked)
      for (; !isSame(found, sorted(has)); follower.taken += 1) {
        const { value } = await conflated.next()
        if (value === undefined) throw new Error('It has ended.')
        fold(has, value)
      }
      // Of each row the latest, and what took it from its key.
      expect(follower.taken).toBeLessThanOrEqual(4)
      await conflated.return?.()
      await follower.events.return?.()
    }
    expect(conflatedEvents).toBeGreaterThan(0)
  } finally {
    await rowcast.stop()
    await prisma.$disconnect()
  }
})
