/** How many bytes of rows one operation may read, and all of them together: known before they are read, on every transport. */
import { PrismaPg } from '@prisma/adapter-pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { countRows } from '../support/count-rows.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService, type RunningService } from '../support/live-service.ts'
import { STREAM_TRANSPORTS, TRANSPORTS } from './transports.ts'

const MIB = 1024 * 1024
/** Of one operation here. */
const BYTES_MAX = MIB

let database: TestDatabase
let running: RunningService
const counted = countRows()

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  await database.query(
    `INSERT INTO users (email, tags) SELECT 'reader' || n || '@example.com', '{}' FROM generate_series(1, 60) n`,
  )
  await database.query(`INSERT INTO users (email) VALUES ('ada@example.com')`)
  await database.query(
    `INSERT INTO "Post" ("authorId", title, body)
     SELECT id, 'post ' || n, repeat('é', 125000) FROM users, generate_series(1, 200) n WHERE email = 'ada@example.com'`,
  )
  // One small comment on each large post; one tag of all; readers for other kinds.
  await database.query(`INSERT INTO "Comment" ("postId", body) SELECT id, 'small' FROM "Post"`)
  await database.query(`INSERT INTO "Tag" (name) VALUES ('all')`)
  await database.query(`INSERT INTO "_PostToTag" ("A", "B") SELECT "Post".id, "Tag".id FROM "Post", "Tag"`)
  running = await openService(database, {
    limits: { queryReadBytesMax: BYTES_MAX, queryTimeoutMs: 60_000 },
    config: {
      livePage: false,
      createPrisma: (connectionString) =>
        new PrismaClient({ adapter: new PrismaPg(counted.poolFor(connectionString)) }),
    },
  })
  await running.service.rowcast.ready()
})

afterAll(async () => {
  await running[Symbol.asyncDispose]()
  await counted.end()
  await database[Symbol.asyncDispose]()
})

beforeEach(() => counted.reset())

describe.each(TRANSPORTS)('over $name', ({ ask }) => {
  test.each([
    ['a list', '{ posts(take: 200) { id } }'],
    ['a list by variables', 'query ($n: Int = 200) { posts(take: $n) { id } }'],
    ['a list in a row', '{ users(take: 200) { posts(take: 200) { id } } }'],
    ['rows that many rows point at', '{ comments(take: 200) { id post { title } } }'],
    [
      'rows of rows that many rows point at',
      '{ comments(take: 200) { post { author { posts(take: 200) { id } } } } }',
    ],
    ['rows of a join table', '{ tags { posts(take: 200) { id } } }'],
    [
      'lists side by side',
      `{ ${Array.from({ length: 15 }, (_, n) => `a${n}: posts(take: 4, skip: ${n * 4}) { id }`).join(' ')} }`,
    ],
  ])('%s of large rows is refused before it is read', async (_name, query) => {
    const { errors } = await ask(running.url, query)
    expect(errors.length).toBeGreaterThan(0)
    for (const { extensions } of errors) {
      expect(extensions).toMatchObject({ code: 'QUERY_OVER_LIMIT', hint: expect.stringContaining('take') })
    }
    // So few rows as four are not weighed first, and four such statements run at a time.
    expect(counted.bytes).toBeLessThan(6 * BYTES_MAX)
  })

  test('so much as may be read is read', async () => {
    const { data, errors } = await ask(running.url, '{ posts(take: 2) { title } users { email } }')
    expect(errors).toEqual([])
    expect(data).toHaveProperty('posts.length', 2)
  })
})

describe('what rows weigh', () => {
  const heavy: readonly (readonly [string, string])[] = [
    ['bytes', `avatar = decode(repeat('00', 20000), 'hex')`],
    ['a list', `tags = array_fill('x'::text, ARRAY[20000])`],
    ['Json', `settings = jsonb_build_object('a', repeat('x', 40000))`],
    [
      'Json that is short until it is written out',
      `settings = (SELECT jsonb_agg('1e131000'::jsonb) FROM generate_series(1, 2))`,
    ],
  ]
  test.each(heavy)('counts %s', async (_name, column) => {
    await database.query(`UPDATE users SET ${column} WHERE email LIKE 'reader%'`)
    const [{ ask }] = TRANSPORTS as [(typeof TRANSPORTS)[number]]
    const { errors } = await ask(running.url, '{ users { id } }')
    expect(errors).toMatchObject([{ extensions: { code: 'QUERY_OVER_LIMIT' } }])
    expect(counted.bytes).toBeLessThan(BYTES_MAX)
    await database.query(
      `UPDATE users SET avatar = NULL, tags = '{}', settings = '{}' WHERE email LIKE 'reader%'`,
    )
    expect((await ask(running.url, '{ users { id } }')).errors).toEqual([])
  })
})

describe.each(STREAM_TRANSPORTS)('a subscription over $name', ({ open }) => {
  test('has the same bound for the relations of a change, and goes on', async () => {
    const query =
      'subscription { commentChanged(action: INSERT) { new { body post { title author { email posts(take: 200) { id } } } } } }'
    const small = 'subscription { commentChanged(action: INSERT) { new { body post { title } } } }'
    const [greedy, honest] = [await open(running.url, query), await open(running.url, small)]
    const subscribers = () => running.service.rowcast.status().subscriptions.get('Comment') ?? 0
    await expect.poll(subscribers, { timeout: 20_000 }).toBe(2)
    for (const body of ['first', 'second']) {
      await database.query(
        `INSERT INTO "Comment" ("postId", body) SELECT id, '${body}' FROM "Post" ORDER BY id LIMIT 1`,
      )
      expect(await honest.next()).toMatchObject({
        data: { commentChanged: { new: { body, post: { title: 'post 1' } } } },
      })
      expect((await greedy.next()).errors).toMatchObject([{ extensions: { code: 'QUERY_OVER_LIMIT' } }])
    }
    expect(counted.bytes).toBeLessThan(4 * BYTES_MAX)
    await Promise.all([greedy.leave(), honest.leave()])
    await expect.poll(subscribers, { timeout: 20_000 }).toBe(0)
  })

  test.each([
    [
      'a transaction',
      'changes(of: { comment: {} }) { changes { ... on CommentInserted { new { post { title } } } } }',
    ],
    ['a live list', 'commentList(take: 20) { ... on CommentListSnapshot { rows { id post { title } } } }'],
  ])('has one bound for all rows of a result: of %s', async (_name, field) => {
    const stream = await open(running.url, `subscription { ${field} }`)
    const subscribers = () => running.service.rowcast.status().subscriptions.get('Comment') ?? 0
    await expect.poll(subscribers, { timeout: 20_000 }).toBeGreaterThan(0)
    // Each on a large post, of which four have room.
    await database.query(
      `INSERT INTO "Comment" ("postId", body) SELECT id, 'together' FROM "Post" ORDER BY id LIMIT 20`,
    )
    const { errors } = await stream.next()
    expect(errors.length).toBeGreaterThan(0)
    for (const { extensions } of errors) expect(extensions).toMatchObject({ code: 'QUERY_OVER_LIMIT' })
    await stream.leave()
  })
})
