import SchemaBuilder from '@pothos/core'
import PrismaPlugin from '@pothos/plugin-prisma'
import { printType } from 'graphql'
import { describe, expect, expectTypeOf, it } from 'vitest'
import type PrismaTypes from '../../../prisma/generated/pothos.ts'
import { getDatamodel } from '../../../prisma/generated/pothos.ts'
import { catalog, type RowcastModels } from '../../../prisma/generated/rowcast.ts'
import { RowcastError } from '../../../src/errors.ts'
import type { ChangeFeed } from '../../../src/graphql/change-feed.ts'
import { RowcastPlugin } from '../../../src/graphql/plugin/rowcast-plugin.ts'
import { buildServiceSchema } from '../../../src/graphql/service-schema.ts'
import type { Rowcast } from '../../../src/rowcast.ts'
import { blogCatalog } from '../blog-catalog.ts'
import { createFakeFeed } from '../fake-feed.ts'
import { createRecordingPrisma } from '../recording-prisma.ts'
import { nextResult, subscribeTo, trySubscribe } from '../subscribe-to.ts'

const ADA = '6a0e3a3c-0000-4000-8000-000000000001'
const row = { id: ADA, email: 'ada@example.com', bio: null, role: 'ADMIN', tags: ['x'], passwordHash: 'hash' }

function blog(live: readonly string[] = ['User', 'Post', 'Membership']) {
  const feed = createFakeFeed(blogCatalog, live)
  const schema = buildServiceSchema({
    catalog: blogCatalog,
    prisma: createRecordingPrisma(),
    feed,
    models: { User: {}, Post: {}, Membership: {} },
  })
  return { feed, schema }
}

function sampleBuilder() {
  const feed = createFakeFeed(catalog, ['User', 'Post'])
  const builder = new SchemaBuilder<{ PrismaTypes: PrismaTypes }>({
    plugins: [PrismaPlugin, RowcastPlugin],
    prisma: { client: createRecordingPrisma(), dmmf: getDatamodel() },
    rowcast: { feed },
  })
  builder.queryType({ fields: (t) => ({ ok: t.boolean({ resolve: () => true }) }) })
  return { builder, feed }
}

describe('whole transactions', () => {
  const build = (changes: boolean | { name: string }, own: string | null = null) => {
    const feed = createFakeFeed(catalog, ['User', 'Post'])
    const builder = new SchemaBuilder<{ PrismaTypes: PrismaTypes }>({
      plugins: [PrismaPlugin, RowcastPlugin],
      prisma: { client: createRecordingPrisma(), dmmf: getDatamodel() },
      rowcast: { feed, changes },
    })
    builder.queryType({ fields: (t) => ({ ok: t.boolean({ resolve: () => true }) }) })
    if (own !== null) {
      builder.subscriptionType({
        fields: (t) => ({ [own]: t.boolean({ subscribe: async function* () {}, resolve: () => true }) }),
      })
    }
    builder.prismaObject('User', { fields: (t) => ({ id: t.exposeID('id') }) })
    builder.changeSubscription('User')
    return builder.toSchema()
  }

  it('are there where they are asked for, by the name that was chosen', () => {
    const names = (schema: ReturnType<typeof build>) =>
      Object.keys(schema.getSubscriptionType()?.getFields() ?? {}).sort()
    expect(names(build(true))).toEqual(['changes', 'userChanged'])
    expect(names(build(false, 'changes'))).toEqual(['changes', 'userChanged'])
    expect(names(build({ name: 'all' }, 'changes'))).toEqual(['all', 'changes', 'userChanged'])
    expect(build(false).getType('AnyChange')).toBeUndefined()
  })

  it('refuse a name that the application has a field of', () => {
    expect(() => build(true, 'changes')).toThrow('Duplicate field changes on Subscription')
  })
})

describe('the choice of what happens to a slow subscription', () => {
  it('is there where the server allows it, and reaches the bus', async () => {
    const feed = createFakeFeed(blogCatalog, ['User'])
    const options = { catalog: blogCatalog, prisma: createRecordingPrisma(), feed, models: { User: {} } }
    const schema = buildServiceSchema({ ...options, mayChooseOverflow: true })
    await subscribeTo(schema, 'subscription { userChanged(overflow: CONFLATE) { action } }')
    expect(feed.requests[0]).toMatchObject({ overflow: 'conflate' })
    const refused = await trySubscribe(
      buildServiceSchema(options),
      'subscription { userChanged(overflow: CONFLATE) { action } }',
    )
    expect(JSON.stringify(refused)).toContain('overflow')
  })
})

