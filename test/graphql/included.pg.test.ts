/**
 * `include` of GraphQL on a real PostgreSQL: a post comes where its comments change, once per transaction, as far as the viewer may see
 * them. Random transactions are compared with what a model of the tables says; over WebSocket and event streams of the service, and in a
 * schema of one's own.
 */
import { buildSchema, parse, subscribe } from 'graphql'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createLiveList } from '../../src/client/live-list.ts'
import { addChanges } from '../../src/graphql/kit/schema-kit.ts'
import type { ContextFunction } from '../../src/server/session/context.ts'
import { STREAM_TRANSPORTS, type Stream } from '../security/transports.ts'
import { overWebSocket } from '../support/change-clients.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService, type RunningService } from '../support/live-service.ts'
import { Dice } from '../support/live-world.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 7)
const TRANSACTIONS = process.env['ROWCAST_LONG'] === undefined ? 16 : 2_000
const ADA = '00000000-0000-4000-8000-00000000000a'
const END = 999

const CHANGES = `subscription ($after: Cursor, $initial: Boolean, $where: PostWhere) {
  postChanged(include: [comments], after: $after, initial: $initial, where: $where) {
    __typename action transition cause cursor key { rowId } new { id title comments { id } } viaCount
    via { __typename relation action ... on PostViaComments { key { rowId } } }
    transaction { xid last }
  }
}`

interface Via {
  readonly __typename: string
  readonly relation: string
  readonly action: string
  readonly key: { readonly rowId: string } | null
}

interface PostEvent {
  readonly action: string
  readonly transition: string | null
  readonly cause: string | null
  readonly cursor: string
  readonly key: { readonly rowId: string } | null
  readonly new: { readonly title: string; readonly comments: readonly object[] } | null
  readonly via: readonly Via[]
  readonly viaCount: number
  readonly transaction: { readonly xid: string; readonly last: boolean } | null
}

/** `none` may not subscribe to comments, `keyless` may not see their ids, `blind` not whose they are; `member` not those called hidden. */
interface AppContext {
  readonly viewer: string
}

const context: ContextFunction = (source) => ({
  context: {
    viewer:
      source.kind === 'websocket'
        ? source.connectionParams['token']
        : source.headers.authorization?.replace('Bearer ', ''),
  },
})
const columns = ['id', 'postId', 'authorId', 'body', 'createdAt']
const hiddenOf: Readonly<Record<string, string>> = { keyless: 'id', blind: 'postId' }
const models = {
  User: {},
  Tag: { replicaIdentity: 'keep' },
  Post: {},
  Comment: {
    canSubscribe: ({ viewer }: AppContext) => viewer !== 'none',
    rows: ({ viewer }: AppContext) => (viewer === 'editor' ? 'all' : { body: { not: 'hidden' } }),
    fields: ({ viewer }: AppContext) =>
      viewer === 'editor' ? 'all' : columns.filter((name) => name !== hiddenOf[viewer]),
  },
} as const

