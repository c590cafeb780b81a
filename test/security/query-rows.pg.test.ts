/** What one operation may read: rows, time and connections, the same on every transport, of the service on a real database. */
import { PrismaPg } from '@prisma/adapter-pg'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { openService, type RunningService } from '../support/live-service.ts'
import { STREAM_TRANSPORTS, TRANSPORTS } from './transports.ts'

let database: TestDatabase
let running: RunningService
/** One with a lower bound of cost. */
let costly: RunningService

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  await database.query(`INSERT INTO users (email) VALUES ('ada@example.com')`)
  await database.query(
    `INSERT INTO "Post" ("authorId", title) SELECT id, 'post ' || n FROM users, generate_series(1, 20) n`,
  )
  await database.query(
    `INSERT INTO "Comment" ("postId", body) SELECT id, 'c' FROM "Post", generate_series(1, 3) n`,
  )
  running = await openService(database, {
    limits: { queryRowsMax: 1_000 },
    config: {
      livePage: false,
    },
  })
  costly = await openService(database, {
    limits: { queryCostMax: 500 },
    config: { livePage: false, slot: `${slotOf(database)}_3` },
  })
  await running.service.rowcast.ready()
})

afterAll(async () => {
  await costly[Symbol.asyncDispose]()
  await running[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const OVER = [{ extensions: { code: 'QUERY_OVER_LIMIT', hint: expect.stringContaining('`take`') } }]

describe.each(TRANSPORTS)('over $name', ({ ask }) => {
  test.each([
    [
      'lists in lists',
      '{ posts(take: 10) { comments(take: 99) { id } } }',
      '{ posts(take: 10) { comments(take: 100) { id } } }',
    ],
    ['their defaults', '{ posts(take: 19) { comments { id } } }', '{ posts { comments { id } } }'],
    [
      'aliases',
      '{ posts(take: 10) { a: comments(take: 49) { id } b: comments(take: 49) { id } } }',
      '{ posts(take: 10) { a: comments(take: 50) { id } b: comments(take: 50) { id } } }',
    ],
    [
      'fragments',
      '{ ...F } fragment F on Query { posts(take: 10) { ...G } } fragment G on Post { comments(take: 99) { id } }',
      '{ ...F } fragment F on Query { posts(take: 10) { ...G } } fragment G on Post { comments(take: 100) { id } }',
    ],
    [
      'three levels',
      '{ posts(take: 9) { comments(take: 10) { replies(take: 10) { id } } } }',
      '{ posts(take: 10) { comments(take: 10) { replies(take: 10) { id } } } }',
    ],
    [
      'rows that are pointed at',
      '{ comments(take: 200) { post { author { id } } } }',
      '{ comments(take: 200) { post { author { id } } author { id } parent { post { id } } } }',
    ],
  ])('the bound of rows counts %s', async (_name, within, beyond) => {
    expect((await ask(running.url, within)).errors).toEqual([])
    const { data, errors } = await ask(running.url, beyond)
    expect(data).toBeNull()
    expect(errors).toMatchObject(OVER)
  })

  test('and variables, with their defaults, and nothing that is not included', async () => {
    const query =
      'query ($n: Int = 100, $is: Boolean! = true) { posts(take: 10) { comments(take: $n) @include(if: $is) { id } } }'
    expect((await ask(running.url, query, { variables: { n: 99 } })).errors).toEqual([])
    expect((await ask(running.url, query, { variables: { is: false } })).errors).toEqual([])
    expect((await ask(running.url, query)).errors).toMatchObject(OVER)
    expect((await ask(running.url, query, { variables: { n: 100 } })).errors).toMatchObject(OVER)
    const nothing = await ask(running.url, query, { variables: { n: null } })
    expect(nothing.errors).toEqual([])
  })

  test('the bound of cost counts a field as often as the lists that it is in have it', async () => {
    const query = (take: number) =>
      `query ($n: Int = 9) { posts(take: $n) { comments(take: ${take}) { id body createdAt } } }`
    const within = await ask(costly.url, query(3))
    expect(within.errors).toEqual([])
    for (const [beyond, variables] of [
      [query(9), {}],
      [query(3), { n: 200 }],
    ] as const) {
      const { data, errors } = await ask(costly.url, beyond, { variables })
      expect(data).toBeNull()
      expect(errors).toMatchObject(OVER)
      expect(errors[0]?.message).toContain('cost')
    }
  })

  test.each([-1, 201, 2_147_483_647, -2_147_483_648])('take: %i is refused', async (take) => {
    for (const query of [
      `{ posts(take: ${take}) { id } }`,
      `{ posts(take: 1) { comments(take: ${take}) { id } } }`,
    ]) {
      const { errors } = await ask(running.url, query)
      expect(errors).toMatchObject([{ extensions: { code: 'GRAPHQL_BAD_ARGUMENT' } }])
    }
  })

  test('fields that fragments multiply are not counted one by one', async () => {
    const levels = Array.from(
      { length: 7 },
      (_, n) =>
        `fragment L${n} on Post { a: author { posts(take: 1) { ...L${n + 1} } } b: author { posts(take: 1) { ...L${n + 1} } } }`,
    )
    const query = `{ posts(take: 1) { ...L0 } } ${levels.join(' ')} fragment L7 on Post { id }`
    expect((await ask(running.url, query)).errors).toMatchObject([
      { extensions: { code: 'QUERY_OVER_LIMIT' } },
    ])
  })
})

describe.each(STREAM_TRANSPORTS)('a subscription over $name', ({ ask, open }) => {
  it('has the same bound, for each change', async () => {
    const query =
      'subscription { commentChanged { new { post { comments(take: 200) { replies(take: 5) { id } } } } } }'
    const { data, errors } = await ask(running.url, query)
    expect(data).toBeNull()
    expect(errors).toMatchObject(OVER)
  })

  it('has it for each result: a transaction comes in as many parts as that takes', async () => {
    const query =
      'subscription { changes(of: { comment: {} }) { isLast changes { ... on CommentInserted { new { post { comments(take: 99) { id } } } } } } }'
    const stream = await open(running.url, query)
    const subscribers = () => running.service.rowcast.status().subscriptions.get('Comment') ?? 0
    await expect.poll(subscribers, { timeout: 20_000 }).toBe(1)
    await database.query(
      `INSERT INTO "Comment" ("postId", body) SELECT min("Post".id), 'c' FROM "Post", generate_series(1, 20) n GROUP BY n`,
    )
    // A change asks for its row, the post and 99 comments: nine have room in 1,000 rows.
    for (const [count, isLast] of [
      [9, false],
      [9, false],
      [2, true],
    ] as const)
      expect(await stream.next()).toMatchObject({
        data: { changes: { isLast, changes: { length: count } } },
      })
    await stream.leave()
    await expect.poll(subscribers, { timeout: 20_000 }).toBe(0)
  })
})

describe('a table that is locked', () => {
  let impatient: RunningService
  const addresses: string[] = []

  beforeAll(async () => {
    impatient = await openService(database, {
      limits: { queryTimeoutMs: 1_500 },
      config: {
        ...{ slot: `${slotOf(database)}_2`, livePage: false },
        createPrisma: (connectionString) => {
          addresses.push(connectionString)
          return new PrismaClient({ adapter: new PrismaPg({ connectionString }) })
        },
      },
    })
    await impatient.service.rowcast.ready()
  })

  afterAll(() => impatient[Symbol.asyncDispose]())

  test('ends a query over each transport in time, in PostgreSQL as well, and holds up nothing else', async () => {
    await database.query('BEGIN')
    await database.query('LOCK TABLE "Comment" IN ACCESS EXCLUSIVE MODE')
    const query = '{ comments(take: 1) { id } }'
    const answers = await Promise.all(TRANSPORTS.map(({ ask }) => ask(impatient.url, query)))
    for (const { errors } of answers) {
      expect(errors).toMatchObject([{ extensions: { code: 'QUERY_TOO_SLOW', hint: expect.any(String) } }])
    }
    await expect.poll(waitingForLocks, { timeout: 20_000 }).toBe(0)
    await database.query('COMMIT')
    const again = async () =>
      Promise.all(TRANSPORTS.map(async ({ ask }) => (await ask(impatient.url, query)).errors))
    await expect.poll(again, { timeout: 20_000 }).toEqual(TRANSPORTS.map(() => []))
    expect(new URL(addresses[0] ?? '').searchParams.get('statement_timeout')).toBe('1500')
  })

  test('is an error of the change whose relation it is, over each transport, and subscriptions go on', async () => {
    const query = 'subscription { postChanged(action: UPDATE) { new { title comments(take: 2) { body } } } }'
    const streams = await Promise.all(STREAM_TRANSPORTS.map(({ open }) => open(impatient.url, query)))
    const subscribers = () => impatient.service.rowcast.status().subscriptions.get('Post') ?? 0
    await expect.poll(subscribers, { timeout: 20_000 }).toBe(streams.length)
    await database.query('BEGIN')
    await database.query('LOCK TABLE "Comment" IN ACCESS EXCLUSIVE MODE')
    await retitle('first')
    for (const stream of streams) {
      expect((await stream.next()).errors).toMatchObject([{ extensions: { code: 'RELATION_TOO_SLOW' } }])
    }
    await database.query('COMMIT')
    await retitle('second')
    for (const stream of streams) {
      expect(await stream.next()).toHaveProperty('data.postChanged.new.comments', [
        { body: 'c' },
        { body: 'c' },
      ])
      await stream.leave()
    }
  })
})

async function waitingForLocks(): Promise<number> {
  // The session is in a transaction, which keeps what it has once looked at.
  await database.query('SELECT pg_stat_clear_snapshot()')
  const sql = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
  return (await database.query(sql)).length
}

/** Over another session than the one that locks. */
async function retitle(title: string): Promise<void> {
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) })
  await prisma.$executeRaw`UPDATE "Post" SET title = ${title} WHERE id = 1`
  await prisma.$disconnect()
}
