/**
 * Lists in lists: what Prisma's `include` gives, however they are asked for, and no more rows from PostgreSQL than that takes.
 * The oracle is Prisma Client itself; the rows are counted where they enter the process.
 */
import { PrismaPg } from '@prisma/adapter-pg'
import { execute, parse } from 'graphql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PrismaClient } from '../../../prisma/generated/client/client.ts'
import { catalog } from '../../../prisma/generated/rowcast.ts'
import { estimateRows } from '../../../src/graphql/reading/estimate-rows.ts'
import { linkOf, relationOf } from '../../../src/graphql/reading/relation-link.ts'
import { buildServiceSchema } from '../../../src/graphql/service-schema.ts'
import { countRows, type RowCount } from '../../support/count-rows.ts'
import { openDatabase, type TestDatabase } from '../../support/database.ts'
import { createFakeFeed } from '../fake-feed.ts'
import { nextResult, subscribeTo } from '../subscribe-to.ts'

const LARGE = 20_000
let database: TestDatabase
let prisma: PrismaClient
let counted: RowCount

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  await database.query(
    `INSERT INTO users (email) SELECT 'a' || n || '@example.com' FROM generate_series(1, 30) n`,
  )
  await database.query(
    `INSERT INTO "Post" ("authorId", title) SELECT id, 'post ' || n FROM users, generate_series(1, 3) n ORDER BY n, id`,
  )
  // Every tenth post has no comment, one has very many, the others a few.
  await database.query(
    `INSERT INTO "Comment" ("postId", body) SELECT id, 'c' || n FROM "Post", generate_series(1, 6) n WHERE id % 10 > 0 AND n <= id % 7`,
  )
  await database.query(
    `INSERT INTO "Comment" ("postId", body) SELECT 7, 'large ' || n FROM generate_series(1, ${LARGE}) n`,
  )
  await database.query(
    `INSERT INTO "Comment" ("postId", "parentId", body) SELECT 1, id, 'reply' FROM "Comment" WHERE id % 3 = 0 AND id < 200`,
  )
  await database.query(`INSERT INTO "Tag" (name) SELECT 'tag' || n FROM generate_series(1, 8) n`)
  await database.query(
    `INSERT INTO "_PostToTag" ("A", "B") SELECT p.id, t.id FROM "Post" p, "Tag" t WHERE t.id = 1 OR (p.id + t.id) % 4 = 0`,
  )
  await database.query('ANALYZE')
  counted = countRows()
  prisma = new PrismaClient({ adapter: new PrismaPg(counted.poolFor(database.url)) })
})

afterAll(async () => {
  await prisma.$disconnect()
  await counted.end()
  await database[Symbol.asyncDispose]()
})

const byKey = { orderBy: { id: 'asc' } } as const

function service(models = {}) {
  const feed = createFakeFeed(catalog, ['Post', 'User', 'Tag'])
  const live = { Post: {}, User: {}, Tag: {}, Comment: { live: false }, ...models }
  return { feed, schema: buildServiceSchema({ catalog, prisma, feed, models: live }) }
}

/** The data of a query, and how many rows came from PostgreSQL for it. */
async function ask(query: string, { variables = {}, models = {} } = {}) {
  const { schema } = service(models)
  counted.reset()
  const args = { schema, document: parse(query), contextValue: {}, variableValues: variables }
  const { data, errors } = await execute(args)
  expect(errors).toBeUndefined()
  return { data: JSON.parse(JSON.stringify(data)) as Record<string, unknown>, rows: counted.rows }
}

const plain = (value: unknown) => JSON.parse(JSON.stringify(value)) as unknown

describe('a list in a row', () => {
  it.each([1, 3, 50])('of %i reads as many rows, whatever the table has', async (take) => {
    const { data, rows } = await ask(`{ post(id: 7) { comments(take: ${take}, skip: 2) { body } } }`)
    const args = { ...byKey, take, skip: 2, select: { body: true } }
    const expected = await prisma.post.findUnique({ where: { id: 7 }, select: { comments: args } })
    expect(data).toEqual({ post: plain(expected) })
    // One row says what the others weigh.
    expect(rows).toBeLessThanOrEqual(take + 2)
  })

  it('reads nothing of what it skips, in one row or in many', async () => {
    const { data, rows } = await ask(
      '{ posts(take: 30) { comments(take: 1, skip: 15000) { body } tags(take: 1, skip: 100) { name } } }',
    )
    const select = {
      comments: { ...byKey, take: 1, skip: 15_000, select: { body: true } },
      tags: { where: { id: -1 } },
    }
    expect(data).toEqual({ posts: plain(await prisma.post.findMany({ ...byKey, take: 30, select })) })
    expect(rows).toBeLessThan(500)
    expect(
      (await ask('{ posts(take: 30) { comments(take: 20, skip: 2147483647) { id } } }')).rows,
    ).toBeLessThan(500)
  })

  it('of none reads none', async () => {
    const { data, rows } = await ask('{ post(id: 7) { comments(take: 0) { body } } }')
    expect(data).toEqual({ post: { comments: [] } })
    expect(rows).toBeLessThanOrEqual(1)
  })
})

