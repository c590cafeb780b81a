import SchemaBuilder from '@pothos/core'
import PrismaPlugin from '@pothos/plugin-prisma'
import { execute, GraphQLSchema, parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import type PrismaTypes from '../../../prisma/generated/pothos.ts'
import { getDatamodel } from '../../../prisma/generated/pothos.ts'
import { catalog } from '../../../prisma/generated/rowcast.ts'
import { withImageLoader } from '../../../src/graphql/plugin/image-loader.ts'
import { RowcastPlugin } from '../../../src/graphql/plugin/rowcast-plugin.ts'
import type { ReadLimits } from '../../../src/graphql/reading/paged-client.ts'
import { toImage } from '../../../src/graphql/subscription/image-rows.ts'
import { silentLogger } from '../../../src/logger.ts'
import { createServer } from '../../../src/server/create-server.ts'
import type { ServerLimits } from '../../../src/server/limits/limits.ts'
import { createFakeFeed } from '../fake-feed.ts'
import { createRecordingPrisma } from '../recording-prisma.ts'
import { nextResult, subscribeTo } from '../subscribe-to.ts'

const user = Object.freeze({ id: 'ada', email: 'ada@example.com', fullName: 'Ada', tags: ['x'] })
const post = Object.freeze({ id: 7, title: 'On engines', authorId: 'ada', reviewerId: null, teamId: null })

type Plugins = ('prisma' | 'rowcast')[]
const plugins: Record<string, Plugins> = {
  'Prisma first': [PrismaPlugin, RowcastPlugin],
  'rowcast first': [RowcastPlugin, PrismaPlugin],
}

/** A user's own builder, with every way Pothos has to select more than a row's columns. */
function ownSchema(order: Plugins = [PrismaPlugin, RowcastPlugin], reads?: ReadLimits) {
  const prisma = createRecordingPrisma({
    'user.findUnique': () => ({ ...user, posts: [{ ...post, id: 1 }] }),
    'user.findUniqueOrThrow': () => ({ ...user, email: 'read again' }),
    'post.findMany': ({ take }) => [post, { ...post, id: 8 }].slice(0, Number(take ?? 2)),
    'post.count': () => 2,
    'session.findMany': () => [{ id: 's', userAgent: 'curl' }],
    'tag.findMany': () => [{ id: 3, name: 'math' }],
  })
  const feed = createFakeFeed(catalog, ['User', 'Post'])
  const builder = new SchemaBuilder<{ PrismaTypes: PrismaTypes }>({
    plugins: order,
    prisma: { client: prisma, dmmf: getDatamodel() },
    rowcast: { feed, reads },
  })
  const viewer = builder.prismaObject('User', {
    variant: 'Viewer',
    fields: (t) => ({ posts: t.relation('posts') }),
  })
  const person = builder.prismaObject('User', {
    name: 'Person',
    include: { sessions: true },
    fields: (t) => ({
      email: t.exposeString('email'),
      posts: t.relation('posts', {
        args: { take: t.arg.int() },
        query: ({ take }) => (take == null ? {} : { take }),
      }),
      postCount: t.relationCount('posts'),
      label: t.string({
        select: { fullName: true, posts: { take: 1 } },
        resolve: ({ fullName, posts }) => `${fullName}: ${posts[0]?.title}`,
      }),
      browsers: t.stringList({ resolve: ({ sessions }) => sessions.map(({ userAgent }) => userAgent ?? '') }),
      viewer: t.variant(viewer),
      reviewed: t.relation('reviewedPosts', {
        resolve: (_query, parent) => [{ ...post, title: `by ${parent.email}` }] as never,
      }),
    }),
  })
  builder.prismaObject('Post', {
    name: 'Article',
    // Names its columns, so that Pothos reads a row again for any other.
    select: { id: true },
    fields: (t) => ({
      id: t.exposeID('id'),
      title: t.exposeString('title'),
      author: t.relation('author'),
      reviewer: t.relation('reviewer', { nullable: true }),
      tags: t.relation('tags'),
    }),
  })
  builder.prismaObject('Tag', { fields: (t) => ({ name: t.exposeString('name') }) })
  builder.queryType({
    fields: (t) => ({
      // Does not load what is selected beneath: Pothos' own loader has to.
      somebody: t.field({ type: person, resolve: () => ({ ...user }) as never }),
    }),
  })
  builder.changeSubscription('User')
  builder.changeSubscription('Post')
  return { schema: builder.toSchema(), feed, prisma }
}

async function oneChange(source: string, change: object, order?: Plugins) {
  const { schema, feed, prisma } = ownSchema(order)
  const results = await subscribeTo(schema, source)
  feed.commit(change)
  const result = await nextResult(results)
  return { ...result, calls: prisma.calls.map(({ call, query }) => [call, query]) }
}

describe.each(Object.entries(plugins))('images in a user’s own schema, %s', (_name, order) => {
  it('load relations by their keys, with what is selected beneath', async () => {
    const source =
      'subscription { postChanged { old { title author { email posts { id } } reviewer { email } } } }'
    const { data, errors, calls } = await oneChange(
      source,
      { model: 'Post', action: 'DELETE', old: post },
      order,
    )
    expect(errors).toBeUndefined()
    const author = { email: 'ada@example.com', posts: [{ id: '7' }, { id: '8' }] }
    expect(data).toEqual({ postChanged: { old: { title: 'On engines', author, reviewer: null } } })
    expect(calls).toEqual([
      ['user.findUnique', { omit: { id: false }, where: { id: 'ada' } }],
      ['session.findMany', { where: { userId: 'ada' }, take: 10_001 }],
      ['post.findMany', { select: { id: true }, where: { authorId: 'ada' }, take: 10_001 }],
    ])
  })

  it('never read the row itself again, not even for columns that the type does not name', async () => {
    const source = 'subscription { postChanged { new { id title tags { name } } } }'
    const { data, calls } = await oneChange(source, { model: 'Post', action: 'INSERT', new: post }, order)
    expect(data).toEqual({ postChanged: { new: { id: '7', title: 'On engines', tags: [{ name: 'math' }] } } })
    expect(calls).toEqual([['tag.findMany', { where: { posts: { some: { id: 7 } } }, take: 10_001 }]])
  })
})

describe('limits of a server', () => {
  const many = 'subscription { userChanged { new { posts { id } } } }'
  const serve = (limits: Partial<ServerLimits>, reads?: ReadLimits) => {
    const own = ownSchema(undefined, reads)
    // A tool that makes another schema of it, as graphql-tools do, hands the way on.
    const schema = new GraphQLSchema(own.schema.toConfig())
    createServer({ schema, limits, logger: silentLogger, health: () => ({ isReady: true }), port: 0 })
    return own
  }
  const codesOf = async ({ schema, feed }: ReturnType<typeof ownSchema>) => {
    const results = await subscribeTo(schema, many)
    feed.commit({ new: user })
    const result = await nextResult(results)
    return (result?.errors ?? []).map(({ extensions }) => extensions?.['code'])
  }

  it('reach what a schema of the application’s own reads for changes, unless its builder says otherwise', async () => {
    expect(await codesOf(serve({ queryRowsMax: 1 }))).toEqual(['QUERY_OVER_LIMIT'])
    expect(await codesOf(serve({ queryReadBytesMax: 1 }))).toEqual(['QUERY_OVER_LIMIT'])
    expect(await codesOf(serve({ queryRowsMax: 1 }, { rowsMax: 2 }))).toEqual([])
    expect(await codesOf(serve({}))).toEqual([])
  })
})

describe('images in a user’s own schema', () => {
  it('load the same relation twice under two names', async () => {
    const source =
      'subscription { userChanged { new { a: posts(take: 1) { id } b: posts(take: 2) { title } } } }'
    const { data } = await oneChange(source, { new: user })
    const [a, b] = [[{ id: '7' }], [{ title: 'On engines' }, { title: 'On engines' }]]
    expect(data).toEqual({ userChanged: { new: { a, b } } })
  })

  it('have counts, selected columns, variants and the type’s own include', async () => {
    const fields = 'postCount label browsers viewer { posts { id } } reviewed { title }'
    const { data, errors, calls } = await oneChange(`subscription { userChanged { new { ${fields} } } }`, {
      new: user,
    })
    expect(errors).toBeUndefined()
    expect(data).toEqual({
      userChanged: {
        new: {
          postCount: 2,
          label: 'Ada: On engines',
          browsers: ['curl'],
          viewer: { posts: [{ id: '7' }, { id: '8' }] },
          reviewed: [{ title: 'by ada@example.com' }],
        },
      },
    })
    expect(calls.filter(([call]) => String(call).startsWith('user.'))).toEqual([])
  })

  it('cost no query where only columns are selected of a type without an include', async () => {
    const source = 'subscription { postChanged { old { rowId title } new { id title } } }'
    const { calls } = await oneChange(source, { model: 'Post', old: post, new: { ...post, title: 'x' } })
    expect(calls).toEqual([])
  })

  it('are distinguished from rows of queries, which Pothos reads as ever', async () => {
    const { schema, prisma } = ownSchema()
    const document = parse('{ somebody { email postCount posts { id } } }')
    await execute({ schema, document, contextValue: {} })
    // One read for both fields: the loader still batches.
    expect(prisma.calls.map(({ call }) => call)).toEqual(['user.findUniqueOrThrow'])
  })
})

describe('withImageLoader', () => {
  it('says so when the Prisma plugin’s loader is another', () => {
    const config = { extensions: { pothosPrismaLoader: () => ({ modelName: 'User' }) } }
    const changed = withImageLoader(config as never, () => Promise.reject(new Error('unused')))
    const loaderOf = changed.extensions?.['pothosPrismaLoader'] as (context: object) => unknown
    expect(() => loaderOf({})).toThrow(
      '[GRAPHQL_BAD_SCHEMA] The loader of @pothos/plugin-prisma is not the one',
    )
  })

  it('leaves types without a model alone', () => {
    const config = { name: 'Query', extensions: {} }
    expect(withImageLoader(config as never, () => Promise.resolve(toImage('User', {})))).toBe(config)
  })
})
