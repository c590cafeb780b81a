/** Transactions that come one behind the other, each of them larger than what is kept of the log: who asks about related rows reads them too. */
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { openLiveRowcast } from '../support/live-rowcast.ts'

const ROWS = 15_000
const TRANSACTIONS = 3
/** A transaction takes about a third of it. */
const RETAINED_BYTES = 6 * 1024 * 1024

it('each reaches whoever reads as fast as it can: by related rows, whole, and a list of related rows', {
  timeout: 120_000,
}, async () => {
  await using database = await openDatabase({ migrate: true })
  await database.query(`INSERT INTO users (email) VALUES ('ada@example.com')`)
  await database.query(`INSERT INTO "Post" ("authorId", title) SELECT id, 'a post' FROM users`)
  await using live = await openLiveRowcast(database, {
    models: ['User', 'Post', 'Comment'],
    retain: { bytes: RETAINED_BYTES },
  })
  const { rowcast, prisma } = live
  const where = { post: { is: { title: { equals: 'a post' } } } } as never
  const related = rowcast.subscribe('Comment', { where, after: await rowcast.changeCursor() })
  const list = rowcast.list('Comment', {
    where,
    orderBy: [{ id: 'desc' }] as never,
    take: 5,
    totalCount: true,
  } as never)
  const all = TRANSACTIONS * ROWS
  const changes = (async () => {
    let count = 0
    for await (const _ of related) {
      count += 1
      if (count === all) return count
    }
    return count
  })()
  const listed = (async () => {
    for await (const event of list as AsyncIterable<{ totalCount: number | null }>)
      if (event.totalCount === all) return all
    return 0
  })()
  for (let n = 0; n < TRANSACTIONS; n += 1) {
    await database.query(
      `INSERT INTO "Comment" ("postId", body) SELECT p.id, 'a comment with the number ' || n FROM "Post" p, generate_series(1, $1::int) AS n`,
      [ROWS],
    )
  }
  const got = await Promise.allSettled([changes, listed])
  expect(await prisma.comment.count()).toBe(all)
  expect(got).toEqual([all, all].map((value) => ({ status: 'fulfilled', value })))
})
