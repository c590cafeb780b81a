/**
 * Policies against somebody who tries every way round them, on every transport, with a real database behind: two
 * tenants (authors), each of whom may see the own posts only, and of people neither balance nor birth date.
 */
import { PrismaPg } from '@prisma/adapter-pg'
import { describe, expect, it } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { defineConfig, type ServiceConfig } from '../../src/config/config.ts'
import { resolveConfig } from '../../src/config/resolve-config.ts'
import type { LogFields, Logger } from '../../src/logger.ts'
import { createService } from '../../src/service.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { type Answer, STREAM_TRANSPORTS, TRANSPORTS } from './transports.ts'

const ADA = '00000000-0000-4000-8000-00000000000a'
const BOB = '00000000-0000-4000-8000-00000000000b'
/** In every row of Bob's, in whatever column takes text. */
const HIDDEN = 'bobs-own-7f3a91'

interface TenantContext {
  readonly viewer: string
}

const policies: ServiceConfig['models'] = {
  User: {
    fields: () => ['id', 'email', 'fullName', 'role', 'tags'],
  },
  Post: { rows: ({ viewer }: TenantContext) => ({ authorId: viewer }) },
  Comment: { rows: ({ viewer }: TenantContext) => ({ authorId: viewer }) },
  Session: { canSubscribe: () => false, rows: () => 'none' },
}

async function openTenants(database: TestDatabase, models = policies) {
  const said: string[] = []
  const say = (message: string, fields: LogFields = {}) =>
    void said.push(JSON.stringify({ message, ...fields }))
  const logger: Logger = { debug: say, info: say, warn: say, error: say }
  const config = defineConfig({
    catalog,
    createPrisma: (connectionString) => new PrismaClient({ adapter: new PrismaPg({ connectionString }) }),
    slot: slotOf(database),
    port: 0,
    // Ways through many lists are what is tried here.
    limits: { queryRowsMax: 100_000_000, queryCostMax: 2_000_000_000 },
    models,
    context(source) {
      const token =
        source.kind === 'websocket'
          ? source.connectionParams['token']
          : source.headers.authorization?.replace('Bearer ', '')
      return { context: { viewer: token } }
    },
  })
  const service = await createService(resolveConfig(config, { DATABASE_URL: database.url }), { logger })
  const { url } = await service.start()
  await service.rowcast.ready()
  return { url, service, said, [Symbol.asyncDispose]: () => service.stop() }
}

/** Ada with one post, Bob with one that carries the hidden word everywhere, and comments on both by both. */
async function insertTenants(database: TestDatabase): Promise<void> {
  await database.query(
    `INSERT INTO users (id, email, full_name) VALUES ('${ADA}', 'ada@x', 'Ada'), ('${BOB}', 'bob@x', 'Bob')`,
  )
  await database.query(
    `INSERT INTO "Post" (id, "authorId", title, body) VALUES (1, '${ADA}', 'mine', 'b'), (2, '${BOB}', '${HIDDEN}', '${HIDDEN}')`,
  )
  const team = '00000000-0000-4000-8000-00000000000c'
  await database.query(`INSERT INTO "Team" (id, name, slug) VALUES ('${team}', 'team', 'team')`)
  await database.query(`UPDATE "Post" SET "teamId" = '${team}'`)
  await database.query(
    `INSERT INTO team_memberships (user_id, team_id) VALUES ('${ADA}', '${team}'), ('${BOB}', '${team}')`,
  )
  await database.query(`INSERT INTO "Tag" (id, name) VALUES (1, 'tag')`)
  await database.query(`INSERT INTO "_PostToTag" ("A", "B") VALUES (1, 1), (2, 1)`)
  for (const postId of [1, 2]) {
    await database.query(
      `INSERT INTO "Comment" ("postId", "authorId", body) VALUES (${postId}, '${ADA}', 'hi'), (${postId}, '${BOB}', $1)`,
      [HIDDEN],
    )
  }
}

const whole = (answer: Answer): string => JSON.stringify(answer)