describe('a change subscription', () => {
  it('delivers the whole payload', async () => {
    const { feed, schema } = blog()
    const results = await subscribeTo(
      schema,
      `subscription {
        userChanged {
          action key { rowId } old { rowId email bio role tags } new { id email } changed unavailable committedAt
          transaction { xid index last }
        }
      }`,
    )
    const changed = ['email', 'passwordHash']
    feed.commit({ old: row, new: { ...row, email: 'ada@example.org' }, key: { id: ADA }, changed })
    const { passwordHash: _, id: rowId, ...visible } = row
    expect(await nextResult(results)).toEqual({
      data: {
        userChanged: {
          action: 'UPDATE',
          key: { rowId: ADA },
          old: { rowId, ...visible },
          new: { id: ADA, email: 'ada@example.org' },
          changed: ['email'],
          unavailable: [],
          committedAt: '2026-11-23T08:15:30.123Z',
          transaction: { xid: '4000000000', index: 0, last: true },
        },
      },
    })
  })

  it('numbers the changes of a transaction and marks the last', async () => {
    const { feed, schema } = blog()
    const results = await subscribeTo(
      schema,
      'subscription { userChanged { action transaction { index last } } }',
    )
    feed.commit({ action: 'INSERT', new: row }, { model: 'Post' }, { action: 'TRUNCATE' })
    const first = { action: 'INSERT', transaction: { index: 0, last: false } }
    const second = { action: 'TRUNCATE', transaction: { index: 2, last: true } }
    expect(await nextResult(results)).toEqual({ data: { userChanged: first } })
    expect(await nextResult(results)).toEqual({ data: { userChanged: second } })
  })

  it('takes one action, a list, null and nothing', async () => {
    const { feed, schema } = blog()
    for (const action of ['action: UPDATE', 'action: [INSERT, DELETE]', 'action: null', '__typename: 0']) {
      const args = action.startsWith('action') ? `(${action})` : ''
      const results = await subscribeTo(schema, `subscription { userChanged${args} { action } }`)
      await results.return()
    }
    expect(feed.requests.map(({ actions }) => actions)).toEqual([
      ['UPDATE'],
      ['INSERT', 'DELETE'],
      undefined,
      undefined,
    ])
  })

  it('refuses an empty list of actions', async () => {
    const { feed, schema } = blog()
    const result = await trySubscribe(schema, 'subscription { userChanged(action: []) { action } }')
    expect(JSON.parse(JSON.stringify(result))).toMatchObject({
      errors: [
        {
          message: 'action: [] asks for no change at all.',
          extensions: {
            code: 'GRAPHQL_BAD_ARGUMENT',
            hint: expect.stringContaining('leave `action` out for all'),
          },
        },
      ],
    })
    expect(feed.requests).toEqual([])
  })

  it('ends the bus’s subscription when the client unsubscribes, also while it waits', async () => {
    const { feed, schema } = blog()
    const results = await subscribeTo(schema, 'subscription { userChanged { action } }')
    const pending = results.next()
    expect(feed.returned).toBe(0)
    await results.return()
    expect(feed.returned).toBe(1)
    expect(await pending).toEqual({ done: true, value: undefined })
  })

  it('says that a model is not live', async () => {
    const { schema } = blog(['User'])
    const result = await trySubscribe(schema, 'subscription { postChanged { action } }')
    expect(JSON.parse(JSON.stringify(result))).toMatchObject({
      errors: [
        {
          message: expect.stringContaining('Model Post exists, but is not live.'),
          path: ['postChanged'],
          extensions: {
            code: 'CATALOG_MODEL_NOT_REGISTERED',
            hint: "Call rowcast.register('Post') before start().",
          },
        },
      ],
    })
  })

  it('ends with the code of a public error, and with any other as it is', async () => {
    for (const [code, extensions] of [
      ['SUBSCRIBER_TOO_SLOW', { code: 'SUBSCRIBER_TOO_SLOW' }],
      ['BUG', undefined],
    ] as const) {
      const { feed, schema } = blog()
      const results = await subscribeTo(schema, 'subscription { userChanged { action } }')
      feed.close(new RowcastError(code, 'Too slow.'))
      const error = await results.next().catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(Error)
      if (extensions === undefined) expect(error).toBeInstanceOf(RowcastError)
      else expect(error).toMatchObject({ extensions })
    }
  })

  it('turns an error of subscribing itself into one with a code', async () => {
    const feed = {
      ...createFakeFeed(blogCatalog, ['User']),
      subscribeDeliveries(): never {
        throw new RowcastError('SERVER_STOPPING', 'The server is stopping.')
      },
    }
    const prisma = createRecordingPrisma()
    const schema = buildServiceSchema({ catalog: blogCatalog, prisma, feed, models: { User: {} } })
    const result = await trySubscribe(schema, 'subscription { userChanged { action } }')
    expect(result).toMatchObject({ errors: [{ extensions: { code: 'SERVER_STOPPING' } }] })
  })

  it('has all parts of a composite key, and none where the key is null', async () => {
    const { feed, schema } = blog()
    const results = await subscribeTo(schema, 'subscription { membershipChanged { key { userId team } } }')
    feed.commit({ model: 'Membership', action: 'DELETE', key: { userId: ADA, team: 'core' } })
    feed.commit({ model: 'Membership', action: 'TRUNCATE' })
    expect(await nextResult(results)).toEqual({
      data: { membershipChanged: { key: { userId: ADA, team: 'core' } } },
    })
    expect(await nextResult(results)).toEqual({ data: { membershipChanged: { key: null } } })
  })
})

