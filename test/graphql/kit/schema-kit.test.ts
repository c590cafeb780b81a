/** `rowcast/graphql` beside the conformance suite: what it adds to a schema, what it refuses, and what it does not import. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { buildSchema, graphql, isObjectType, parse, printSchema, subscribe, validateSchema } from 'graphql'
import { createSchema } from 'graphql-yoga'
import { describe, expect, it } from 'vitest'
import {
  addChanges,
  type ChangeSchemaOptions,
  changeResolvers,
  changeTypeDefs,
} from '../../../src/graphql/kit/schema-kit.ts'
import { createConformanceFeed, OWN_RESOLVERS, OWN_SDL } from '../../conformance/target.ts'
import { blogCatalog } from '../blog-catalog.ts'
import { createFakeFeed } from '../fake-feed.ts'

const OWN_ROWS = { models: { User: { type: 'User' } } }

describe('changeTypeDefs', () => {
  it('is SDL that stands alone, and the same types as changes have everywhere', () => {
    const schema = buildSchema(changeTypeDefs(blogCatalog, { models: { User: {}, Post: {} } }))
    expect(validateSchema(schema)).toEqual([])
    const type = schema.getType('PostOld')
    expect(isObjectType(type) && Object.keys(type.getFields())).toEqual(
      expect.arrayContaining(['rowId', 'title', 'views']),
    )
  })

  it('has live lists and totals where they are asked for, beside whole transactions', () => {
    const models = { User: {}, Post: {} }
    const lists = buildSchema(
      changeTypeDefs(blogCatalog, { models, lists: true, totals: true, changes: true }),
    )
    expect(validateSchema(lists)).toEqual([])
    expect(Object.keys(lists.getSubscriptionType()?.getFields() ?? {})).toEqual([
      ...['userChanged', 'userList', 'userTotals', 'postChanged', 'postList', 'postTotals', 'changes'],
    ])
    for (const one of [{ lists: true }, { totals: true }]) {
      const alone = buildSchema(changeTypeDefs(blogCatalog, { models, ...one }))
      expect(validateSchema(alone)).toEqual([])
      expect(alone.getType('CommittedTransaction')).toBeDefined()
    }
  })

  it('defines no type that the schema has', () => {
    const sdl = changeTypeDefs(blogCatalog, { ...OWN_ROWS, existingTypes: ['Role', 'DateTime'] })
    expect(sdl).not.toMatch(/^(enum Role|scalar DateTime|type User) /m)
    expect(sdl).toMatch(/^scalar Cursor/m)
    const { Role, DateTime, Cursor, OverflowPolicy } = changeResolvers(
      createFakeFeed(blogCatalog, ['User']),
      {
        ...OWN_ROWS,
        ...{ existingTypes: ['Role', 'DateTime'], mayChooseOverflow: true },
      },
    )
    expect([Role, DateTime]).toEqual([undefined, undefined])
    expect(Cursor).toBeDefined()
    expect(OverflowPolicy).toEqual({ END: 'end', CONFLATE: 'conflate' })
  })

  it('omits what `register()` omits when it is given the rowcast', () => {
    const feed = createConformanceFeed()
    expect(changeTypeDefs(feed, { models: { User: {} } })).not.toMatch(/balance|passwordHash/)
    expect(changeTypeDefs(blogCatalog, { models: { User: {} } })).toMatch(/balance/)
  })
})

describe('resolvers', () => {
  it('refuse a schema whose SDL shows what they omit', async () => {
    const feed = createConformanceFeed()
    const schema = createSchema({
      typeDefs: ['type Query { hello: String }', changeTypeDefs(blogCatalog, { models: { User: {} } })],
      resolvers: changeResolvers(feed, { models: { User: {} } }) as never,
      resolverValidationOptions: { requireResolversToMatchSchema: 'ignore' },
    })
    const document = parse('subscription { userChanged { old { balance } } }')
    const result = await subscribe({ schema, document, contextValue: { viewer: 'admin' } })
    expect(result).toMatchObject({
      errors: [{ message: expect.stringMatching(/GRAPHQL_BAD_SCHEMA.*balance is in the schema/) }],
    })
  })

  it.each([
    () => changeResolvers(createFakeFeed(blogCatalog, []), { models: { Usr: {} } }),
    () => changeTypeDefs(blogCatalog, { models: { Usr: {} } }),
    () => addChanges(buildSchema(OWN_SDL), createFakeFeed(blogCatalog, []), { models: { Usr: {} } }),
  ])('say which models there are: %#', (make) => {
    expect(make).toThrow(/CATALOG_UNKNOWN_MODEL.*There is no model "Usr".*User/)
  })
})

it('is of one model: a type of rows, by which it is known whose policies hold, and a field', () => {
  const feed = createConformanceFeed()
  const shared = { models: { User: { type: 'User' }, Post: { type: 'User' } } }
  const named = { models: { User: { type: 'User', name: 'changed' }, Post: { name: 'changed' } } }
  expect(() => addChanges(buildSchema(OWN_SDL), feed, shared)).toThrow(
    /GRAPHQL_BAD_SCHEMA.*User and Post have the type User in common/,
  )
  expect(() => changeTypeDefs(blogCatalog, named)).toThrow(/User and Post have the field changed in common/)
})

describe('addChanges', () => {
  it('leaves the schema that it is given as it is', () => {
    const schema = buildSchema(OWN_SDL)
    const before = printSchema(schema)
    const added = addChanges(schema, createConformanceFeed(), OWN_ROWS)
    expect(validateSchema(added)).toEqual([])
    expect(printSchema(schema)).toBe(before)
    expect(schema.getType('User')?.extensions).toEqual({})
    expect(added.getSubscriptionType()?.getFields()).toHaveProperty('userChanged')
  })

  it('makes types of its own for rows and old rows, where none is named', async () => {
    const added = addChanges(
      buildSchema('type Query { a: Int }'),
      createFakeFeed(blogCatalog, ['User', 'Post']),
      {
        models: { User: {}, Post: {} },
      },
    )
    expect(validateSchema(added)).toEqual([])
    const sdl = printSchema(added)
    expect(sdl.match(/^type (User|Post)(Old)? /gm)).toHaveLength(4)
  })

  it('adds to a Subscription and a Query root under other names, and keeps what is there', () => {
    const sdl = `schema { query: Root subscription: Live }
      type Root { changeCursor: String root: Root } type Live { ticks: Int } type Post { id: Int title: String }`
    const added = addChanges(buildSchema(sdl), createFakeFeed(blogCatalog, ['Post']), {
      models: { Post: { type: 'Post', name: 'posted' } },
    })
    expect(validateSchema(added)).toEqual([])
    expect(Object.keys(added.getSubscriptionType()?.getFields() ?? {})).toEqual(['ticks', 'posted'])
    expect(String(added.getQueryType()?.getFields()['changeCursor']?.type)).toBe('String')
  })

  it('omits columns that the team’s type has no field for, unless they are exposed', () => {
    const sdl = 'type Query { a: Int } type Post { id: Int! title: String author: Int }'
    const make = (expose: readonly string[]) =>
      printSchema(
        addChanges(buildSchema(sdl), createFakeFeed(blogCatalog, ['Post']), {
          models: { Post: { type: 'Post', expose } },
        }),
      )
    expect(make([])).not.toMatch(/body|views|authorId/)
    expect(make(['authorId'])).toMatch(/enum PostField \{[^}]*authorId/)
  })

  it('puts policies around fields of the team’s own that give rows', async () => {
    const schema = createSchema({ typeDefs: OWN_SDL, resolvers: OWN_RESOLVERS })
    const added = addChanges(schema, createConformanceFeed(), OWN_ROWS)
    const ask = (viewer: string) =>
      graphql({ schema: added, source: '{ me { email shout } }', contextValue: { viewer } })
    expect(await ask('admin')).toEqual({ data: { me: { email: 'ada@x', shout: 'ADA@X' } } })
    expect(await ask('member')).toEqual({ data: { me: null } })
  })

  it('refuses a type that is not there, and one whose name is taken', () => {
    const feed = createFakeFeed(blogCatalog, ['User'])
    const add = (sdl: string, type?: string) => () =>
      addChanges(buildSchema(sdl), feed, { models: { User: { type } } })
    expect(add('type Query { a: Int }', 'Person')).toThrow(/GRAPHQL_BAD_SCHEMA.*no object type "Person"/)
    expect(add('type Query { a: Int } type User { id: ID }')).toThrow(/GRAPHQL_BAD_SCHEMA.*type User/)
  })

  it('refuses a subscription whose name is taken, unless rowcast’s gets another', () => {
    const feed = createFakeFeed(blogCatalog, ['User', 'Tag'])
    const add = (field: string, changes: ChangeSchemaOptions['changes'], name?: string) => () =>
      addChanges(buildSchema(`type Query { a: Int } type Subscription { ${field}: Int }`), feed, {
        models: { User: {}, Tag: { name } },
        changes,
      })
    expect(add('changes', true)).toThrow(/GRAPHQL_BAD_SCHEMA.*subscription changes/)
    expect(add('userChanged', false)).toThrow(/GRAPHQL_BAD_SCHEMA.*subscription userChanged/)
    expect(add('changes', false)).not.toThrow()
    expect(add('other', true, 'changes')).toThrow(
      /GRAPHQL_BAD_SCHEMA.*Tag and changes have the field changes in common/,
    )
    const added = add('changes', { name: 'databaseChanges' })()
    expect(Object.keys(added.getSubscriptionType()?.getFields() ?? {})).toContain('databaseChanges')
    // Without it, nothing of it is there.
    expect(printSchema(add('other', undefined)())).not.toMatch(/AnyChange|ChangesOf|Committed/)
  })
})

it('imports graphql and nothing of Pothos', () => {
  const root = join(import.meta.dirname, '../../../src')
  const seen = new Set<string>()
  const packages = new Set<string>()
  const visit = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    // Types are gone when the program runs.
    const code = readFileSync(file, 'utf8').replace(/^(?:import|export) type [^;]*?from '[^']+'$/gm, '')
    for (const [, name = ''] of code.matchAll(/^(?:import|export|\}) [^;]*?from '([^']+)'$/gm)) {
      if (name.startsWith('.')) visit(join(dirname(file), name))
      else packages.add(name)
    }
  }
  visit(join(root, 'graphql/kit/schema-kit.ts'))
  expect(seen.size).toBeGreaterThan(40)
  expect([...packages].filter((name) => !name.startsWith('node:')).toSorted()).toEqual([
    '@prisma/client/runtime/client',
    'graphql',
  ])
})
