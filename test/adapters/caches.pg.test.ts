/** Queries that live in the caches of Apollo Client and urql, with the packages themselves, over a real server: as the database is, whatever happens. */
import { readFileSync } from 'node:fs'
import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client'
import { fetchExchange, subscriptionExchange, Client as UrqlClient } from '@urql/core'
import { type CacheExchangeOpts, cacheExchange } from '@urql/exchange-graphcache'
import { buildSchema, getIntrospectionQuery, type IntrospectionQuery, isObjectType } from 'graphql'
import { expect, it } from 'vitest'
import { keepQuery } from '../../src/adapters/apollo.ts'
import { changeKeys, changeUpdates } from '../../src/adapters/urql.ts'
import { overWebSocket } from '../support/change-clients.ts'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

interface Tag {
  readonly id: string
  readonly name: string
}

const PATIENCE = { timeout: 60_000, interval: 20 }
const TAGS = 'query Tags { tags(take: 200) { id name } }'
const TAG_CHANGED = `subscription ($after: Cursor) {
  tagChanged(after: $after) { cursor action key { rowId } old { rowId } new { id name } } }`
const named = (rows: readonly Tag[]) => rows.map(({ id, name }) => `${id} ${name}`).sort()

/** `useQuery` of Apollo, and what keeps it. */
function followByApollo(url: string) {
  const client = overWebSocket(url)
  // As for pages: what is written is put behind what is there.
  const merge = (known: readonly unknown[] = [], come: readonly unknown[] = []) => [...known, ...come]
  const cache = new InMemoryCache({ typePolicies: { Query: { fields: { tags: { merge } } } } })
  const apollo = new ApolloClient({
    link: new HttpLink({ uri: `${url}/graphql` }),
    cache,
  })
  const query = gql(TAGS)
  const request = { query: TAG_CHANGED }
  const list = keepQuery<Tag>({ apollo, query, client, request, key: 'id', typename: 'Tag', take: 200 })
  let shown: readonly Tag[] = []
  const seen = apollo.watchQuery<{ tags: readonly Tag[] }>({ query, fetchPolicy: 'cache-only' })
  const watched = seen.subscribe(({ data }) => {
    shown = (data?.tags ?? []) as readonly Tag[]
  })
  const entities = () => Object.keys(cache.extract()).filter((id) => id.startsWith('Tag:')).length
  return {
    list,
    apollo,
    entities,
    read: () => named(apollo.readQuery<{ tags: readonly Tag[] }>({ query })?.tags ?? []),
    names: () => named(shown),
    async stop() {
      watched.unsubscribe()
      list.stop()
      await client.dispose()
    },
  }
}

/** urql with Graphcache, and what that warned of. */
function openUrql(url: string, options: CacheExchangeOpts) {
  const socket = overWebSocket(url)
  const warnings: string[] = []
  const urql = new UrqlClient({
    ...{ url: `${url}/graphql`, preferGetMethod: false },
    exchanges: [
      cacheExchange({
        ...options,
        logger: (severity, message) => severity !== 'debug' && warnings.push(message),
      }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          subscribe: (sink) => ({
            unsubscribe: socket.subscribe({ query, variables } as never, sink as never),
          }),
        }),
      }),
    ],
  })
  return { socket, urql, warnings }
}

/** `useQuery` and `useSubscription` of urql. */
function followByUrql(url: string) {
  const lists = [{ query: TAGS, field: 'tags' }]
  const { socket, urql, warnings } = openUrql(url, {
    keys: changeKeys('Tag'),
    updates: { Subscription: changeUpdates<Tag>({ tagChanged: { typename: 'Tag', key: 'id', lists } }) },
  })
  let shown: readonly Tag[] = []
  const watched = urql.query<{ tags: Tag[] }>(TAGS, {}).subscribe(({ data }) => {
    shown = data?.tags ?? []
  })
  const changed = urql.subscription(TAG_CHANGED, {}).subscribe(() => undefined)
  return {
    warnings,
    names: () => named(shown),
    async stop() {
      watched.unsubscribe()
      changed.unsubscribe()
      await socket.dispose()
    },
  }
}

