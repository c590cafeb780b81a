/** The schema as a subgraph of Apollo Federation: rows by key under the policies of the viewer, and what the subgraph says of itself. */
import { graphql } from 'graphql'
import { describe, expect, it } from 'vitest'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { asSubgraph } from '../../src/graphql/subgraph/subgraph-schema.ts'
import { blogCatalog } from './blog-catalog.ts'
import { createFakeFeed } from './fake-feed.ts'
import { createRecordingPrisma } from './recording-prisma.ts'

const ADA = '6a0e3a3c-0000-4000-8000-000000000001'
const BOB = '6a0e3a3c-0000-4000-8000-00000000000b'
const CY = '6a0e3a3c-0000-4000-8000-00000000000c'
const user = { id: ADA, email: 'ada@x', bio: null, role: 'ADMIN', tags: [] }
const bob = { ...user, id: BOB, email: 'bob@x', role: 'MEMBER' }
const members = [{ team: 'core', userId: BOB }]

function open(entities: 'rows' | 'keys', changeCursor = 'changeCursor') {
  const prisma = createRecordingPrisma(
    {
      ...{ 'user.findUnique': () => user, 'user.findFirst': () => user },
      ...{ 'user.findMany': () => [user, bob], 'membership.findMany': () => members },
    },
    { readsTogether: true },
  )
  const schema = asSubgraph(
    buildServiceSchema({
      ...{ catalog: blogCatalog, prisma, feed: createFakeFeed(blogCatalog, ['User', 'Post', 'Membership']) },
      models: {
        User: {
          rows: (context: object) => ('isAdmin' in context ? 'all' : { role: { equals: 'MEMBER' } }),
        },
        Post: {},
        Membership: {},
      } as never,
    }),
    { entities, changeCursor },
  )
  const ask = async (source: string, contextValue: object, variableValues = {}) =>
    JSON.parse(JSON.stringify(await graphql({ schema, source, contextValue, variableValues })))
  const sdl = async () => (await ask('{ _service { sdl } }', {})).data._service.sdl as string
  return { schema, ask, sdl, prisma }
}

describe('a subgraph', () => {
  it('finds rows by their keys, those that the viewer may see, and each failure is its own', async () => {
    const { ask } = open('rows')
    const source =
      'query ($of: [_Any!]!) { _entities(representations: $of) { __typename ... on User { email } ...P } } fragment P on Post { title }'
    const of = [
      { __typename: 'User', id: ADA },
      { __typename: 'Query' },
      { __typename: 'User', id: 'none' },
      { __typename: 'User' },
      7,
    ]
    const { data, errors } = await ask(source, { isAdmin: true }, { of })
    expect(data).toEqual({ _entities: [{ __typename: 'User', email: 'ada@x' }, null, null, null, null] })
    const codes = errors.map(({ path, extensions }: never) => [path[1], Reflect.get(extensions, 'code')])
    // As they come: what fails at once is there before what the database was asked for.
    expect(Object.fromEntries(codes)).toEqual(
      Object.fromEntries([1, 2, 3, 4].map((at) => [at, 'GRAPHQL_BAD_ARGUMENT'])),
    )
    // Whatever the database answers: the row is none of the viewer's.
    expect(await ask(source, {}, { of: of.slice(0, 1) })).toEqual({ data: { _entities: [null] } })
    const many = await ask(source, {}, { of: Array.from({ length: 1_001 }, () => of[0]) })
    expect(many).toMatchObject({ data: null, errors: [{ extensions: { code: 'GRAPHQL_BAD_ARGUMENT' } }] })
  })

  it('looks rows up together, under the policy of the viewer and by keys of several fields', async () => {
    const { ask, prisma } = open('rows')
    const source = `query ($of: [_Any!]!) { _entities(representations: $of) {
      ... on _Entity { __typename ... on User { email } ...M } } } fragment M on _Entity { ... on Membership { userId } }`
    const of = [
      { __typename: 'User', id: CY },
      { __typename: 'Membership', team: 'core', userId: BOB },
      { __typename: 'User', id: BOB.toUpperCase() },
      { __typename: 'User', id: ADA },
      { __typename: 'Membership', team: 'other', userId: ADA },
    ]
    // Whatever the database answers, an administrator is none of this viewer's rows.
    expect(await ask(source, {}, { of })).toEqual({
      data: {
        _entities: [
          null,
          { __typename: 'Membership', userId: BOB },
          { __typename: 'User', email: 'bob@x' },
          null,
          null,
        ],
      },
    })
    const wheres = Object.fromEntries(prisma.calls.map(({ call, query }) => [call, query['where']]))
    expect(prisma.calls).toHaveLength(2)
    expect(wheres['user.findMany']).toEqual({
      AND: [{ id: { in: [CY, BOB, ADA] } }, { role: { equals: 'MEMBER' } }],
    })
    expect(wheres['membership.findMany']).toMatchObject({ OR: [{ team: 'core', userId: BOB }, {}] })
    const alike = Array.from({ length: 2 ** 7 }, (_, n) => ({
      ...{ __typename: 'Membership', userId: ADA },
      team: [...'abcdefg'].map((letter, at) => (n & (2 ** at) ? letter.toUpperCase() : letter)).join(''),
    }))
    expect(await ask(source, {}, { of: alike })).toMatchObject({
      ...{ data: null, errors: [{ extensions: { code: 'GRAPHQL_BAD_ARGUMENT' } }] },
    })
  })

  it('says which types are entities, and which may be in other subgraphs, too', async () => {
    const sdl = await open('rows').sdl()
    expect(sdl).toContain('extend schema @link(url: "https://specs.apollo.dev/federation/v2.3"')
    expect(sdl).toContain('type User @key(fields: "id") @shareable {')
    expect(sdl).toContain('type Membership @key(fields: "team userId") @shareable {')
    expect(sdl).toContain('type UserOld @shareable {')
    expect(sdl).not.toMatch(/type (Query|Subscription) @|_entities|_Any/)
  })

  it('calls changeCursor as the config says, beside another one of rowcast', async () => {
    for (const entities of ['rows', 'keys'] as const) {
      const { ask, schema } = open(entities, 'billingCursor')
      expect(await ask('{ billingCursor }', {})).toEqual({ data: { billingCursor: expect.any(String) } })
      expect(schema.getQueryType()?.getFields()).not.toHaveProperty('changeCursor')
      expect(Object.keys(schema.getSubscriptionType()?.getFields() ?? {})).not.toContain('changes')
      expect(schema.getType('ChangesOf')).toBeUndefined()
    }
    expect(() => open('rows', 'users')).toThrow('a query users already')
  })

  it('has nothing but keys of rows that are in another one', async () => {
    const { schema, sdl } = open('keys')
    expect(await sdl()).toMatch(/type User @key\(fields: "id", resolvable: false\) \{[^}]* id: ID!\n\}/)
    expect(Object.keys(schema.getQueryType()?.getFields() ?? {})).toEqual(['changeCursor', '_service'])
    expect(schema.getType('_Entity')).toBeUndefined()
    expect(await sdl()).toMatch(/type UserOld [^}]*email/)
  })
})