describe('lists in lists', () => {
  it.each([1, 2, 5])('of %i are what include gives, at every depth, and read few more rows', async (take) => {
    const { data, rows } = await ask(`{
      users(take: 30) { email posts(take: ${take}) {
        title
        author { email }
        tags(take: ${take}) { name }
        comments(take: ${take}) { body replies(take: ${take}, skip: 1) { body parent { body } } }
      } }
    }`)
    const page = { ...byKey, take }
    const expected = await prisma.user.findMany({
      ...byKey,
      take: 30,
      select: {
        email: true,
        posts: {
          ...page,
          select: {
            ...{ title: true, author: { select: { email: true } } },
            tags: { ...page, select: { name: true } },
            comments: {
              ...page,
              select: {
                body: true,
                replies: { ...page, skip: 1, select: { body: true, parent: { select: { body: true } } } },
              },
            },
          },
        },
      },
    })
    expect(data).toEqual({ users: plain(expected) })
    const shown = countObjects(expected)
    expect(rows).toBeLessThan(shown * 6 + 1_000)
    expect(rows).toBeLessThan(LARGE / 2)
  })

  it('below a row that another points at', async () => {
    const { data, rows } = await ask(
      '{ comments(take: 40, skip: 60) { post { title comments(take: 2) { body } } } }',
    )
    const comments = { ...byKey, take: 2, select: { body: true } }
    const expected = await prisma.comment.findMany({
      ...{ ...byKey, take: 40, skip: 60 },
      select: { post: { select: { title: true, comments } } },
    })
    expect(data).toEqual({ comments: plain(expected) })
    expect(rows).toBeLessThan(1_000)
  })

  it('under aliases, through fragments and with variables', async () => {
    const { data, rows } = await ask(
      `query ($n: Int!, $m: Int) { posts(take: 12) { ...two more: comments(take: $m) { id } } }
       fragment two on Post { a: comments(take: $n) { body } b: comments(take: 2, skip: $n) { body } }`,
      { variables: { n: 1, m: 4 } },
    )
    const posts = await prisma.post.findMany({ ...byKey, take: 12 })
    const page = (postId: number, take: number, skip = 0) =>
      prisma.comment.findMany({ where: { postId }, ...byKey, take, skip })
    const expected = await Promise.all(
      posts.map(async ({ id }) => ({
        a: (await page(id, 1)).map(({ body }) => ({ body })),
        b: (await page(id, 2, 1)).map(({ body }) => ({ body })),
        more: (await page(id, 4)).map((row) => ({ id: String(row.id) })),
      })),
    )
    expect(data).toEqual({ posts: expected })
    expect(rows).toBeLessThan(1_000)
  })

  it('with the rows and fields of a viewer', async () => {
    const where = { body: { endsWith: '3' } }
    const models = { Comment: { live: false, rows: () => where, fields: () => ['id', 'postId', 'body'] } }
    const { data } = await ask('{ posts(take: 20) { comments(take: 2) { body } } }', { models })
    const select = { comments: { where, ...byKey, take: 2, select: { body: true } } }
    expect(data).toEqual({ posts: plain(await prisma.post.findMany({ ...byKey, take: 20, select })) })
  })
})

