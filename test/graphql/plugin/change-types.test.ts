/** The types around a change: one for each action, `UserOld`, and nothing that a cache takes for an entity. */
import SchemaBuilder from '@pothos/core'
import PrismaPlugin from '@pothos/plugin-prisma'
import { isInterfaceType, isObjectType, validateSchema } from 'graphql'
import { describe, expect, it } from 'vitest'
import type PrismaTypes from '../../../prisma/generated/pothos.ts'
import { getDatamodel } from '../../../prisma/generated/pothos.ts'
import { catalog } from '../../../prisma/generated/rowcast.ts'
import { Decimal } from '../../../src/catalog/prisma-runtime.ts'
import { RowcastPlugin } from '../../../src/graphql/plugin/rowcast-plugin.ts'
import { buildServiceSchema } from '../../../src/graphql/service-schema.ts'
import { createFakeFeed } from '../fake-feed.ts'
import { createRecordingPrisma } from '../recording-prisma.ts'
import { nextResult, subscribeTo } from '../subscribe-to.ts'

const ADA = {
  ...{ id: 'ada', email: 'ada@x', fullName: 'Ada', balance: new Decimal('1.50'), passwordHash: 'hash' },
  birthDate: new Date('1815-12-10T00:00:00Z'),
}

function service() {
  const feed = createFakeFeed(catalog, ['User', 'Post'])
  const models = { User: {}, Post: {} }
  return { feed, schema: buildServiceSchema({ catalog, prisma: createRecordingPrisma(), feed, models }) }
}

function fieldsOf(schema: ReturnType<typeof service>['schema'], name: string): string[] {
  const type = schema.getType(name)
  return isObjectType(type) || isInterfaceType(type) ? Object.keys(type.getFields()).sort() : []
}

describe('the types of changes', () => {
  it('show which action it was, and that a row is there', async () => {
    const { feed, schema } = service()
    expect(validateSchema(schema)).toEqual([])
    const results = await subscribeTo(
      schema,
      `subscription { userChanged {
         __typename key { rowId } changed
         ... on UserInserted { new { id } } ... on UserUpdated { new { id } old { rowId email } } ... on UserDeleted { old { rowId } }
       } }`,
    )
    const key = { id: 'ada' }
    feed.commit(
      { action: 'INSERT', new: ADA, key, changed: [] },
      { action: 'UPDATE', old: ADA, new: ADA, key, changed: ['email'] },
      { action: 'DELETE', old: ADA, key, changed: [] },
      { action: 'TRUNCATE' },
    )
    const seen = [1, 2, 3, 4].map(async () => (await nextResult(results))?.data?.['userChanged'])
    expect(await Promise.all(seen)).toEqual([
      { __typename: 'UserInserted', key: { rowId: 'ada' }, changed: [], new: { id: 'ada' } },
      {
        ...{ __typename: 'UserUpdated', key: { rowId: 'ada' }, changed: ['email'], new: { id: 'ada' } },
        old: { rowId: 'ada', email: 'ada@x' },
      },
      { __typename: 'UserDeleted', key: { rowId: 'ada' }, changed: [], old: { rowId: 'ada' } },
      { __typename: 'UserTruncated', key: null, changed: [] },
    ])
  })

  it('have no identity but for the row itself', () => {
    const { schema } = service()
    const names = [
      'UserChange',
      'UserUpdated',
      'UserKey',
      'UserOld',
      'ChangeTransaction',
      'PostOld',
      'PostKey',
    ]
    for (const name of names) {
      expect(fieldsOf(schema, name).length).toBeGreaterThan(0)
      expect(fieldsOf(schema, name)).not.toContain('id')
      expect(fieldsOf(schema, name)).not.toContain('_id')
    }
    expect(fieldsOf(schema, 'User')).toContain('id')
  })

  it('say a day as a day, and a Decimal with the digits of its column', async () => {
    const { feed, schema } = service()
    const selection = '{ balance birthDate }'
    const results = await subscribeTo(
      schema,
      `subscription { userChanged { old ${selection} new ${selection} } }`,
    )
    feed.commit({
      action: 'UPDATE',
      old: ADA,
      new: { ...ADA, balance: new Decimal('3') },
      key: { id: 'ada' },
    })
    const birthDate = '1815-12-10'
    expect(await nextResult(results)).toEqual({
      data: { userChanged: { old: { balance: '1.50', birthDate }, new: { balance: '3.00', birthDate } } },
    })
  })
})

describe('the type of an old row', () => {
  function ownBuilder() {
    const feed = createFakeFeed(catalog, ['User', 'Post'])
    const builder = new SchemaBuilder<{
      PrismaTypes: PrismaTypes
      Scalars: { Decimal: { Input: string; Output: unknown } }
    }>({
      plugins: [PrismaPlugin, RowcastPlugin],
      prisma: { client: createRecordingPrisma(), dmmf: getDatamodel() },
      rowcast: { feed },
    })
    builder.queryType({ fields: (t) => ({ ok: t.boolean({ resolve: () => true }) }) })
    return { builder, feed }
  }

  it('shows what the user’s own type shows, and nothing else of the model', async () => {
    const { builder, feed } = ownBuilder()
    builder.prismaObject('User', {
      name: 'Person',
      fields: (t) => ({
        id: t.exposeID('id'),
        name: t.exposeString('fullName', { nullable: true }),
        shout: t.string({ nullable: true, resolve: (user) => user.fullName?.toUpperCase() }),
        balance: t.expose('balance', { type: 'Decimal' }),
        posts: t.relation('posts'),
        postCount: t.relationCount('posts'),
      }),
    })
    builder.prismaObject('Post', {
      fields: (t) => ({ title: t.exposeString('title'), author: t.relation('author', { nullable: true }) }),
    })
    builder.changeSubscription('User')
    builder.changeSubscription('Post')
    const schema = builder.toSchema()
    expect(fieldsOf(schema, 'UserOld')).toEqual(['balance', 'name', 'rowId', 'shout'])
    expect(fieldsOf(schema, 'PostOld')).toEqual(['author', 'title'])
    const selection = 'name shout balance'
    const results = await subscribeTo(
      schema,
      `subscription { userChanged { old { rowId ${selection} } new { id ${selection} } } }`,
    )
    feed.commit({ action: 'UPDATE', old: ADA, new: ADA, key: { id: 'ada' } })
    const shown = { name: 'Ada', shout: 'ADA', balance: '1.50' }
    expect(await nextResult(results)).toEqual({
      data: { userChanged: { old: { rowId: 'ada', ...shown }, new: { id: 'ada', ...shown } } },
    })
  })

  it('leaves out what `omit` names, and is not there where nothing is left', () => {
    const { builder } = ownBuilder()
    builder.prismaObject('User', { fields: (t) => ({ id: t.exposeID('id'), mail: t.exposeString('email') }) })
    builder.prismaObject('Post', { fields: (t) => ({ comments: t.relation('comments') }) })
    builder.prismaObject('Comment', { fields: (t) => ({ body: t.exposeString('body') }) })
    builder.changeSubscription('User', { omit: ['email'] })
    builder.changeSubscription('Post')
    const schema = builder.toSchema()
    expect(validateSchema(schema)).toEqual([])
    expect(fieldsOf(schema, 'UserOld')).toEqual(['rowId'])
    expect(schema.getType('PostOld')).toBeUndefined()
    expect(fieldsOf(schema, 'PostUpdated')).not.toContain('old')
  })
})