describe('queries', () => {
  const ways = [
    '{ posts { title body author { posts { title } } } }',
    '{ post(id: "2") { title body } }',
    '{ a: post(id: "2") { ...p } b: posts { ...p } } fragment p on Post { t: title b: body }',
    '{ users { posts { title } } }',
    '{ users { posts { comments { body post { title body } author { posts { body } } } } } }',
    '{ comments { body post { title } parent { body } replies { body } } }',
    '{ tags { posts { title } } }',
    '{ teams { posts { title body } memberships { user { posts { title } } } } }',
    '{ posts(take: 200, skip: 0) { title comments(take: 200) { body } } }',
  ]

  it.each(TRANSPORTS.map((transport) => [transport.name, transport] as const))(
    'over %s show nothing hidden, whichever way one goes',
    async (_, transport) => {
      await using database = await openDatabase({ migrate: true })
      await insertTenants(database)
      await using tenants = await openTenants(database)
      for (const query of ways) {
        const answer = await transport.ask(tenants.url, query, { token: ADA })
        expect(answer.errors, query).toEqual([])
        expect(whole(answer), query).not.toContain(HIDDEN)
        // The same way leads Bob to his own: the word was there to be found.
        expect(whole(await transport.ask(tenants.url, query, { token: BOB })), query).toContain(HIDDEN)
      }
      const { data } = await transport.ask(tenants.url, '{ posts { title author { email } } }', {
        token: ADA,
      })
      expect(data).toEqual({ posts: [{ title: 'mine', author: { email: 'ada@x' } }] })
      expect((await transport.ask(tenants.url, '{ sessions { id } }', { token: ADA })).data).toEqual({
        sessions: [],
      })
    },
  )

  it('of hidden fields say so, on rows found in any way', async () => {
    await using database = await openDatabase({ migrate: true })
    await insertTenants(database)
    await using tenants = await openTenants(database)
    for (const query of [
      '{ users { email balance } }',
      `{ user(id: "${ADA}") { balance } }`,
      '{ posts { author { birthDate } } }',
    ]) {
      for (const transport of TRANSPORTS) {
        const { errors } = await transport.ask(tenants.url, query, { token: ADA })
        expect(errors[0]?.extensions?.['code'], query).toBe('FIELD_HIDDEN')
      }
    }
  })

  it('page through what is to be seen, not through holes', async () => {
    await using database = await openDatabase({ migrate: true })
    await insertTenants(database)
    await database.query(
      `INSERT INTO "Post" (id, "authorId", title) SELECT 10 + n, CASE n % 2 WHEN 0 THEN '${ADA}'::uuid ELSE '${BOB}' END, n::text FROM generate_series(1, 10) n`,
    )
    await using tenants = await openTenants(database)
    const [http] = TRANSPORTS
    const answer = await http?.ask(tenants.url, '{ posts(take: 3, skip: 1) { title } }', { token: ADA })
    expect(answer?.data).toEqual({ posts: [{ title: '2' }, { title: '4' }, { title: '6' }] })
  })
})

