/**
 * Random policies, those that follow relations and those that hide keys among them, on a real PostgreSQL: a count is the length of the
 * list that the same viewer gets, and where he gets none he gets no count.
 */
import SchemaBuilder from '@pothos/core'
import PrismaPlugin from '@pothos/plugin-prisma'
import { PrismaPg } from '@prisma/adapter-pg'
import fc from 'fast-check'
import { execute, type GraphQLSchema, parse } from 'graphql'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { PrismaClient } from '../../../prisma/generated/client/client.ts'
import type PrismaTypes from '../../../prisma/generated/pothos.ts'
import { getDatamodel } from '../../../prisma/generated/pothos.ts'
import { catalog } from '../../../prisma/generated/rowcast.ts'
import { RowcastPlugin } from '../../../src/graphql/plugin/rowcast-plugin.ts'
import { openDatabase, type TestDatabase } from '../../support/database.ts'
import { createFakeFeed } from '../fake-feed.ts'

const RUNS = process.env['ROWCAST_LONG'] === '1' ? 1_000 : 40
const idOf = (digit: number) => `00000000-0000-4000-8000-00000000000${digit}`
const [ADA, BOB] = [idOf(1), idOf(2)] as const

/** What a viewer has of each model: the answers of its policy. */
interface Viewer {
  readonly [model: string]: { readonly rows: unknown; readonly fields: unknown }
}

/** Model, a field that counts, and the one that lists the same rows. */
const PAIRS = [
  ['users', 'postCount', 'posts'],
  ['users', 'draftCount', 'drafts'],
  ['users', 'noCount', 'none'],
  ['users', 'commentCount', 'comments'],
  ['teams', 'postCount', 'posts'],
  ['teams', 'memberCount', 'memberships'],
  ['posts', 'commentCount', 'comments'],
  ['posts', 'tagCount', 'tags'],
  ['comments', 'replyCount', 'replies'],
] as const

const member = (userId: string) => ({ memberships: { some: { userId } } })
const RULES: Readonly<Record<string, readonly object[]>> = {
  User: [{ email: 'ada@x' }, { NOT: { id: BOB } }, { posts: { some: { status: 'DRAFT' } } }, member(ADA)],
  Team: [{ slug: 'red' }, member(ADA), { posts: { none: { authorId: BOB } } }],
  Membership: [{ userId: ADA }, { team: { slug: 'blue' } }, { user: { comments: { some: { postId: 1 } } } }],
  Post: [
    ...[
      { status: 'DRAFT' },
      { authorId: ADA },
      { teamId: null },
      { team: member(BOB) },
      { team: { is: null } },
    ],
    ...[{ author: { is: { email: 'ada@x' } } }, { comments: { every: { authorId: ADA } } }],
  ],
  Comment: [
    ...[{ authorId: BOB }, { NOT: { authorId: BOB } }, { post: { status: 'PUBLISHED' } }],
    ...[{ parent: { is: null } }, { post: { team: member(ADA) } }, { replies: { some: { authorId: ADA } } }],
  ],
  Tag: [{ name: 'a' }, { posts: { some: { authorId: ADA } } }],
}
/** Keys without which nobody knows who belongs to whom. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  ...{ User: [], Team: [], Tag: [], Membership: ['userId', 'teamId'] },
  ...{ Post: ['authorId', 'teamId'], Comment: ['postId', 'authorId', 'parentId'] },
}

const fieldsOf = (model: string) => catalog.models[model as 'User'].fields.map(({ name }) => name as string)
function policyOf(model: string) {
  const one = fc.constantFrom(...(RULES[model] ?? []))
  const rows = fc.oneof(
    { arbitrary: fc.constantFrom('all', 'none'), weight: 2 },
    { arbitrary: one, weight: 4 },
    fc.tuple(one, one).map((both) => ({ AND: both })),
    fc.tuple(one, one).map((either) => ({ OR: either })),
    one.map((rule) => ({ NOT: rule })),
  )
  const hidden = fc.oneof(
    { arbitrary: fc.constant<string[]>([]), weight: 5 },
    fc.subarray([...(KEYS[model] ?? [])]),
  )
  const fields = hidden.map((names) =>
    names.length === 0 ? 'all' : fieldsOf(model).filter((name) => !names.includes(name)),
  )
  return fc.record({ rows, fields })
}
const viewer: fc.Arbitrary<Viewer> = fc.record(
  Object.fromEntries(Object.keys(RULES).map((model) => [model, policyOf(model)])),
)

let database: TestDatabase
let prisma: PrismaClient
let schema: GraphQLSchema

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  await database.query(
    `INSERT INTO users (id, email) VALUES ('${ADA}', 'ada@x'), ('${BOB}', 'bob@x'), ('${idOf(3)}', 'cy@x');
     INSERT INTO "Team" (id, name, slug) VALUES ('${idOf(8)}', 'red', 'red'), ('${idOf(9)}', 'blue', 'blue');
     INSERT INTO team_memberships (user_id, team_id) VALUES ('${ADA}', '${idOf(8)}'), ('${BOB}', '${idOf(8)}'), ('${BOB}', '${idOf(9)}');
     INSERT INTO "Post" (id, "authorId", "teamId", title, status) SELECT n, ('{${ADA},${BOB}}'::uuid[])[1 + n % 2],
       ('{${idOf(8)},${idOf(9)},null}'::uuid[])[1 + n % 3], n, ('{draft,published}'::text[])[1 + n / 2 % 2]::"PostStatus" FROM generate_series(1, 12) n;
     INSERT INTO "Comment" (id, "postId", "authorId", "parentId", body) SELECT n, 1 + n % 5, ('{${ADA},${BOB},null}'::uuid[])[1 + n % 3],
       CASE WHEN n > 5 THEN n - 5 END, n FROM generate_series(1, 20) n;
     INSERT INTO "Tag" (id, name) VALUES (1, 'a'), (2, 'b');
     INSERT INTO "_PostToTag" ("A", "B") SELECT n, 1 + n % 2 FROM generate_series(1, 6) n`,
  )
  prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) })
  schema = buildSchema()
})

afterAll(async () => {
  await prisma.$disconnect()
  await database[Symbol.asyncDispose]()
})

function buildSchema(): GraphQLSchema {
  const policy = (model: string) => [
    model,
    {
      rows: (context: object) => (context as Viewer)[model]?.rows as never,
      fields: (context: object) => (context as Viewer)[model]?.fields as never,
    },
  ]
  const policies = new Map(Object.keys(RULES).map((model) => policy(model) as never))
  const feed = Object.assign(createFakeFeed(catalog, Object.keys(RULES)), { policies })
  const builder = new SchemaBuilder<{ PrismaTypes: PrismaTypes; Context: Viewer }>({
    plugins: [PrismaPlugin, RowcastPlugin],
    prisma: { client: prisma, dmmf: getDatamodel() },
    rowcast: { feed },
  })
  const [drafts, nothing] = [{ status: 'DRAFT' as const }, { OR: [] }]
  builder.prismaObject('User', {
    fields: (t) => ({
      id: t.exposeString('id'),
      ...{ postCount: t.relationCount('posts'), posts: t.relation('posts') },
      draftCount: t.relationCount('posts', { where: drafts }),
      drafts: t.relation('posts', { query: { where: drafts } }),
      noCount: t.relationCount('posts', { where: nothing }),
      none: t.relation('posts', { query: { where: nothing } }),
      ...{ commentCount: t.relationCount('comments'), comments: t.relation('comments') },
    }),
  })
  builder.prismaObject('Team', {
    fields: (t) => ({
      id: t.exposeString('id'),
      ...{ postCount: t.relationCount('posts'), posts: t.relation('posts') },
      ...{ memberCount: t.relationCount('memberships'), memberships: t.relation('memberships') },
    }),
  })
  builder.prismaObject('Membership', { fields: (t) => ({ joined: t.boolean({ resolve: () => true }) }) })
  builder.prismaObject('Post', {
    fields: (t) => ({
      id: t.exposeInt('id'),
      ...{ commentCount: t.relationCount('comments'), comments: t.relation('comments') },
      ...{ tagCount: t.relationCount('tags'), tags: t.relation('tags') },
    }),
  })
  builder.prismaObject('Comment', {
    fields: (t) => ({
      id: t.exposeInt('id'),
      ...{ replyCount: t.relationCount('replies'), replies: t.relation('replies') },
    }),
  })
  builder.prismaObject('Tag', { fields: (t) => ({ id: t.exposeInt('id') }) })
  builder.queryType({
    fields: (t) => ({
      users: t.prismaField({ type: ['User'], resolve: (query) => prisma.user.findMany(query) }),
      teams: t.prismaField({ type: ['Team'], resolve: (query) => prisma.team.findMany(query) }),
      posts: t.prismaField({ type: ['Post'], resolve: (query) => prisma.post.findMany(query) }),
      comments: t.prismaField({ type: ['Comment'], resolve: (query) => prisma.comment.findMany(query) }),
    }),
  })
  for (const model of ['User', 'Team', 'Membership', 'Post', 'Comment', 'Tag'] as const)
    builder.changeSubscription(model)
  return builder.toSchema()
}

interface Answer {
  /** By row, in the order of keys. */
  readonly rows: readonly (Readonly<Record<string, unknown>> | null)[]
  readonly codes: readonly unknown[]
}

