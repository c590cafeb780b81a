import { type ExecutionResult, execute, parse, validate } from 'graphql'
import { describe, expect, it, vi } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import type { ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { printServiceSchema } from '../../src/graphql/print-schema.ts'
import { listTurns } from '../../src/graphql/reading/asking-turns.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { blogCatalog, blogModel } from './blog-catalog.ts'
import { createFakeFeed } from './fake-feed.ts'
import { createRecordingPrisma, type RecordingPrisma } from './recording-prisma.ts'

const ADA = '6a0e3a3c-0000-4000-8000-000000000001'

async function query(prisma: RecordingPrisma, source: string): Promise<ExecutionResult> {
  const schema = buildServiceSchema({
    catalog: blogCatalog,
    prisma,
    feed: createFakeFeed(blogCatalog, []),
    models: {},
  })
  const document = parse(source)
  expect(validate(schema, document)).toEqual([])
  const result = await execute({ schema, document, contextValue: {} })
  return JSON.parse(JSON.stringify(result))
}

describe('the service’s schema', () => {
  it('of the blog', async () => {
    const printed = printServiceSchema({ catalog: blogCatalog, models: { User: {}, Membership: {} } })
    await expect(printed).toMatchFileSnapshot('blog-schema.snap')
  })

  it('of the sample is schema.graphql', async () => {
    await expect(printServiceSchema({ catalog })).toMatchFileSnapshot('../../schema.graphql')
  })

  it('says nothing of what is omitted, by mark or by option', () => {
    const printed = printServiceSchema({
      catalog: blogCatalog,
      models: { User: { omit: ['bio', 'memberships'] } },
    })
    expect(printed).not.toMatch(/secret|passwordHash|bio|SecretKind/i)
    expect(printed.match(/type User \{[^}]*\}/)?.[0]).not.toContain('memberships')
    expect(printed).toContain('type Membership {')
  })

  it('gives way to GraphQL’s own names', () => {
    const models = { Subscription: { ...blogModel('Tag'), name: 'Subscription', relations: [] } }
    const odd: ModelCatalog = { ...blogCatalog, models }
    const printed = printServiceSchema({ catalog: odd })
    expect(printed).toContain('type SubscriptionModel {')
    expect(printed).toMatch(/subscriptionChanged\([^)]*\): SubscriptionChange!/)
    expect(printed).toContain('subscriptions(')
  })

  it('refuses to make unknown or omitted models live', () => {
    expect(() => printServiceSchema({ catalog: blogCatalog, models: { Usr: {} } })).toThrow(
      '[CATALOG_UNKNOWN_MODEL] There is no model "Usr".',
    )
    expect(() => printServiceSchema({ catalog: blogCatalog, models: { Secret: {} } })).toThrow(
      '[GRAPHQL_BAD_SCHEMA] Model Secret is to be live, but is marked @rowcast.omit.',
    )
  })
})

describe('queries', () => {
  it('find one row by id, of whatever type the id is', async () => {
    const prisma = createRecordingPrisma({
      'user.findUnique': () => ({ id: ADA, email: 'ada@example.com' }),
      'tag.findUnique': () => ({ id: 9007199254740993n }),
      'post.findUnique': () => null,
    })
    const source = `{ user(id: "${ADA}") { id email } tag(id: "9007199254740993") { id } post(id: 7) { id } }`
    expect(await query(prisma, source)).toEqual({
      data: { user: { id: ADA, email: 'ada@example.com' }, tag: { id: '9007199254740993' }, post: null },
    })
    expect(prisma.calls.map(({ query }) => query['where'])).toEqual([
      { id: ADA },
      { id: 9007199254740993n },
      { id: 7 },
    ])
  })

  it('find one row by all fields of a composite key', async () => {
    const prisma = createRecordingPrisma({ 'membership.findFirst': () => ({ userId: ADA, team: 'core' }) })
    const result = await query(prisma, `{ membership(userId: "${ADA}", team: "core") { userId team } }`)
    expect(result.data).toEqual({ membership: { userId: ADA, team: 'core' } })
    expect(prisma.calls[0]?.query).toEqual({ where: { userId: ADA, team: 'core' } })
  })

  it('load rows by the page, in the order of the key, and their lists by pages of their own', async () => {
    const prisma = createRecordingPrisma({
      'user.findMany': () => [{ id: ADA, balance: 0 }],
      'post.findMany': () => [{ id: 1, views: 5n }],
    })
    const source = '{ users(take: 2, skip: 4) { id posts(take: 1) { id views } } }'
    expect((await query(prisma, source)).data).toEqual({
      users: [{ id: ADA, posts: [{ id: '1', views: '5' }] }],
    })
    expect(prisma.calls).toEqual([
      {
        call: 'user.findMany',
        query: {
          take: 2,
          skip: 4,
          orderBy: [{ id: 'asc' }],
          omit: { id: false },
        },
      },
      {
        call: 'post.findMany',
        query: { where: { authorId: ADA }, take: 1, skip: 0, orderBy: [{ id: 'asc' }] },
      },
    ])
  })

  it('ask for the lists of an operation in turns, however many aliases it has', async () => {
    const gates: (() => void)[] = []
    const wait = vi.spyOn(listTurns, 'wait').mockImplementation(() => {
      return new Promise((resolve) => gates.push(resolve))
    })
    const prisma = createRecordingPrisma({ 'user.findMany': () => [] })
    const answered = query(prisma, '{ a: users { id } b: users(take: 1) { id } c: users(take: 2) { id } }')
    // The rows of each wait once more, before the answer has what it shows of them.
    for (const asked of [0, 1, 2, 3, 3, 3, 3]) {
      await new Promise((resolve) => setImmediate(resolve))
      expect(prisma.calls).toHaveLength(asked)
      gates.shift()?.()
    }
    expect((await answered).data).toEqual({ a: [], b: [], c: [] })
    wait.mockRestore()
  })

  it.each([
    ['{ users(take: 201) { id } }', 'take is not between 0 and 200.'],
    ['{ users(take: -1) { id } }', 'take is not between 0 and 200.'],
    ['{ users(skip: -1) { id } }', 'skip is negative.'],
    ['{ users { posts(take: 500) { id } } }', 'take is not between 0 and 200.'],
    ['{ user(id: "ada") { id } }', 'id is not a UUID.'],
    ['{ post(id: "2147483648") { id } }', 'id is not a whole number of 32 bits.'],
    ['{ tag(id: "9223372036854775808") { id } }', 'id is not a whole number of 64 bits.'],
  ])('refuse %s', async (source, text) => {
    const prisma = createRecordingPrisma({ 'user.findMany': () => [{ id: ADA }] })
    const result = await query(prisma, source)
    expect(result.errors?.[0]?.message).toBe(text)
    expect(result.errors?.[0]?.extensions?.['code']).toBe('GRAPHQL_BAD_ARGUMENT')
  })
})