describe('subscriptions', () => {
  const WATCH = `subscription ($after: Cursor) {
    postChanged(after: $after) {
      action transition cursor key { rowId } old { title author { email } }
      new { title body comments { body author { email posts { title } } } } changed
    }
  }`

  it.each(STREAM_TRANSPORTS.map((transport) => [transport.name, transport] as const))(
    'over %s disclose hidden rows neither when they come, nor change hands, nor go, live or from a cursor',
    async (_, transport) => {
      await using database = await openDatabase({ migrate: true })
      await insertTenants(database)
      await using tenants = await openTenants(database)
      const { data } = await transport.ask(tenants.url, '{ changeCursor }', { token: ADA })
      const { changeCursor } = data as { changeCursor: string }
      const live = await transport.open(tenants.url, WATCH, {
        token: ADA,
        variables: { after: changeCursor },
      })

      await database.query(`UPDATE "Post" SET title = title || '!' WHERE id = 2`)
      await database.query(`UPDATE "Post" SET title = 'handed over', "authorId" = '${ADA}' WHERE id = 2`)
      await database.query(`UPDATE "Post" SET body = 'now mine' WHERE id = 2`)
      await database.query(
        `UPDATE "Post" SET title = '${HIDDEN}', body = '${HIDDEN}', "authorId" = '${BOB}' WHERE id = 2`,
      )
      await database.query(`UPDATE "Post" SET id = 3 WHERE id = 2`)
      await database.query(`DELETE FROM "Post" WHERE id = 3`)
      await database.query(`DELETE FROM "Post" WHERE id = 1`)

      const expected = [
        {
          action: 'UPDATE',
          transition: 'ENTERED',
          key: { rowId: '2' },
          old: null,
          new: { title: 'handed over' },
        },
        { action: 'UPDATE', transition: 'STAYED', old: { title: 'handed over' }, changed: ['body'] },
        {
          action: 'UPDATE',
          transition: 'LEFT',
          key: { rowId: '2' },
          old: { title: 'handed over' },
          new: null,
        },
        { action: 'DELETE', transition: 'LEFT', key: { rowId: '1' }, old: { title: 'mine' } },
      ]
      const replayed = await transport.open(tenants.url, WATCH, {
        token: ADA,
        variables: { after: changeCursor },
      })
      for (const stream of [live, replayed]) {
        for (const change of expected) {
          const answer = await stream.next()
          expect(answer.data).toMatchObject({ postChanged: change })
          // The body came along with the post that was handed over: it was Bob's, and it is Ada's now.
          const { new: after, ...rest } = (answer.data as { postChanged: { new: { body?: string } | null } })
            .postChanged
          const { body: _, ...others } = after ?? {}
          expect(JSON.stringify([rest, others, answer.errors])).not.toContain(HIDDEN)
        }
        await stream.leave()
      }
    },
  )

  it('cannot be used to guess what is hidden, nor be had where they are forbidden', async () => {
    await using database = await openDatabase({ migrate: true })
    await using tenants = await openTenants(database)
    const refused: readonly (readonly [string, string])[] = [
      ['subscription { userChanged { new { balance } } }', 'FIELD_HIDDEN'],
      ['subscription { userChanged(where: { balance: { gt: "5" } }) { action } }', 'BAD_FILTER'],
      ['subscription { userChanged(old: { birthDate: { equals: null } }) { action } }', 'BAD_FILTER'],
      ['subscription { userChanged(changed: [balance]) { action } }', 'BAD_FILTER'],
      ['subscription { sessionChanged { action } }', 'FORBIDDEN'],
    ]
    for (const transport of STREAM_TRANSPORTS) {
      for (const [query, code] of refused) {
        const { errors, data } = await transport.ask(tenants.url, query, { token: ADA })
        expect([query, errors[0]?.extensions?.['code']]).toEqual([query, code])
        expect(data).toBeNull()
      }
    }
  })

  it('whose policy fails end alone, masked, with an id that is in the log', async () => {
    await using database = await openDatabase({ migrate: true })
    const rows = ({ viewer }: TenantContext) => {
      if (viewer === BOB) throw new Error(`cannot reach the directory as ${HIDDEN}`)
      return 'all' as const
    }
    await using tenants = await openTenants(database, { ...policies, Tag: { rows } })
    for (const transport of STREAM_TRANSPORTS) {
      const good = await transport.open(tenants.url, 'subscription { tagChanged { new { name } } }', {
        token: ADA,
      })
      const bad = await transport.ask(tenants.url, 'subscription { tagChanged { new { name } } }', {
        token: BOB,
      })
      const [error] = bad.errors
      expect(error?.extensions?.['code']).toBe('INTERNAL_SERVER_ERROR')
      const id = String(error?.extensions?.['errorId'] ?? /[0-9a-f-]{36}/.exec(error?.message ?? '')?.[0])
      const logged = tenants.said.filter((line) => line.includes(id))
      expect(logged.join('\n')).toContain('POLICY_FAILED')
      expect(whole(bad) + tenants.said.join('\n')).not.toContain(HIDDEN)
      await database.query('INSERT INTO "Tag" (name) VALUES ($1)', [`${transport.name}`])
      expect((await good.next()).data).toEqual({ tagChanged: { new: { name: transport.name } } })
      await good.leave()
    }
  })

  it('that ask for more than the key, where only that is sent: nobody keeps a row that is gone, as none begins', async () => {
    await using database = await openDatabase({ migrate: true })
    await insertTenants(database)
    const keep = { replicaIdentity: 'keep' } as const
    await using tenants = await openTenants(database, {
      Post: {
        ...keep,
        rows: ({ viewer }: TenantContext) => (viewer === 'root' ? 'all' : { authorId: viewer }),
      },
    })
    // PostgreSQL describes a table with its first change.
    const [transport] = STREAM_TRANSPORTS
    const query = 'subscription { postChanged { action key { rowId } old { title } } }'
    const root = await transport?.open(tenants.url, query, { token: 'root' })
    const early = await transport?.open(tenants.url, query, { token: ADA })
    await database.query('DELETE FROM "Post" WHERE id = 2')
    expect((await root?.next())?.data).toEqual({
      postChanged: { action: 'DELETE', key: { rowId: '2' }, old: null },
    })
    const end = await early?.next()
    expect(end?.errors[0]?.extensions?.['code']).toBe('FILTER_UNANSWERABLE')
    expect(JSON.stringify(end)).not.toContain('authorId')
    for (const actions of ['', '(action: [INSERT, DELETE])', '(action: UPDATE)']) {
      const asked = `subscription { postChanged${actions} { action } }`
      const { errors } = (await transport?.ask(tenants.url, asked, { token: ADA })) ?? { errors: [] }
      expect([asked, errors[0]?.extensions?.['code']]).toEqual([asked, 'BAD_FILTER'])
      expect(errors[0]?.message).toContain('out of your sight')
    }
    const inserts = 'subscription { postChanged(action: INSERT) { action key { rowId } } }'
    const ada = await transport?.open(tenants.url, inserts, { token: ADA })
    await database.query(
      `DELETE FROM "Post"; INSERT INTO "Post" (id, "authorId", title) VALUES (9, '${ADA}', 'sign')`,
    )
    expect((await ada?.next())?.data).toEqual({ postChanged: { action: 'INSERT', key: { rowId: '9' } } })
    await ada?.leave()
    await root?.leave()
  })

  it('that ask for the key, where only that is sent: each hears of what goes, under the key that was seen', async () => {
    await using database = await openDatabase({ migrate: true })
    await insertTenants(database)
    await using tenants = await openTenants(database, {
      Membership: { replicaIdentity: 'keep', rows: ({ viewer }: TenantContext) => ({ userId: viewer }) },
    })
    const [transport] = STREAM_TRANSPORTS
    const query =
      'subscription { membershipChanged { __typename action transition key { userId } oldKey { userId } new { userId } } }'
    const streams = await Promise.all(
      [ADA, BOB].map((token) => transport?.open(tenants.url, query, { token })),
    )
    const next = async () => {
      const changes = await Promise.all(streams.map((stream) => stream?.next()))
      return changes.map((each) => each?.data?.['membershipChanged' as never] as unknown)
    }
    await database.query(`DELETE FROM team_memberships WHERE user_id = '${BOB}'`)
    await database.query(`UPDATE team_memberships SET user_id = '${BOB}' WHERE user_id = '${ADA}'`)
    const gone = { __typename: 'MembershipDeleted', transition: 'LEFT', oldKey: null, new: null }
    expect((await streams[1]?.next())?.data).toEqual({
      membershipChanged: { ...gone, action: 'DELETE', key: { userId: BOB } },
    })
    expect(await next()).toEqual([
      { ...gone, action: 'UPDATE', key: { userId: ADA } },
      {
        ...{ __typename: 'MembershipUpdated', action: 'UPDATE', transition: 'ENTERED' },
        ...{ key: { userId: BOB }, oldKey: null, new: { userId: BOB } },
      },
    ])
    await Promise.all(streams.map((stream) => stream?.leave()))
  })
})

