/** Policies in a schema of the application's own: counts agree with lists, and rows are nobody else's. */
import SchemaBuilder from '@pothos/core'
import PrismaPlugin from '@pothos/plugin-prisma'
import { execute, parse, subscribe } from 'graphql'
import { expect, it } from 'vitest'
import type PrismaTypes from '../../../prisma/generated/pothos.ts'
import { getDatamodel } from '../../../prisma/generated/pothos.ts'
import { catalog } from '../../../prisma/generated/rowcast.ts'
import { RowcastPlugin } from '../../../src/graphql/plugin/rowcast-plugin.ts'
import { createFakeFeed } from '../fake-feed.ts'
import { createRecordingPrisma } from '../recording-prisma.ts'
import { nextResult } from '../subscribe-to.ts'

interface Viewer {
  readonly name: string
}

const BOB = '00000000-0000-4000-8000-00000000000b'
const mine = (context: object) => ({ authorId: (context as Viewer).name }) as never

function open() {
  const feed = Object.assign(createFakeFeed(catalog, ['User', 'Post', 'Comment']), {
    policies: new Map([['Post', { rows: mine }]]),
  })
  const prisma = createRecordingPrisma(
    {
      'user.findUniqueOrThrow': () => ({ id: 'ada', _count: { posts: 1 } }),
      'user.findFirst': () => ({ id: 'ada', email: 'ada@x', _count: { posts: 2 } }),
      'user.findUnique': () => ({ id: 'ada', email: 'ada@x', tags: ['x'] }),
    },
    { readsTogether: true },
  )
  const builder = new SchemaBuilder<{
    PrismaTypes: PrismaTypes
    Context: Viewer
    Scalars: { Careless: { Input: unknown; Output: unknown } }
  }>({
    plugins: [PrismaPlugin, RowcastPlugin],
    prisma: { client: prisma, dmmf: getDatamodel() },
    rowcast: { feed },
  })
  builder.prismaObject('User', {
    fields: (t) => ({
      email: t.exposeString('email'),
      masked: t.string({
        select: { email: true, tags: true },
        resolve: (user, _args, { name }) => {
          // Carelessly, in place.
          if (name !== 'ada') user.email = '***'
          user.tags.push(name)
          return `${user.email} ${user.tags.join()}`
        },
      }),
      postCount: t.relationCount('posts'),
      draftCount: t.relationCount('posts', {
        args: { status: t.arg.string() },
        where: ({ status }) => (status === 'DRAFT' ? { status: 'DRAFT' as const } : {}),
      }),
      noPostCount: t.relationCount('posts', { where: { OR: [] } }),
    }),
  })
  builder.scalarType('Careless', {
    serialize: (value) => (value as Date).setTime((value as Date).getTime() + 1),
    parseValue: (value) => value,
  })
  builder.prismaObject('Post', {
    fields: (t) => ({
      title: t.exposeString('title'),
      createdMs: t.expose('createdAt', { type: 'Careless' }),
    }),
  })
  builder.prismaObject('Comment', {
    fields: (t) => ({
      body: t.exposeString('body'),
      author: t.relation('author', { nullable: true }),
      replies: t.relation('replies', {
        resolve: (_query, comment, _args, { name }) => {
          if (name !== 'ada') Object.assign(comment, { body: '***' })
          return []
        },
      }),
    }),
  })
  builder.queryType({
    fields: (t) => ({
      user: t.prismaField({
        type: 'User',
        resolve: (query) =>
          (prisma as never as { user: { findFirst(q: object): never } }).user.findFirst(query),
      }),
    }),
  })
  builder.interfaceField(builder.changeSubscription('User'), 'label', (t) =>
    t.string({
      resolve: ({ change }, _args, { name }) => {
        const row = change.new as { email: string }
        if (name !== 'ada') row.email = '***'
        return row.email
      },
    }),
  )
  builder.changeSubscription('Comment')
  builder.changeSubscription('Post')
  const schema = builder.toSchema()
  return {
    feed,
    prisma,
    query: (source: string, name: string) =>
      execute({ schema, document: parse(source), contextValue: { name } }),
    watch: async (source: string, name: string) => {
      const results = await subscribe({ schema, document: parse(source), contextValue: { name } })
      if (Symbol.asyncIterator in results) return results
      throw new Error(JSON.stringify(results))
    },
  }
}

it('a count is of the rows that the viewer may see, whoever asks first for them', async () => {
  const { prisma, query } = open()
  const result = await query('{ user { email postCount draftCount(status: "DRAFT") } }', BOB)
  expect(result.errors).toBeUndefined()
  const selections = prisma.calls.map(({ query: asked }) => JSON.stringify(asked))
  expect(selections.some((text) => text.includes(`"posts":{"where":{"authorId":"${BOB}"}}`))).toBe(true)
  const both = `"posts":{"where":{"AND":[{"status":"DRAFT"},{"authorId":"${BOB}"}]}}`
  expect(selections.some((text) => text.includes(both))).toBe(true)
  expect(selections.filter((text) => text.includes('"posts":true'))).toEqual([])
})