async function ask(context: Viewer, many: string, selection: string): Promise<Answer> {
  const document = parse(`{ ${many} { ${selection} } }`)
  const { data, errors = [] } = await execute({ schema, document, contextValue: { ...context } })
  const rows = (data?.[many] ?? []) as Answer['rows']
  return { rows, codes: errors.map(({ extensions }) => extensions['code']) }
}

it('agree with lists', async () => {
  const seen = { counts: 0, hidden: 0, narrowed: 0 }
  await fc.assert(
    fc.asyncProperty(viewer, fc.constantFrom(...PAIRS), async (context, [many, count, list]) => {
      const [listed, counted] = [
        await ask(context, many, `id ${list} { __typename }`),
        await ask(context, many, `id ${count}`),
      ]
      if (listed.codes.length > 0) {
        seen.hidden += 1
        expect(new Set(listed.codes)).toEqual(new Set(['FIELD_HIDDEN']))
        expect(new Set(counted.codes)).toEqual(new Set(['FIELD_HIDDEN']))
        return
      }
      // A list of no row is not asked; what is hidden is known before.
      if (listed.rows.length === 0) {
        expect(counted.rows).toEqual([])
        return
      }
      expect(counted.codes).toEqual([])
      const lengths = (rows: Answer['rows'], of: (row: object) => unknown) =>
        Object.fromEntries(rows.flatMap((row) => (row === null ? [] : [[String(row['id']), of(row)]])))
      const wanted = lengths(listed.rows, (row) => (Reflect.get(row, list) as unknown[]).length)
      expect(lengths(counted.rows, (row) => Reflect.get(row, count))).toEqual(wanted)
      seen.counts += Object.keys(wanted).length
      if (Object.values(wanted).some((length) => length !== 0)) seen.narrowed += 1
    }),
    { numRuns: RUNS, seed: 17 },
  )
  expect(seen.counts).toBeGreaterThan(RUNS / 3)
  expect(seen.hidden).toBeGreaterThan(0)
  expect(seen.narrowed).toBeGreaterThan(RUNS / 10)
}, 60_000)