describe('values that PostgreSQL did not send', () => {
  const { body: _, ...sent } = { id: 7, title: 'On engines', body: '', views: 1n }
  const change = { model: 'Post', new: Object.freeze(sent), unavailable: ['body'], key: { id: 7 } }

  it('are an explained error, not null, and only where they are asked for', async () => {
    const { feed, schema } = blog()
    const results = await subscribeTo(schema, 'subscription { postChanged { unavailable new { id title } } }')
    const asking = await subscribeTo(schema, 'subscription { postChanged { key { rowId } new { id body } } }')
    feed.commit(change)
    expect(await nextResult(results)).toEqual({
      data: { postChanged: { unavailable: ['body'], new: { id: '7', title: 'On engines' } } },
    })
    expect(await nextResult(asking)).toMatchObject({
      data: null,
      errors: [
        {
          message: expect.stringContaining('PostgreSQL did not send Post.body'),
          path: ['postChanged', 'new', 'body'],
          extensions: {
            code: 'GRAPHQL_VALUE_UNAVAILABLE',
            hint: expect.stringContaining('replica identity FULL'),
          },
        },
      ],
    })
  })

  it('are an error for resolvers of the user’s own types too', async () => {
    const { builder, feed } = sampleBuilder()
    builder.prismaObject('Post', {
      name: 'Article',
      fields: (t) => ({
        title: t.exposeString('title'),
        excerpt: t.string({ nullable: true, resolve: (post) => post.body?.slice(0, 10) }),
      }),
    })
    builder.changeSubscription('Post')
    const results = await subscribeTo(
      builder.toSchema(),
      'subscription { postChanged { new { title excerpt } } }',
    )
    feed.commit(change)
    expect(await nextResult(results)).toMatchObject({
      data: { postChanged: { new: { title: 'On engines', excerpt: null } } },
      errors: [{ extensions: { code: 'GRAPHQL_VALUE_UNAVAILABLE' } }],
    })
  })
})

