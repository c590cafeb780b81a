/** Relations of many changes at once: few queries, what Prisma's own `include` gives, and no table that holds up another. */
import { PrismaPg } from '@prisma/adapter-pg'
import { describe, expect, it } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { createWsClient } from '../support/ws-client.ts'

type Created = { postChanged: { new: Record<string, unknown> } }

/** The service on a database of authors with posts of their own, and every statement that its client sent. */
async function openBlog() {
  const database = await openDatabase({ migrate: true })
  await database.query(
    `INSERT INTO users (email) SELECT 'author' || n || '@example.com' FROM generate_series(1, 20) n`,
  )
  const authors = await database.query<{ id: string }>('SELECT id FROM users ORDER BY email')
  const ids = authors.map(({ id }) => id)
  const old = `INSERT INTO "Post" ("authorId", title) SELECT a, 'old ' || n FROM unnest($1::uuid[]) a, generate_series(1, 5) n`
  await database.query(old, [ids])
  const statements: string[] = []
  const prisma = new PrismaClient({
    adapter: new PrismaPg({ connectionString: database.url }),
    log: [{ emit: 'event', level: 'query' }],
  })
  prisma.$on('query', ({ query }) => statements.push(query))
  const running = await openService(database, { config: { createPrisma: () => prisma } })
  await running.service.rowcast.ready()
  const client = createWsClient(running.url)
  await client.connected()
  return {
    ...{ database, prisma, ids, statements, client, url: running.url },
    async [Symbol.asyncDispose]() {
      await client.close()
      await running[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

type Blog = Awaited<ReturnType<typeof openBlog>>

/** How a subscription is opened, and what gives its next result. */
const TRANSPORTS = {
  WebSocket: async ({ client }: Blog, query: string) => {
    const changes = client.subscribe<Created>(query)
    // A socket is answered in order: once this is, the subscription is there.
    await client.subscribe('{ changeCursor }').nextData()
    return { next: () => changes.nextData(), leave: () => undefined }
  },
  SSE: async ({ url }: Blog, query: string) => {
    const stream = await subscribeSse(url, query)
    const next = async () => (await stream.next()).data as Created
    return { next, leave: () => stream.unsubscribe() }
  },
} as const

describe('relations of the changes of one transaction', () => {
  it.each(Object.entries(TRANSPORTS))(
    'are what include gives over %s, in a few queries',
    async (_name, open) => {
      await using blog = await openBlog()
      const { database, prisma, ids, statements } = blog
      const selection = `id author { email posts(take: 3) { title } } reviewer { email } comments(take: 2) { body } tags { name }`
      const changes = await open(
        blog,
        `subscription { postChanged(action: INSERT) { new { ${selection} } } }`,
      )
      statements.length = 0
      await database.query(
        `WITH posts AS (
         INSERT INTO "Post" ("authorId", "reviewerId", title)
         SELECT ($1::uuid[])[1 + n % 20], CASE WHEN n % 3 = 0 THEN ($1::uuid[])[1 + n % 7] END, 'new ' || n FROM generate_series(1, 300) n RETURNING id)
       , tag AS (INSERT INTO "Tag" (name) VALUES ('science') RETURNING id)
       , tagged AS (INSERT INTO "_PostToTag" ("A", "B") SELECT posts.id, tag.id FROM posts, tag WHERE posts.id % 5 = 0)
       INSERT INTO "Comment" ("postId", body) SELECT id, 'comment ' || n FROM posts, generate_series(1, 4) n WHERE id % 2 = 0`,
        [ids],
      )
      const seen: Record<string, unknown>[] = []
      while (seen.length < 300) seen.push((await changes.next()).postChanged.new)
      changes.leave()
      const queries = statements.filter((text) => text.startsWith('SELECT')).length
      expect(queries).toBeLessThan(60)
      const byKey = { orderBy: { id: 'asc' } } as const
      const rows = await prisma.post.findMany({
        where: { id: { in: seen.map(({ id }) => Number(id)) } },
        select: {
          ...{ id: true, reviewer: { select: { email: true } } },
          author: { select: { email: true, posts: { ...byKey, take: 3, select: { title: true } } } },
          comments: { ...byKey, take: 2, select: { body: true } },
          tags: { ...byKey, select: { name: true } },
        },
        ...byKey,
      })
      const expected = rows.map((row) => ({ ...row, id: String(row.id) }))
      expect(seen.toSorted((a, b) => Number(a['id']) - Number(b['id']))).toEqual(expected)
    },
  )

  it('hold up nobody else when their table is locked', async () => {
    await using blog = await openBlog()
    const { database, ids, client } = blog
    const stuck = client.subscribe<Created>(
      'subscription { postChanged(action: INSERT) { new { comments { body } } } }',
    )
    const free = client.subscribe<Created>(
      'subscription { postChanged(action: INSERT) { new { author { email } } } }',
    )
    await client.subscribe('{ changeCursor }').nextData()
    await database.query('BEGIN')
    await database.query('LOCK TABLE "Comment" IN ACCESS EXCLUSIVE MODE')
    const other = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) })
    await other.post.createMany({
      data: Array.from({ length: 200 }, (_, n) => ({ authorId: ids[n % 20] ?? '', title: `${n}` })),
    })
    for (let n = 0; n < 200; n += 1)
      expect((await free.nextData()).postChanged.new).toHaveProperty('author.email')
    await database.query('COMMIT')
    for (let n = 0; n < 200; n += 1)
      expect((await stuck.nextData()).postChanged.new).toEqual({ comments: [] })
    await other.$disconnect()
  })
})
