/** A resolver of a schema of one's own that masks rows in place masks them for its own operation alone, however it came by them, and however the schema was made. */
import { buildSchema, type GraphQLSchema, isObjectType } from 'graphql'
import { createSchema } from 'graphql-yoga'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PrismaClient } from '../../prisma/generated/client/client.ts'
import { addChanges, changeResolvers, changeTypeDefs } from '../../src/graphql/kit/schema-kit.ts'
import type { SchemaParts } from '../../src/graphql/schema-parts.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService, type RunningService } from '../support/live-service.ts'
import { createWsClient } from '../support/ws-client.ts'

const MASK = '***'
const SDL = /* GraphQL */ `
  type User { id: ID! email: String! all: String! posts: [Post!] }
  type Post { id: ID! title: String! }
  type Query { hello: String }
`
const OPTIONS = {
  models: { User: { type: 'User' }, Post: { type: 'Post' } },
  ...{ lists: true, changes: true },
}

interface Row {
  email: string
  tags: string[]
  settings: { a: { b: unknown } }
  createdAt: Date
  avatar: Uint8Array
}

/** The whole row, as it is before the viewer who masks has overwritten all of it. */
function all(row: Row, _args: unknown, context: object): string {
  const text = JSON.stringify(row, (_name, value) => (typeof value === 'bigint' ? `${value}` : value))
  if (Reflect.get(context, 'viewer') !== 'masks') return text
  row.settings.a.b = MASK
  row.tags.push(MASK)
  row.createdAt.setTime(0)
  row.avatar.fill(42)
  return Object.assign(row, { email: MASK }) && text
}

const FORMS: Readonly<Record<string, (feed: SchemaParts<PrismaClient>['feed']) => GraphQLSchema>> = {
  addChanges(feed) {
    const own = buildSchema(SDL)
    const type = own.getType('User')
    if (isObjectType(type)) Object.assign(type.getFields()['all'] ?? {}, { resolve: all })
    return addChanges(own, feed, OPTIONS)
  },
  changeResolvers: (feed) =>
    createSchema({
      typeDefs: [SDL, changeTypeDefs(feed, OPTIONS)],
      resolvers: { ...changeResolvers(feed, OPTIONS), User: { all } } as never,
    }),
}

/** Where resolvers are given apart from the schema, the type of the row before has columns alone. */
const OLD = 'old { all }'
const BOTH = `${OLD} new { all }`
/** The ways that rows come by. */
const WAYS: Readonly<Record<string, string>> = {
  changes: `subscription { userChanged { ${BOTH} } }`,
  'rows to begin with': 'subscription { userChanged(initial: true) { new { all } } }',
  'whole transactions': `subscription { changes(of: { user: {} }) { changes { ... on UserInserted { new { all } } ... on UserUpdated { ${BOTH} } ... on UserDeleted { old { all } } } } }`,
  lists: `subscription { userList(orderBy: [{ email: ASC }], take: 5) { ... on UserListSnapshot { rows { all } } ... on UserListPatch { operations { row { all } } } } }`,
  'related rows': `subscription { userChanged(include: [posts]) { ${BOTH} } }`,
}

describe.each(Object.entries(FORMS))('%s', (form, schemaOf) => {
  let database: TestDatabase
  let running: RunningService

  beforeAll(async () => {
    database = await openDatabase({ migrate: true })
    await database.query(
      `INSERT INTO users (email, settings, tags, avatar) VALUES ('ada@x', '{"a": {"b": 1}}', '{one,two}', '\\x0102');
       INSERT INTO "Post" (title, "authorId") SELECT 'first', id FROM users`,
    )
    running = await openService(database, {
      context: (source) => ({
        context: { viewer: source.kind === 'websocket' ? source.connectionParams['viewer'] : null },
      }),
      config: { schema: ({ feed }) => schemaOf(feed), public: true },
    })
    await running.service.rowcast.ready()
  })
  afterAll(async () => {
    await running?.[Symbol.asyncDispose]()
    await database?.[Symbol.asyncDispose]()
  })

  it.each(Object.entries(WAYS))('%s', async (_way, document) => {
    const failures: unknown[] = []
    const viewers = ['masks', 'looks', 'masks', 'looks'].map((viewer) => {
      const client = createWsClient(running.url, { viewer })
      const results = client.subscribe(
        form === 'addChanges' ? document : document.replaceAll(OLD, 'old { email }'),
      )
      const seen: string[] = []
      const listening = (async () => {
        for (;;) seen.push(JSON.stringify(await results.nextData()))
      })().catch((error: unknown) => failures.push(error))
      return { seen, close: async () => [await client.close(), await listening] }
    })
    const text = () => viewers.map(({ seen }) => seen.join('\n'))
    const isOver = () => failures.length > 0 || text().every((each) => each.includes('round 3@'))
    for (let round = 1; !isOver(); round += 1) {
      await database.query(
        `UPDATE users SET email = 'round ${Math.min(round, 3)}@${round}'; UPDATE "Post" SET title = 'round ${round}'`,
      )
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    expect(failures).toEqual([])
    for (const each of text()) {
      expect(each).not.toContain(MASK)
      expect(each).not.toContain('1970-')
      // The bytes of the avatar, as all of them are then.
      expect(each).toMatch(/avatar[^}]*1[^}]*2/)
      expect(each).not.toMatch(/avatar[^}]*\b42\b/)
      expect(each).toContain('two')
    }
    for (const { close } of viewers) await close()
  })
})