it('are what the database has: rows that come, change, get other keys and go', async () => {
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database)
  await running.service.rowcast.ready()
  await database.query(`INSERT INTO "Tag" (name) VALUES ('first'), ('second'), ('third')`)
  await using proxy = await openTcpProxy(Number(new URL(running.url).port))
  const apollo = followByApollo(`http://127.0.0.1:${proxy.port}`)
  const urql = followByUrql(running.url)
  const stored = async () => named(await database.query<Tag>('SELECT id::text, name FROM "Tag"'))
  const agree = async () => {
    const wanted = await stored()
    for (const { names } of [apollo, urql]) await expect.poll(names, PATIENCE).toEqual(wanted)
    expect(apollo.entities()).toBe(wanted.length)
  }
  const open = () => running.service.rowcast.status().subscriptions.get('Tag') ?? 0
  await expect.poll(open, PATIENCE).toBe(2)
  await agree()
  for (const sql of [
    `INSERT INTO "Tag" (name) VALUES ('fourth'), ('fifth')`,
    `UPDATE "Tag" SET name = name || '!' WHERE name IN ('first', 'fifth')`,
    `UPDATE "Tag" SET id = id + 1000 WHERE name = 'second'`,
    `DELETE FROM "Tag" WHERE name IN ('third', 'first!')`,
    `TRUNCATE "Tag" CASCADE`,
    `INSERT INTO "Tag" (name) VALUES ('fourth'), ('sixth')`,
  ]) {
    await database.query(sql)
    await agree()
  }
  expect(urql.warnings).toEqual([])
  await urql.stop()

  // What one does is there at once, and goes where it is taken back.
  const id = apollo.list.newMutationId()
  apollo.list.show(id, { action: 'INSERT', new: { id: 'new', name: 'own' } })
  await expect.poll(apollo.names, PATIENCE).toContain('new own')
  apollo.list.revert(id)
  const names = await stored()
  await expect.poll(apollo.names, PATIENCE).toEqual(names)
  // Nothing changes meanwhile that would write it.
  await apollo.apollo.resetStore()
  expect(apollo.read()).toEqual(names)
  await expect.poll(apollo.names, PATIENCE).toEqual(names)
  proxy.cut()
  await database.query(
    `INSERT INTO "Tag" (name) VALUES ('meanwhile'); DELETE FROM "Tag" WHERE name = 'fourth'`,
  )
  const after = await stored()
  await expect.poll(apollo.names, PATIENCE).toEqual(after)
  // Its viewer may be about to go.
  await apollo.apollo.clearStore()
  expect(apollo.entities()).toBe(0)
  apollo.list.stop()
  await apollo.apollo.clearStore()
  await expect.poll(() => apollo.list.state.status).toBe('ended')
  expect(apollo.entities()).toBe(0)
  await apollo.stop()
})

const TRANSACTION = 'transaction { xid metadata { mutationId } }'
/** What selects all that stands around rows. */
const AROUND_ROWS = [
  `postList(where: { title: { equals: "t" } }) { cursor totalCount ${TRANSACTION} transactions { xid }
    ... on PostListSnapshot { rows { id title } }
    ... on PostListPatch { operations { kind index key { rowId } row { id title } } } }`,
  `postTotals { count sum { viewCount } min { createdAt } max { createdAt } cursor ${TRANSACTION} }`,
  `changes(of: { post: {}, comment: {} }) { cursor isLast ${TRANSACTION} changes { __typename action
    ... on PostInserted { new { id } key { rowId } } ... on PostDeleted { old { rowId } } ... on CommentInserted { new { id } } } }`,
  `postChanged(initial: true, include: [comments]) { cursor action transaction { xid last metadata { mutationId } }
    key { rowId } old { rowId title } new { id title } via { relation action ... on PostViaComments { key { rowId } } } }`,
]
/** What shows that of each something has come. */
const AROUND_ROWS_SEEN = [
  ...['"operations":[{', '"viewCount":"3"', '"CommentDeleted"'],
  ...['"via":[{', '"action":"DELETE","transaction"'],
]

it('take nothing around the rows for an entity: changes, whole transactions, included rows, lists, totals', async () => {
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database, {
    config: { public: true, showMetadata: { fields: () => 'all' } },
  })
  await running.service.rowcast.ready()
  const asked = await fetch(`${running.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: getIntrospectionQuery() }),
  })
  const { data: schema } = (await asked.json()) as { data: IntrospectionQuery }
  const { socket, urql, warnings } = openUrql(running.url, {
    keys: changeKeys('Post', 'Post.comments'),
    // Without it Graphcache guesses which fragments on an interface match, and says so.
    schema: schema as never,
  })
  const came: unknown[][] = AROUND_ROWS.map(() => [])
  const ended = AROUND_ROWS.map((fields, at) =>
    urql.subscription(`subscription { ${fields} }`, {}).subscribe(({ data, error }) => {
      came[at]?.push(error ?? data)
    }),
  )
  await expect.poll(() => [0, 1, 3].every((at) => came[at]?.length !== 0), PATIENCE).toBe(true)
  for (const sql of [
    `WITH a AS (INSERT INTO users (email) VALUES ('a') RETURNING id) INSERT INTO "Post" ("authorId", title) SELECT id, 't' FROM a`,
    `INSERT INTO "Comment" ("postId", "authorId", body) SELECT id, "authorId", 'b' FROM "Post"`,
    `UPDATE "Post" SET "viewCount" = 3`,
    `DELETE FROM "Post"`,
  ])
    await database.query(sql)
  for (const part of AROUND_ROWS_SEEN) await expect.poll(() => JSON.stringify(came), PATIENCE).toContain(part)
  expect(came.flat().filter((each) => each instanceof Error)).toEqual([])
  expect(warnings).toEqual([])
  for (const { unsubscribe } of ended) unsubscribe()
  await socket.dispose()
})

it('all types around the rows of a model have their names', () => {
  const text = readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8')
  const objects = Object.values(buildSchema(text).getTypeMap()).filter(isObjectType)
  const around = objects
    .map(({ name }) => name)
    .filter((name) => /^(Post|Comment|Committed|Change)\w/.test(name))
  const named = changeKeys('Post', 'Post.comments', 'Comment', 'Comment.replies')
  expect(around.length).toBeGreaterThan(30)
  expect(around.filter((name) => !Object.hasOwn(named, name))).toEqual([])
})