it('a count of nothing stays one beside the rule: Prisma leaves an empty OR out below the root', async () => {
  const { prisma, query } = open()
  const result = await query('{ user { email noPostCount } }', BOB)
  expect(result.errors).toBeUndefined()
  const none = `"posts":{"where":{"AND":[{"OR":[]},{"authorId":"${BOB}"}],"OR":[]}}`
  expect(prisma.calls.some(({ query: asked }) => JSON.stringify(asked).includes(none))).toBe(true)
})

it('a resolver that masks in place masks for its own viewer alone', async () => {
  const { feed, watch } = open()
  const source = 'subscription { userChanged { new { email masked } } }'
  const [bob, ada] = [await watch(source, 'bob'), await watch(source, 'ada')]
  feed.commit({ model: 'User', action: 'INSERT', new: { id: 'a', email: 'ada@x', tags: ['x'] } })
  const [seenByBob, seenByAda] = [await nextResult(bob), await nextResult(ada)]
  expect(seenByBob?.data).toEqual({ userChanged: { new: { email: 'ada@x', masked: '*** x,bob' } } })
  expect(seenByAda?.data).toEqual({ userChanged: { new: { email: 'ada@x', masked: 'ada@x x,ada' } } })
})

it('a resolver that masks the row before in place masks it for its own viewer alone', async () => {
  const { feed, watch } = open()
  const source = 'subscription { userChanged { old { email masked } } }'
  const [bob, ada] = [await watch(source, 'bob'), await watch(source, 'ada')]
  feed.commit({ model: 'User', action: 'DELETE', old: { id: 'a', email: 'ada@x', tags: ['x'] } })
  const [seenByBob, seenByAda] = [await nextResult(bob), await nextResult(ada)]
  expect(seenByBob?.data).toEqual({ userChanged: { old: { email: 'ada@x', masked: '*** x,bob' } } })
  expect(seenByAda?.data).toEqual({ userChanged: { old: { email: 'ada@x', masked: 'ada@x x,ada' } } })
})

it('a scalar that is written in place is for its own operation alone', async () => {
  const { feed, watch } = open()
  const source = 'subscription { postChanged { new { createdMs } } }'
  const results = [await watch(source, BOB), await watch(source, BOB)]
  const post = { id: 1, title: 'x', authorId: BOB, createdAt: new Date(1_000) }
  feed.commit({ model: 'Post', action: 'INSERT', new: post })
  for (const each of results)
    expect((await nextResult(each))?.data).toEqual({ postChanged: { new: { createdMs: 1_001 } } })
})

it('what the resolver of a relation does to its row, it does for its own viewer alone', async () => {
  const { feed, watch } = open()
  const source = 'subscription { commentChanged { new { replies { body } body } } }'
  const [bob, ada] = [await watch(source, 'bob'), await watch(source, 'ada')]
  feed.commit({ model: 'Comment', action: 'INSERT', new: { id: 1, postId: 1, body: 'text' } })
  const [seenByBob, seenByAda] = [await nextResult(bob), await nextResult(ada)]
  expect(seenByBob?.data).toEqual({ commentChanged: { new: { replies: [], body: '***' } } })
  expect(seenByAda?.data).toEqual({ commentChanged: { new: { replies: [], body: 'text' } } })
})

it('what a field that was added to the change does to a row, no other field and no other viewer sees', async () => {
  const { feed, watch } = open()
  const source = 'subscription { userChanged { label new { email } } }'
  const [bob, ada] = [await watch(source, 'bob'), await watch(source, 'ada')]
  feed.commit({ model: 'User', action: 'INSERT', new: { id: 'a', email: 'ada@x', tags: [] } })
  const [seenByBob, seenByAda] = [await nextResult(bob), await nextResult(ada)]
  expect(seenByBob?.data).toEqual({ userChanged: { label: '***', new: { email: 'ada@x' } } })
  expect(seenByAda?.data).toEqual({ userChanged: { label: 'ada@x', new: { email: 'ada@x' } } })
})

it('a related row that is read once for many is each viewer’s own', async () => {
  const { feed, prisma, watch } = open()
  const source = 'subscription { commentChanged { new { author { email masked } } } }'
  const [bob, ada] = [await watch(source, 'bob'), await watch(source, 'ada')]
  feed.commit({ model: 'Comment', action: 'INSERT', new: { id: 1, postId: 1, authorId: BOB } })
  const [seenByBob, seenByAda] = await Promise.all([nextResult(bob), nextResult(ada)])
  expect(prisma.calls.map(({ call }) => call)).toEqual(['user.findUnique'])
  expect(seenByBob?.data).toEqual({
    commentChanged: { new: { author: { email: 'ada@x', masked: '*** x,bob' } } },
  })
  expect(seenByAda?.data).toEqual({
    commentChanged: { new: { author: { email: 'ada@x', masked: 'ada@x x,ada' } } },
  })
})