let database: TestDatabase
let running: RunningService

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  running = await openService(database, { context, config: { models: models as never, public: true } })
  await running.service.rowcast.ready()
  await database.query(
    `INSERT INTO users (id, email) VALUES ('${ADA}', 'ada@x');
     INSERT INTO "Post" (id, title, "authorId") SELECT i, 'p' || i, '${ADA}' FROM generate_series(1, 3) i`,
  )
})
afterAll(async () => {
  await running[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const transportOf = (name: string) => {
  const found = STREAM_TRANSPORTS.find((each) => each.name === name)
  if (found === undefined) throw new Error(name)
  return found
}
const open = (token: string, variables: Record<string, unknown> = {}, transport = 'WebSocket') =>
  transportOf(transport).open(running.url, CHANGES, { token, variables: { where: null, ...variables } })
const cursorNow = () => running.service.rowcast.changeCursor()

async function eventOf(stream: Stream): Promise<PostEvent> {
  const { data, errors } = await stream.next()
  if (errors.length > 0) throw new Error(JSON.stringify(errors))
  return (data as { postChanged: PostEvent }).postChanged
}

/** All up to the end of the world, which is a change of the post END. */
async function untilEnd(stream: Stream): Promise<PostEvent[]> {
  const events: PostEvent[] = []
  for (;;) {
    const event = await eventOf(stream)
    if (event.key?.rowId === String(END) && event.action === 'DELETE') return events
    events.push(event)
  }
}
const end = () =>
  database.query(
    `INSERT INTO "Post" (id, title, "authorId") VALUES (${END}, 'end', '${ADA}'); DELETE FROM "Post" WHERE id = ${END}`,
  )

/** One after the other, each with its events. */
function transactionsOf(events: readonly PostEvent[]): PostEvent[][] {
  const all: PostEvent[][] = []
  let xid: string | undefined
  for (const event of events) {
    if (event.transaction?.xid !== xid) all.push([])
    xid = event.transaction?.xid
    all.at(-1)?.push(event)
  }
  return all
}

interface Comment {
  readonly postId: number
  readonly body: string
}

/** What a transaction did, as the model knows it: the posts that hear, for whoever sees all and for whoever does not. */
interface Expected {
  readonly written: ReadonlySet<string>
  readonly heard: Readonly<Record<'editor' | 'member', ReadonlyMap<string, readonly string[]>>>
}

function* randomTransactions(dice: Dice): Generator<{ sql: string; expected: Expected }> {
  const comments = new Map<number, Comment>()
  for (let count = 0; count < TRANSACTIONS; count += 1) {
    const sql: string[] = []
    const written = new Set<string>()
    const heard = { editor: new Map<string, string[]>(), member: new Map<string, string[]>() }
    const note = (action: string, id: number, images: readonly (Comment | undefined)[]) => {
      for (const viewer of ['editor', 'member'] as const) {
        const seen = images.filter(
          (each) => each !== undefined && (viewer === 'editor' || each.body !== 'hidden'),
        )
        for (const post of new Set(seen.map((each) => String(each?.postId))))
          heard[viewer].set(post, [...(heard[viewer].get(post) ?? []), `${action} ${id}`])
      }
    }
    for (let left = 1 + dice.below(4); left > 0; left -= 1) {
      const id = 1 + dice.below(6)
      const known = comments.get(id)
      const [postId, body] = [1 + dice.below(3), dice.pick(['a', 'b', 'hidden'])]
      if (dice.chance(0.2)) {
        written.add(String(postId))
        sql.push(`UPDATE "Post" SET title = 'p' || random() WHERE id = ${postId}`)
      } else if (known === undefined) {
        comments.set(id, { postId, body })
        sql.push(
          `INSERT INTO "Comment" (id, "postId", "authorId", body) VALUES (${id}, ${postId}, '${ADA}', '${body}')`,
        )
        note('INSERT', id, [comments.get(id)])
      } else if (dice.chance(0.25)) {
        comments.delete(id)
        sql.push(`DELETE FROM "Comment" WHERE id = ${id}`)
        note('DELETE', id, [known])
      } else {
        const next = dice.chance(0.5) ? { ...known, postId } : { ...known, body }
        comments.set(id, next)
        sql.push(`UPDATE "Comment" SET "postId" = ${next.postId}, body = '${next.body}' WHERE id = ${id}`)
        note('UPDATE', id, [known, next])
      }
    }
    yield { sql: `BEGIN; ${sql.join('; ')}; COMMIT`, expected: { written, heard } }
  }
}

it('gives each post what its comments went through, to each viewer, as a model of the tables says', async () => {
  const after = await cursorNow()
  const followers = [
    ...(['editor', 'member'] as const).map(async (viewer) => ({
      viewer,
      stream: await open(viewer, { after }),
    })),
    (async () => ({ viewer: 'member' as const, stream: await open('member', { after }, 'SSE POST') }))(),
  ]
  const streams = await Promise.all(followers)
  const transactions = [...randomTransactions(new Dice(SEED))]
  for (const { sql } of transactions) await database.query(sql)
  await end()
  let compared = 0
  for (const { viewer, stream } of streams) {
    const events = await untilEnd(stream)
    const given = transactionsOf(events.filter(({ key }) => key?.rowId !== String(END)))
    for (const { expected, sql } of transactions) {
      const heard = expected.heard[viewer]
      if (heard.size === 0 && expected.written.size === 0) continue
      const own = given.shift() ?? []
      const what = `${viewer}: ${sql}`
      expect(new Set(own.map(({ key }) => key?.rowId)), what).toEqual(
        new Set([...expected.written, ...heard.keys()]),
      )
      for (const [post, changes] of heard) {
        const of = own.filter(({ key }) => key?.rowId === post)
        const via = of.flatMap((event) => event.via.map(({ action, key }) => `${action} ${key?.rowId}`))
        expect(via, what).toEqual(changes)
        compared += via.length
        if (expected.written.has(post)) expect(of.filter(({ cause }) => cause === 'INCLUDED')).toEqual([])
        else expect(of, what).toMatchObject([{ action: 'READ', cause: 'INCLUDED', transition: 'STAYED' }])
      }
      expect(own.every((event) => event.viaCount === event.via.length)).toBe(true)
      expect(own.map(({ transaction }) => transaction?.last)).toEqual(
        own.map((_, index) => index === own.length - 1),
      )
    }
    expect(given, 'nothing besides').toEqual([])
    // Whoever goes on after one of them has the same again from there on.
    const from = events.findIndex(({ transaction }) => transaction?.last === true)
    const resumed = await open(viewer, { after: events[from]?.cursor })
    const again = await untilEnd(resumed)
    const textOf = ({ key, via }: PostEvent) => JSON.stringify([key, via])
    expect(again.map(textOf)).toEqual(events.slice(from + 1).map(textOf))
    await Promise.all([stream.leave(), resumed.leave()])
  }
  expect(compared).toBeGreaterThan(TRANSACTIONS)
})

it('begins with the rows there are, and says nothing of comments, and of columns, that are not for the viewer', async () => {
  await database.query('DELETE FROM "Comment"')
  const stream = await open('member', { initial: true, where: { id: { in: ['1', '2'] } } }, 'SSE POST')
  const first = [await eventOf(stream), await eventOf(stream), await eventOf(stream)]
  expect(first.map(({ action, via }) => [action, via])).toEqual([
    ['READ', []],
    ['READ', []],
    ['READY', []],
  ])
  const write = (sql: string) => database.query(sql)
  await write(
    `INSERT INTO "Comment" (id, "postId", body) VALUES (10, 1, 'hidden'), (11, 3, 'of another post')`,
  )
  await write(`UPDATE "Comment" SET "postId" = 2 WHERE id = 10`)
  await write(`DELETE FROM "Comment" WHERE id = 10`)
  await write(`INSERT INTO "Comment" (id, "postId", body) VALUES (12, 1, 'seen')`)
  expect(await eventOf(stream)).toMatchObject({
    new: { comments: [{ id: '12' }] },
    via: [{ __typename: 'PostViaComments', relation: 'comments', action: 'INSERT', key: { rowId: '12' } }],
  })
  // A column that is not for him: nothing. A comment that goes out of sight is the row that it was.
  await write(`UPDATE "Comment" SET "parentId" = 11 WHERE id = 12`)
  await write(`UPDATE "Comment" SET body = 'hidden', "postId" = 2 WHERE id = 12`)
  expect(await eventOf(stream)).toMatchObject({
    ...{ key: { rowId: '1' }, cause: 'INCLUDED', new: { comments: [] } },
    via: [{ action: 'UPDATE', key: { rowId: '12' } }],
  })
  await write(`UPDATE "Post" SET title = 'last' WHERE id = 1`)
  expect(await eventOf(stream)).toMatchObject({
    action: 'UPDATE',
    new: { title: 'last' },
    via: [],
    viaCount: 0,
  })
  await stream.leave()
})

it('names a hundred of what has changed, and says how many it was', async () => {
  const stream = await open('editor', { after: await cursorNow() })
  for (const [at, count] of [100, 101, 250].entries()) {
    const ids = `generate_series(${1_000 * (at + 1)}, ${1_000 * (at + 1) + count - 1})`
    await database.query(`INSERT INTO "Comment" (id, "postId", body) SELECT id, 1, 'many' FROM ${ids} id`)
    let event = await eventOf(stream)
    // What has committed just before the cursor may come again.
    while (event.via[0]?.action !== 'INSERT') event = await eventOf(stream)
    expect([event.via.length, event.viaCount]).toEqual([Math.min(count, 100), count])
  }
  await stream.leave()
  await database.query('DELETE FROM "Comment" WHERE id >= 1000')
})

it('refuses what is not to be heard of, and what is asked for beside it', async () => {
  const codeOf = async (field: string, token = 'editor') => {
    const { errors } = await transportOf('WebSocket').ask(running.url, `subscription { ${field} }`, { token })
    const code = errors[0]?.extensions?.['code']
    return code === 'GRAPHQL_VALIDATION_FAILED' ? errors[0]?.message : code
  }
  const keys = 'via { ... on PostViaComments { key { rowId } } }'
  expect(await codeOf('postChanged(include: comments) { action }', 'none')).toBe('FORBIDDEN')
  expect(await codeOf('postChanged(include: comments) { action }', 'blind')).toBe('FIELD_HIDDEN')
  expect(await codeOf(`postChanged(include: comments) { ${keys} }`, 'keyless')).toBe('FIELD_HIDDEN')
  expect(await codeOf('postChanged(include: comments, action: UPDATE) { action }')).toBe('BAD_FILTER')
  expect(await codeOf('postChanged(include: []) { action }')).toBe('BAD_FILTER')
  // Through a join table, and to what has no subscription: the schema has no word for either.
  expect(await codeOf('postChanged(include: tags) { action }')).toMatch(/Value "tags" does not exist/)
  expect(await codeOf('userChanged(include: sessions) { action }')).toMatch(/Value "sessions" does not exist/)
})

it('asks nothing of relations that have a type in the document, and are not included', async () => {
  const query = `subscription ($after: Cursor) { userChanged(include: [posts], after: $after) {
    via { relation ... on UserViaPosts { key { rowId } } ... on UserViaComments { key { rowId } } } } }`
  const after = await cursorNow()
  const stream = await transportOf('WebSocket').open(running.url, query, {
    token: 'none',
    variables: { after },
  })
  await database.query(`UPDATE "Post" SET title = title || '!' WHERE id = 1`)
  const { data, errors } = await stream.next()
  expect(errors).toEqual([])
  expect(data).toEqual({ userChanged: { via: [{ relation: 'posts', key: { rowId: '1' } }] } })
  await stream.leave()
})

it('is in a schema of one’s own, with the policies given there', async () => {
  const schema = addChanges(buildSchema('type Query { hello: String }'), running.service.rowcast, {
    models: { Post: {}, Comment: {} },
    policies: new Map(Object.entries({ Comment: models.Comment })) as never,
  })
  const document = parse(`subscription {
    postChanged(include: comments) { key { rowId } cause via { relation action ... on PostViaComments { key { rowId } } } } }`)
  await running.service.rowcast.changeCursor()
  const events = await subscribe({ schema, document, contextValue: { viewer: 'member' } })
  if (!(Symbol.asyncIterator in events)) throw new Error(JSON.stringify(events.errors))
  const next = events.next()
  await database.query(
    `INSERT INTO "Comment" (id, "postId", body) VALUES (20, 2, 'hidden'), (21, 2, 'seen'); `,
  )
  const { value } = await next
  expect(JSON.parse(JSON.stringify(value))).toEqual({
    data: {
      postChanged: {
        ...{ key: { rowId: '2' }, cause: 'INCLUDED' },
        via: [{ relation: 'comments', action: 'INSERT', key: { rowId: '21' } }],
      },
    },
  })
  await events.return?.()
})

it('gives the key before where no old row is sent: a list has no ghost of a row whose key changes', async () => {
  await database.query(`INSERT INTO "Tag" (id, name) VALUES (1, 'one'), (2, 'two')`)
  const client = overWebSocket(running.url)
  const shown = new Set<string>()
  const list = createLiveList<{ readonly id: string }>({
    ...{ client, key: 'id' },
    load: async () =>
      (await database.query<{ id: number }>('SELECT id FROM "Tag"')).map(({ id }) => ({ id: String(id) })),
    request: {
      query: `subscription ($after: Cursor) { tagChanged(after: $after) { cursor action key { rowId } oldKey { rowId } old { rowId } new { id } } }`,
    },
    onChange: ({ oldKey, old }) => shown.add(JSON.stringify([old, oldKey])),
  })
  await expect.poll(() => list.state.status, { timeout: 30_000 }).toBe('live')
  await database.query('UPDATE "Tag" SET id = 3 WHERE id = 1')
  await database.query(`UPDATE "Tag" SET name = 'three' WHERE id = 3`)
  await database.query('INSERT INTO "Tag" (id, name) VALUES (4, $$four$$)')
  await expect
    .poll(() => list.state.rows.map(({ id }) => id), { timeout: 30_000 })
    .toEqual(expect.arrayContaining(['4']))
  expect(list.state.rows.map(({ id }) => id).sort()).toEqual(['2', '3', '4'])
  expect(shown).toEqual(new Set(['[null,{"rowId":"1"}]', '[null,null]']))
  list.stop()
  await client.dispose()
})