describe('keys', () => {
  const count = async (model: string, name: string, keys: readonly object[], max: number) => {
    const spec = catalog.models[model as 'Post']
    const link = linkOf(catalog, spec, relationOf(spec, name))
    return (await estimateRows(prisma, catalog, { link, keys: keys as never, max }, []))?.rows
  }

  it('are counted in the schema that Prisma Client reads, wherever the search_path leads', async () => {
    await database.query('CREATE SCHEMA tenant; CREATE TABLE tenant."Comment" AS TABLE "Comment" LIMIT 0')
    await database.query('INSERT INTO tenant."Comment" SELECT * FROM "Comment" WHERE "postId" = 9')
    const pool = counted.poolFor(database.url)
    const client = new PrismaClient({ adapter: new PrismaPg(pool, { schema: 'tenant' }) })
    const models = { ...catalog.models, Comment: { ...catalog.models.Comment, schema: null } }
    const link = linkOf(catalog, catalog.models.Post, relationOf(catalog.models.Post, 'comments'))
    const asked = { link, keys: [{ postId: 8 }, { postId: 9 }], max: 100 }
    expect((await estimateRows(client, { ...catalog, models }, asked, []))?.rows).toBe(2)
    expect((await estimateRows(prisma, catalog, asked, []))?.rows).toBe(3)
  })

  it('are counted up to a bound: by a foreign key, through a join table, by text', async () => {
    expect(await count('Post', 'comments', [{ postId: 8 }, { postId: 9 }], 100)).toBe(1 + 2)
    expect(await count('Post', 'comments', [{ postId: 7 }, { postId: 8 }], 100)).toBe(101)
    const tagged = await prisma.tag.findUniqueOrThrow({ where: { id: 1 }, include: { posts: true } })
    expect(await count('Tag', 'posts', [{ id: 1 }], 1_000)).toBe(tagged.posts.length)
    const post = await prisma.post.findUniqueOrThrow({ where: { id: 3 }, include: { tags: true } })
    expect(await count('Post', 'tags', [{ id: 3 }], 1_000)).toBe(post.tags.length)
    const { authorId } = post
    expect(await count('User', 'posts', [{ authorId }], 1_000)).toBe(3)
  })

  it('are read together but for those that have very many rows', async () => {
    await ask('{ posts(take: 1) { id } }')
    const before = counted.statements
    const { data, rows } = await ask('{ posts(take: 60) { comments(take: 2) { body } } }')
    const select = { comments: { ...byKey, take: 2, select: { body: true } } }
    expect(counted.statements - before).toBeLessThan(40)
    expect(rows).toBeLessThan(800)
    expect(data).toEqual({ posts: plain(await prisma.post.findMany({ ...byKey, take: 60, select })) })
  })
})

describe('a table that is locked', () => {
  it('fails what waits for it at once, and is counted again once it is free', async () => {
    const pool = counted.poolFor(
      `${database.url}${database.url.includes('?') ? '&' : '?'}statement_timeout=300`,
    )
    const client = new PrismaClient({ adapter: new PrismaPg(pool) })
    const feed = createFakeFeed(catalog, ['Post'])
    const schema = buildServiceSchema({ catalog, prisma: client, feed, models: { Post: {} } })
    const read = async () => {
      const document = parse('{ posts(take: 40) { tags(take: 2) { name } } }')
      const before = counted.statements
      const { errors } = await execute({ schema, document, contextValue: {} })
      expect(counted.statements - before).toBeLessThan(10)
      return errors?.[0]?.extensions['code']
    }
    const lock = await pool.connect()
    await lock.query('BEGIN; LOCK TABLE "_PostToTag"')
    expect(await read()).toBe('QUERY_TOO_SLOW')
    await lock.query('ROLLBACK')
    lock.release()
    expect(await read()).toBeUndefined()
  })
})

describe('lists under a change', () => {
  it('are pages as well, and lists in them', async () => {
    const { feed, schema } = service()
    const rows = await prisma.post.findMany({ where: { id: { in: [5, 6, 7, 8, 9] } }, ...byKey })
    const results = await subscribeTo(
      schema,
      'subscription { postChanged { new { id comments(take: 2) { body post { comments(take: 1) { body } } } tags(take: 1) { posts(take: 2) { title } } } } }',
    )
    counted.reset()
    const page = { ...byKey, take: 2 }
    for (const row of rows) {
      feed.commit({ model: 'Post', action: 'INSERT', new: row })
      const data = (await nextResult(results))?.data
      const expected = await prisma.post.findUnique({
        where: { id: row.id },
        select: {
          id: true,
          comments: {
            ...page,
            select: {
              body: true,
              post: { select: { comments: { ...byKey, take: 1, select: { body: true } } } },
            },
          },
          tags: { ...page, take: 1, select: { posts: { ...page, select: { title: true } } } },
        },
      })
      expect(plain(data)).toEqual({
        postChanged: { new: { ...(plain(expected) as object), id: String(row.id) } },
      })
    }
  })
})

function countObjects(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + countObjects(each), 0)
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Object.values(value).reduce((sum: number, each) => sum + countObjects(each), 0)
}