describe('builder.changeSubscription', () => {
  it('works on the user’s own object type, whatever its name, and adds what the builder lacks', () => {
    const { builder } = sampleBuilder()
    builder.changeSubscription('User', { name: 'people', omit: ['passwordHash', 'settings'] })
    builder.prismaObject('User', { name: 'Person', fields: (t) => ({ mail: t.exposeString('email') }) })
    const schema = builder.toSchema()
    expect(schema.getSubscriptionType()?.getFields()['people']?.type.toString()).toBe('UserChange!')
    const payload = printType(schema.getType('UserChange') ?? never())
    expect(payload).toContain('new: Person')
    expect(payload).toContain('old: UserOld')
    expect(payload).toContain('committedAt: DateTime\n')
    expect(printType(schema.getType('UserField') ?? never())).not.toMatch(/passwordHash|settings/)
  })

  it('uses the builder’s own Subscription root and scalars', () => {
    const { feed } = sampleBuilder()
    const builder = new SchemaBuilder<{
      PrismaTypes: PrismaTypes
      Scalars: { DateTime: { Input: Date; Output: Date } }
    }>({
      plugins: [RowcastPlugin, PrismaPlugin],
      prisma: { client: createRecordingPrisma(), dmmf: getDatamodel() },
      rowcast: { feed },
    })
    builder.changeSubscription('User')
    builder.prismaObject('User', { fields: (t) => ({ id: t.exposeID('id') }) })
    builder.queryType({ fields: (t) => ({ ok: t.boolean({ resolve: () => true }) }) })
    builder.scalarType('DateTime', { description: 'Ours.', serialize: (date) => date.toISOString() })
    builder.subscriptionType({ name: 'Live', description: 'Ours, too.' })
    const schema = builder.toSchema()
    expect(schema.getSubscriptionType()?.description).toBe('Ours, too.')
    expect(Object.keys(schema.getSubscriptionType()?.getFields() ?? {})).toEqual(['userChanged'])
    expect(schema.getType('DateTime')?.description).toBe('Ours.')
  })

  it('returns the payload type, open for further fields', async () => {
    const { builder, feed } = sampleBuilder()
    builder.prismaObject('User', { fields: (t) => ({ id: t.exposeID('id') }) })
    const payload = builder.changeSubscription('User')
    builder.interfaceField(payload, 'model', (t) => t.string({ resolve: ({ change }) => change.model }))
    const results = await subscribeTo(builder.toSchema(), 'subscription { userChanged { model } }')
    feed.commit({ action: 'INSERT' })
    expect(await nextResult(results)).toEqual({ data: { userChanged: { model: 'User' } } })
  })

  it('can show images as a variant of the model', () => {
    const { builder } = sampleBuilder()
    const viewer = builder.prismaObject('User', {
      variant: 'Viewer',
      fields: (t) => ({ id: t.exposeID('id') }),
    })
    builder.changeSubscription('User', { type: viewer })
    expect(printType(builder.toSchema().getType('UserChange') ?? never())).toContain('new: Viewer')
  })

  it('is typed by the models of the builder', () => {
    const { builder } = sampleBuilder()
    // @ts-expect-error There is no model Usr.
    expect(() => builder.changeSubscription('Usr')).toThrow(
      '[CATALOG_UNKNOWN_MODEL] There is no model "Usr".',
    )
    // @ts-expect-error User has no field emial.
    builder.changeSubscription('User', { omit: ['emial'] })
  })

  it('is fed by a rowcast of any schema', () => {
    expectTypeOf<Rowcast<RowcastModels>>().toExtend<ChangeFeed>()
    expectTypeOf<Rowcast>().toExtend<ChangeFeed>()
  })

  it('says what is missing', () => {
    const { builder } = sampleBuilder()
    builder.changeSubscription('User')
    expect(() => builder.toSchema()).toThrow(
      "[GRAPHQL_BAD_SCHEMA] Model User has no object type in this builder. Hint: Declare builder.prismaObject('User'",
    )
    const bare = new SchemaBuilder<{ PrismaTypes: PrismaTypes }>({
      plugins: [PrismaPlugin],
      prisma: { client: createRecordingPrisma(), dmmf: getDatamodel() },
      rowcast: { feed: createFakeFeed(catalog, []) },
    })
    expect(() => bare.changeSubscription('User')).toThrow('Add RowcastPlugin to `plugins`')
  })

  it('describes every field and argument it adds', () => {
    const { builder } = sampleBuilder()
    builder.prismaObject('Membership', { fields: (t) => ({ id: t.exposeID('userId') }) })
    builder.changeSubscription('Membership')
    const schema = builder.toSchema()
    const types = ['MembershipChange', 'MembershipKey', 'ChangeTransaction', 'Subscription', 'ChangeAction']
    for (const name of types) {
      const type = schema.getType(name) ?? never()
      expect(type.description, name).toBeTruthy()
      const parts =
        'getFields' in type ? Object.values(type.getFields()) : 'getValues' in type ? type.getValues() : []
      expect(parts.length).toBeGreaterThan(0)
      for (const part of parts) {
        expect(part.description, `${name}.${part.name}`).toBeTruthy()
        for (const arg of 'args' in part ? part.args : []) expect(arg.description).toBeTruthy()
      }
    }
  })
})

function never(): never {
  throw new Error('The schema lacks a type.')
}