it('a field that looks like a secret is not in the schema, and the log says so once', async () => {
  await using database = await openDatabase({ migrate: true })
  const secretive = {
    ...catalog,
    models: {
      ...catalog.models,
      User: {
        ...catalog.models.User,
        fields: catalog.models.User.fields.map((field) => ({ ...field, isOmitted: false })),
      },
    },
  }
  for (const [models, isThere] of [
    [{ User: {} }, false],
    [{ User: { expose: ['passwordHash'] as const } }, true],
  ] as const) {
    const said: string[] = []
    const say = (message: string, fields: LogFields = {}) =>
      void said.push(JSON.stringify({ message, ...fields }))
    const service = await createService(
      resolveConfig(
        {
          catalog: secretive,
          createPrisma: (connectionString: string) =>
            new PrismaClient({ adapter: new PrismaPg({ connectionString }) }),
          slot: slotOf(database),
          port: 0,
          models,
        },
        { DATABASE_URL: database.url },
      ),
      { logger: { debug: say, info: say, warn: say, error: say } },
    )
    const { url } = await service.start()
    const [http] = TRANSPORTS
    const answer = await http?.ask(
      url,
      '{ u: __type(name: "User") { fields { name } } w: __type(name: "UserWhere") { inputFields { name } } f: __type(name: "UserField") { enumValues { name } } }',
    )
    const places = Object.values(answer?.data as Record<string, unknown>).map((type) =>
      JSON.stringify(type).includes('"passwordHash"'),
    )
    expect(places).toEqual([isThere, isThere, isThere])
    expect(said.filter((line) => line.includes('User.passwordHash'))).toHaveLength(isThere ? 0 : 1)
    await service.stop()
  }
})
