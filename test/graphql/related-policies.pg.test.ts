/**
 * Policies that follow relations, as the clients of a service see them: who is added to a team has its rows from that commit on, and who
 * is removed from it has lost them, in subscriptions, in queries and in relations.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ContextFunction } from '../../src/server/session/context.ts'
import {
  type Answer,
  STREAM_TRANSPORTS,
  type Stream,
  TRANSPORTS,
  type Transport,
} from '../security/transports.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService, type RunningService } from '../support/live-service.ts'

const CHANGES = `subscription ($after: Cursor, $initial: Boolean, $action: [ChangeAction!], $where: PostWhere) {
  postChanged(after: $after, initial: $initial, action: $action, where: $where) {
    __typename action transition cause cursor key { rowId } old { title } new { id title team { name } }
    transaction { xid index last }
  }
}`

interface PostEvent {
  readonly __typename: string
  readonly action: string
  readonly transition: string | null
  readonly cause: string | null
  readonly cursor: string
  readonly key: { readonly rowId: string } | null
  readonly old: { readonly title: string } | null
  readonly new: { readonly id: string; readonly title: string } | null
}

const context: ContextFunction = (source) => ({
  context: {
    viewer:
      source.kind === 'websocket'
        ? source.connectionParams['token']
        : source.headers.authorization?.replace('Bearer ', ''),
  },
})

type AppContext = { readonly viewer: string }
const memberOf = ({ viewer }: AppContext) => ({ memberships: { some: { userId: viewer } } })
const models = {
  Post: {
    softDelete: 'deletedAt',
    rows: (context: AppContext) =>
      context.viewer === 'admin' ? 'all' : { OR: [{ status: 'PUBLISHED' }, { team: memberOf(context) }] },
  },
  Team: { rows: (context: AppContext) => (context.viewer === 'admin' ? 'all' : memberOf(context)) },
  Membership: {
    rows: ({ viewer }: AppContext) => (viewer === 'admin' ? 'all' : { userId: viewer }),
  },
  User: { rows: () => 'all' },
} as const

const ADA = '00000000-0000-4000-8000-00000000000a'
const BOB = '00000000-0000-4000-8000-00000000000b'
const RED = '00000000-0000-4000-8000-0000000000f1'
const BLUE = '00000000-0000-4000-8000-0000000000f2'

let database: TestDatabase
let running: RunningService

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  running = await openService(database, { context, config: { models: models as never } })
  await running.service.rowcast.ready()
})

afterAll(async () => {
  await running[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

beforeEach(async () => {
  await database.query('DELETE FROM users; DELETE FROM "Team"')
  await database.query(
    `INSERT INTO users (id, email) VALUES ('${ADA}', 'ada@x'), ('${BOB}', 'bob@x');
     INSERT INTO "Team" (id, name, slug) VALUES ('${RED}', 'red', 'red'), ('${BLUE}', 'blue', 'blue');
     INSERT INTO team_memberships (user_id, team_id) VALUES ('${ADA}', '${RED}'), ('${BOB}', '${BLUE}');
     INSERT INTO "Post" (id, "authorId", "teamId", title) VALUES
       (1, '${BOB}', '${RED}', 'red one'), (2, '${BOB}', '${BLUE}', 'blue two'), (3, '${BOB}', '${BLUE}', 'blue three'),
       (4, '${BOB}', NULL, 'nobody four')`,
  )
  // First rows of a policy are those of the position that the stream has come to; of all rows, READY comes behind what was there.
  for await (const event of running.service.rowcast.subscribe('Post', { initial: true }))
    if (event.action === 'READY') break
})

const eventOf = async (stream: Stream): Promise<PostEvent> => {
  const { data, errors }: Answer = await stream.next()
  if (errors.length > 0) throw new Error(JSON.stringify(errors))
  return (data as { postChanged: PostEvent }).postChanged
}
const add = (user: string, team: string) =>
  database.query(`INSERT INTO team_memberships (user_id, team_id) VALUES ('${user}', '${team}')`)
const remove = (user: string, team: string) =>
  database.query(`DELETE FROM team_memberships WHERE user_id = '${user}' AND team_id = '${team}'`)
const write = (id: number, title: string) =>
  database.query(`UPDATE "Post" SET title = '${title}' WHERE id = ${id}`)

const transports = STREAM_TRANSPORTS.filter(({ name }) => name !== 'SSE GET')

describe.each(transports.map((transport) => [transport.name, transport] as const))(
  'a policy that follows relations, over %s',
  (_, transport) => {
    const open = (given: Record<string, unknown> = {}, token = ADA) =>
      transport.open(running.url, CHANGES, { token, variables: { where: null, ...given } })

    /** Begun, once what it begins with has come. */
    async function begun(variables: Record<string, unknown> = {}, token = ADA) {
      const stream = await open({ initial: true, ...variables }, token)
      const titles: (string | undefined)[] = []
      for (;;) {
        const event = await eventOf(stream)
        if (event.action === 'READY') return { stream, titles: titles.sort(), ready: event }
        expect(event).toMatchObject({ action: 'READ', transition: 'ENTERED', cause: 'INITIAL', old: null })
        titles.push(event.new?.title)
      }
    }

    it('lets a member who is added see the rows, and one who is removed lose them, at that commit', async () => {
      const { stream, titles } = await begun()
      expect(titles).toEqual(['red one'])
      await write(2, 'not for ada')
      await write(1, 'red 1')
      expect(await eventOf(stream)).toMatchObject({ action: 'UPDATE', new: { title: 'red 1' } })
      await add(ADA, BLUE)
      const entered = [await eventOf(stream), await eventOf(stream)]
      expect(entered.map((event) => event.new?.title).sort()).toEqual(['blue three', 'not for ada'])
      for (const event of entered) {
        expect(event).toMatchObject({
          ...{ __typename: 'PostRead', action: 'READ', transition: 'ENTERED', cause: 'ACCESS', old: null },
          new: { team: { name: 'blue' } },
        })
      }
      expect(entered).toMatchObject([
        { transaction: { index: 1, last: false } },
        { transaction: { index: 2, last: true } },
      ])
      await write(2, 'blue 2')
      expect(await eventOf(stream)).toMatchObject({ action: 'UPDATE', new: { title: 'blue 2' } })
      // What the transaction that takes the right away writes itself shows what was there before, and nothing of what is now.
      await database.query(
        `BEGIN; UPDATE "Post" SET title = 'secret' WHERE id = 2;
         DELETE FROM team_memberships WHERE user_id = '${ADA}' AND team_id = '${BLUE}'; COMMIT`,
      )
      expect(await eventOf(stream)).toMatchObject({
        ...{ __typename: 'PostDeleted', transition: 'LEFT', old: { title: 'blue 2' }, new: null },
        key: { rowId: '2' },
      })
      expect(await eventOf(stream)).toMatchObject({
        ...{ action: 'READ', transition: 'LEFT', cause: 'ACCESS', key: { rowId: '3' }, new: null, old: null },
      })
      await write(3, 'more secrets')
      await database.query(`DELETE FROM "Post" WHERE id = 2`)
      await write(1, 'red once more')
      expect(await eventOf(stream)).toMatchObject({ new: { title: 'red once more' } })
      await stream.leave()
    })

    it('holds for what was missed: nothing is replayed of a right that was taken away meanwhile', async () => {
      // First rows are those of where the stream is: it has the membership once somebody else has seen it.
      const before = await begun()
      await add(ADA, BLUE)
      for (let entered = 0; entered < 2; entered += 1) await eventOf(before.stream)
      await before.stream.leave()
      const { stream, titles } = await begun()
      expect(titles).toEqual(['blue three', 'blue two', 'red one'])
      await write(2, 'seen')
      const { cursor } = await eventOf(stream)
      await stream.leave()
      await write(3, 'may be seen')
      await remove(ADA, BLUE)
      await write(3, 'secret')
      await write(1, 'end')
      const again = await open({ after: cursor })
      const events: PostEvent[] = []
      do events.push(await eventOf(again))
      while (events.at(-1)?.new?.title !== 'end')
      expect(events).toMatchObject([
        { action: 'UPDATE', new: { title: 'may be seen' } },
        ...[
          { action: 'READ', transition: 'LEFT' },
          { action: 'READ', transition: 'LEFT' },
        ],
        { action: 'UPDATE', new: { title: 'end' } },
      ])
      await again.leave()
    })

    it('stands beside `where`, and beside soft deletion', async () => {
      await database.query(`UPDATE "Post" SET "deletedAt" = now() WHERE id = 3`)
      const { stream, titles } = await begun({ where: { title: { not: { equals: 'hidden' } } } })
      expect(titles).toEqual(['red one'])
      await add(ADA, BLUE)
      expect(await eventOf(stream)).toMatchObject({ action: 'READ', new: { title: 'blue two' } })
      await database.query(`UPDATE "Post" SET "deletedAt" = now() WHERE id = 2`)
      expect(await eventOf(stream)).toMatchObject({ action: 'DELETE', old: { title: 'blue two' } })
      await database.query(`UPDATE "Post" SET "deletedAt" = NULL WHERE id = 3`)
      expect(await eventOf(stream)).toMatchObject({ action: 'INSERT', new: { title: 'blue three' } })
      await stream.leave()
    })

    it('hides rows from who asks for writes alone, who is not given any that nobody wrote', async () => {
      // What was written before has come by then.
      const all = await begun({}, 'admin')
      const stream = await open({ action: ['INSERT', 'UPDATE'], after: all.ready.cursor })
      await add(ADA, BLUE)
      await write(2, 'for ada')
      await remove(ADA, BLUE)
      await write(2, 'not any more')
      await write(1, 'red 1')
      const events = [await eventOf(stream), await eventOf(stream)]
      expect(events.map((event) => [event.action, event.new?.title])).toEqual([
        ['UPDATE', 'for ada'],
        ['UPDATE', 'red 1'],
      ])
      const seen = [await eventOf(all.stream), await eventOf(all.stream), await eventOf(all.stream)]
      expect(seen.map((event) => event.new?.title)).toEqual(['for ada', 'not any more', 'red 1'])
      await Promise.all([stream.leave(), all.stream.leave()])
    })
  },
)

