/** A builder of the user's own, with Pothos' scope-auth beside policies: each guards what it was asked to. */
import SchemaBuilder from '@pothos/core'
import PrismaPlugin from '@pothos/plugin-prisma'
import { execute, parse, subscribe } from 'graphql'
import { expect, it } from 'vitest'
import type PrismaTypes from '../../../prisma/generated/pothos.ts'
import { getDatamodel } from '../../../prisma/generated/pothos.ts'
import { catalog } from '../../../prisma/generated/rowcast.ts'
import { RowcastPlugin } from '../../../src/graphql/plugin/rowcast-plugin.ts'
import type { ModelPolicy } from '../../../src/graphql/policy/model-policy.ts'
import { createFakeFeed } from '../fake-feed.ts'
import { createRecordingPrisma } from '../recording-prisma.ts'
import { nextResult } from '../subscribe-to.ts'

// Its types change those of every builder in the program: they are left out.
const SCOPE_AUTH: string = '@pothos/plugin-scope-auth'
await import(SCOPE_AUTH)

interface Viewer {
  isStaff: boolean
}

const POST = { id: 1, title: 'one', draftNotes: 'secret', status: 'DRAFT', authorId: 'a' }

/** @param more options of scope-auth */
function open(policy: ModelPolicy = {}, more: object = {}) {
  /** Whose scopes were asked for. */
  const asked: Viewer[] = []
  const feed = Object.assign(createFakeFeed(catalog, ['Post']), { policies: new Map([['Post', policy]]) })
  const builder = new SchemaBuilder<{
    PrismaTypes: PrismaTypes
    Context: Viewer
  }>({
    plugins: ['scopeAuth' as never, PrismaPlugin, RowcastPlugin],
    prisma: {
      client: createRecordingPrisma({
        'post.findMany': () => [POST, { ...POST, id: 2, status: 'PUBLISHED' }],
      }),
      dmmf: getDatamodel(),
    },
    ...{
      scopeAuth: {
        authScopes(viewer: Viewer) {
          asked.push(viewer)
          return { staff: viewer.isStaff }
        },
        ...more,
      },
    },
    rowcast: { feed },
  })
  builder.prismaObject('Post', {
    fields: (t) => ({
      id: t.exposeID('id'),
      title: t.exposeString('title'),
      notes: t.exposeString('draftNotes', { nullable: true, ...{ authScopes: { staff: true } } }),
    }),
  })
  builder.queryType({
    fields: (t) => ({
      // A query of the user's own, which never heard of policies.
      posts: t.prismaField({
        type: ['Post'],
        resolve: () => [POST, { ...POST, id: 2, status: 'PUBLISHED' }] as never,
      }),
    }),
  })
  builder.subscriptionType({ description: 'Live.', ...{ authScopes: { staff: true } } })
  builder.changeSubscription('Post')
  const schema = builder.toSchema()
  return {
    feed,
    asked,
    query: (source: string, isStaff: boolean) =>
      execute({ schema, document: parse(source), contextValue: { isStaff } }),
    watch: (source: string, isStaff: boolean, contextValue: Viewer = { isStaff }) =>
      subscribe({ schema, document: parse(source), contextValue }),
  }
}

it('scopes guard fields of an image', async () => {
  const { feed, watch, query } = open()
  const results = await watch('subscription { postChanged { new { title notes } } }', true)
  if (!(Symbol.asyncIterator in results)) throw new Error(JSON.stringify(results))
  feed.commit({ model: 'Post', action: 'INSERT', new: POST })
  expect(await nextResult(results)).toEqual({
    data: { postChanged: { new: { title: 'one', notes: 'secret' } } },
  })
  expect((await query('{ posts { notes } }', false)).errors).toHaveLength(2)
})

it('scopes of the root refuse each event, with authorizeOnSubscribe the subscription', async () => {
  const plain = open()
  const late = await plain.watch('subscription { postChanged { action } }', false)
  if (!(Symbol.asyncIterator in late)) throw new Error(JSON.stringify(late))
  for (const _ of [1, 2]) {
    plain.feed.commit({ model: 'Post', action: 'INSERT', new: POST })
    expect((await nextResult(late))?.errors).toHaveLength(1)
  }
  const { watch } = open({}, { authorizeOnSubscribe: true })
  const refused = await watch('subscription { postChanged { action } }', false)
  expect(refused).toMatchObject({ errors: [{}] })
})

it('scopes are asked once for each subscription, whatever becomes of the viewer meanwhile', async () => {
  const { feed, watch, asked } = open()
  const viewers = [{ isStaff: true }, { isStaff: true }]
  const all = []
  for (const viewer of viewers) {
    const results = await watch('subscription { postChanged { new { notes } } }', true, viewer)
    if (!(Symbol.asyncIterator in results)) throw new Error(JSON.stringify(results))
    all.push(results)
  }
  for (const isStaff of [true, false, false]) {
    for (const viewer of viewers) viewer.isStaff = isStaff
    feed.commit({ model: 'Post', action: 'INSERT', new: POST })
    for (const results of all)
      expect(await nextResult(results)).toEqual({ data: { postChanged: { new: { notes: 'secret' } } } })
  }
  expect(asked).toEqual(viewers)
})

it('policies guard the same types, whatever resolver found the rows', async () => {
  const { feed, watch, query } = open({ rows: () => ({ status: 'PUBLISHED' }) as never })
  expect((await query('{ posts { id } }', false)).data).toEqual({ posts: [{ id: '2' }] })
  const results = await watch('subscription { postChanged { transition new { id } } }', true)
  if (!(Symbol.asyncIterator in results)) throw new Error(JSON.stringify(results))
  feed.commit(
    { model: 'Post', action: 'INSERT', new: POST },
    { model: 'Post', action: 'INSERT', new: { ...POST, id: 3, status: 'PUBLISHED' } },
  )
  expect(await nextResult(results)).toEqual({
    data: { postChanged: { transition: 'ENTERED', new: { id: '3' } } },
  })
})

it('fields that a policy hides cannot be read through fields of another name', async () => {
  const { feed, watch, query } = open({ fields: () => ['id', 'title', 'status', 'authorId'] })
  const refused = await watch('subscription { postChanged { new { notes } } }', true)
  expect(JSON.stringify(refused)).toContain('FIELD_HIDDEN')
  expect(JSON.stringify(await query('{ posts { notes } }', true))).toContain('FIELD_HIDDEN')
  const results = await watch('subscription { postChanged { new { title } } }', true)
  if (!(Symbol.asyncIterator in results)) throw new Error(JSON.stringify(results))
  feed.commit({ model: 'Post', action: 'INSERT', new: POST })
  expect(await nextResult(results)).toEqual({ data: { postChanged: { new: { title: 'one' } } } })
})