it('holds for queries, relations, counts and rows by key', async () => {
  const QUERY = `{
    posts(take: 5, orderBy: [{ id: ASC }]) { title team { name } }
    post(id: 2) { title }
    teams(take: 5) { name posts(take: 5) { title } memberships(take: 5) { userId } }
    users(take: 5, orderBy: [{ email: ASC }]) { email posts(take: 5) { title } memberships(take: 5) { team { name } } }
  }`
  const http = TRANSPORTS[0] as Transport
  const answer = async (token: string) => {
    const { data, errors } = await http.ask(running.url, QUERY, { token })
    expect(errors).toEqual([])
    return data
  }
  expect(await answer(ADA)).toEqual({
    posts: [{ title: 'red one', team: { name: 'red' } }],
    post: null,
    teams: [{ name: 'red', posts: [{ title: 'red one' }], memberships: [{ userId: ADA }] }],
    users: [
      { email: 'ada@x', posts: [], memberships: [{ team: { name: 'red' } }] },
      { email: 'bob@x', posts: [{ title: 'red one' }], memberships: [] },
    ],
  })
  await add(ADA, BLUE)
  expect(await answer(ADA)).toMatchObject({ post: { title: 'blue two' }, teams: [{}, {}] })
  await remove(ADA, BLUE)
  expect(await answer(ADA)).toMatchObject({ post: null, teams: [{ name: 'red' }] })
})
