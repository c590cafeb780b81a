/** Lists, totals and whole transactions on many screens: one execution for all who are shown the same, on each transport; nobody is held up, and nobody gets another's. */
import type { Socket } from 'node:net'
import { type ExecutionArgs, GraphQLError, type GraphQLSchema, parse } from 'graphql'
import { createSchema } from 'graphql-yoga'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { PrismaClient } from '../../prisma/generated/client/client.ts'
import { addChanges } from '../../src/graphql/kit/schema-kit.ts'
import type { SchemaParts } from '../../src/graphql/schema-parts.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { createDeliveries } from '../../src/server/delivery/deliveries.ts'
import { RESULT_TEXT, ResultStream } from '../../src/server/delivery/subscription-results.ts'
import type { ContextFunction } from '../../src/server/session/context.ts'
import { type OwnServer, openWithHandlers, openWithYoga } from '../conformance/handlers.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { openService, type RunningService } from '../support/live-service.ts'
import { subscribeMultipart } from '../support/multipart-client.ts'
import type { ResultQueue } from '../support/result-queue.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { createWsClient, type WsClient } from '../support/ws-client.ts'

const SCREENS = 6
const SDL = /* GraphQL */ `
  type Tag { id: ID! name: String! shout: String! }
  type Query { viewer: String }
`

let database: TestDatabase
let running: RunningService
let handled: OwnServer
let yoga: OwnServer
let schema: GraphQLSchema
const sockets: WsClient[] = []
const queues: { unsubscribe(): void }[] = []
/** Names of the rows of which `shout` was asked, by whom. */
let shouts: string[] = []

const viewerOf = (context: object) => String(Reflect.get(context, 'viewer'))

function ownSchema({ feed }: SchemaParts<PrismaClient>): GraphQLSchema {
  const own = createSchema({
    typeDefs: SDL,
    resolvers: {
      Query: { viewer: (_root: unknown, _args: unknown, context: object) => viewerOf(context) },
      Tag: {
        shout({ name }: { readonly name: string }, _args: unknown, context: object) {
          shouts.push(name)
          return `${viewerOf(context)}: ${name.toUpperCase()}`
        },
      },
    },
  })
  schema = addChanges(own, feed, {
    models: { Tag: { type: 'Tag' } },
    ...{ lists: true, totals: true, changes: true },
    // Whoever is called that shares with nobody.
    shareBy: (context) => (viewerOf(context) === 'alone' ? null : viewerOf(context)),
  })
  return schema
}

beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  const context: ContextFunction = (source) => ({
    context: {
      viewer: source.kind === 'websocket' ? source.connectionParams['viewer'] : source.headers['viewer'],
    },
  })
  running = await openService(database, { context, config: { schema: ownSchema, public: true } })
  await running.service.rowcast.ready()
  handled = await openWithHandlers({ schema, context })
  yoga = await openWithYoga({ schema, context })
})
afterEach(async () => {
  for (const queue of queues.splice(0)) queue.unsubscribe()
  for (const socket of sockets.splice(0)) await socket.close()
  await expect.poll(() => running.service.rowcast.listCost().subscriptions).toBe(0)
})
afterAll(async () => {
  await handled?.close()
  await yoga?.close()
  await running[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const list = (fields: string) => `subscription { list: tagList(orderBy: [{ id: DESC }], take: 5) { cursor
  ... on TagListSnapshot { rows { ${fields} } } ... on TagListPatch { operations { kind index key { rowId } row { ${fields} } } } } }`
const LIST = list('id name shout')

interface Row {
  readonly id: string
  readonly name: string
  readonly shout: string
}

interface Data {
  readonly list: {
    readonly rows?: readonly Row[]
    readonly operations?: readonly {
      readonly kind: string
      readonly index: number
      readonly key: { readonly rowId: string }
      readonly row: Row | null
    }[]
  }
}

type Queue = ResultQueue<Data> & { unsubscribe(): void }
type Open = (viewer: string, document?: string, url?: string) => Promise<Queue>

const TRANSPORTS: Readonly<Record<string, Open>> = {
  async webSocket(viewer, document = LIST, url = running.url) {
    const socket = createWsClient(url, { viewer })
    sockets.push(socket)
    return socket.subscribe<Data>(document)
  },
  eventStream: (viewer, document = LIST, url = running.url) =>
    subscribeSse<Data>(url, document, {}, 'POST', { viewer }),
  multipart: (viewer, document = LIST, url = running.url) =>
    subscribeMultipart<Data>(url, document, {}, { viewer }),
}
let turn = 0
/** Each screen by another of them. */
const openMixed: Open = (...asked) => {
  const all = Object.values(TRANSPORTS)
  turn += 1
  return (all[turn % all.length] as Open)(...asked)
}

/** Servers with the same schema, and how a client comes to them. */
const WAYS: Readonly<Record<string, () => string>> = {
  serve: () => running.url,
  'handle and attach': () => handled.url,
  'yogaPlugin and useServer': () => yoga.url,
}
const EACH = Object.entries(WAYS).flatMap(([way, urlOf]) =>
  [...Object.entries(TRANSPORTS), ['all of them', openMixed] as const].map(
    ([transport, open]) => [`${transport} of ${way}`, open, urlOf] as const,
  ),
)

/** A screen, which puts the list together and knows nothing but the operations. */
class Screen {
  rows: Row[] = []
  readonly #queue: Queue

  constructor(queue: Queue) {
    this.#queue = queue
    queues.push(queue)
  }

  async next(): Promise<void> {
    const { rows, operations = [] } = (await this.#queue.nextData(20_000)).list
    if (rows !== undefined) this.rows = [...rows]
    for (const { kind, index, key, row } of operations) {
      const at = this.rows.findIndex(({ id }) => String(id) === String(key.rowId))
      expect(at >= 0).toBe(kind !== 'INSERT')
      if (kind === 'UPDATE' || kind === 'REMOVE') expect(at).toBe(index)
      if (at >= 0) this.rows.splice(at, 1)
      if (kind !== 'REMOVE') this.rows.splice(index, 0, row as Row)
    }
  }

  async until(name: string): Promise<void> {
    while (!this.rows.some((row) => row.name === name)) await this.next()
  }
}

const write = (name: string) => database.query(`INSERT INTO "Tag" (name) VALUES ('${name}')`)

async function namesNow(): Promise<string[]> {
  const rows = await database.query<{ name: string }>(`SELECT name FROM "Tag" ORDER BY id DESC LIMIT 5`)
  return rows.map(({ name }) => name)
}

it.each(EACH)(
  'makes each event of a list once for all who are shown the same, and begins them with one execution: %s',
  async (transport, openAt, urlOf) => {
    const open = (viewer: string, document = LIST) => openAt(viewer, document, urlOf())
    await write(`${transport} a`)
    shouts = []
    // One after the other: nobody changes anything meanwhile.
    const same: Screen[] = []
    for (let number = 0; number < SCREENS; number += 1) {
      const screen = new Screen(await open('ada'))
      await screen.until(`${transport} a`)
      same.push(screen)
    }
    const shown = same[0]?.rows.length ?? 0
    expect(shouts).toHaveLength(shown)
    const others = [
      new Screen(await open('ada', list('name shout id'))),
      new Screen(await open('bob')),
      new Screen(await open('alone')),
      new Screen(await open('alone')),
    ]
    for (const screen of others) await screen.until(`${transport} a`)
    expect(shouts).toHaveLength(shown * (1 + others.length))
    shouts = []
    await write(`${transport} b`)
    for (const screen of [...same, ...others]) await screen.until(`${transport} b`)
    expect(shouts).toEqual(Array.from({ length: 1 + others.length }, () => `${transport} b`))
    const now = await namesNow()
    const viewers = [...same.map(() => 'ada'), 'ada', 'bob', 'alone', 'alone']
    for (const [index, { rows }] of [...same, ...others].entries())
      expect(rows.map(({ shout }) => shout)).toEqual(
        now.map((name) => `${viewers[index]}: ${name.toUpperCase()}`),
      )
  },
)

it.each(Object.entries(TRANSPORTS))(
  'holds nobody up for one who does not read, and gives late ones what there is, then what follows: %s',
  async (transport, open) => {
    const stalled = createWsClient(running.url, { viewer: 'ada' })
    sockets.push(stalled)
    const raw = Reflect.get(await stalled.connected(), '_socket') as Socket
    const slow = new Screen(stalled.subscribe<Data>(LIST))
    await slow.next()
    raw.pause()
    const screens: Screen[] = []
    const reading: Promise<void>[] = []
    const last = `${transport} 59`
    for (let count = 0; count < 60; count += 1) {
      if (count % 10 === 0) {
        const screen = new Screen(await open('ada'))
        screens.push(screen)
        reading.push(screen.until(last))
      }
      await write(`${transport} ${count}`)
    }
    await Promise.all(reading)
    const now = await namesNow()
    for (const { rows } of screens) expect(rows.map(({ name }) => name)).toEqual(now)
    raw.resume()
    await slow.until(last)
    expect(slow.rows.map(({ name }) => name)).toEqual(now)
  },
)

const TOTALS = 'subscription { tagTotals { count max { name } cursor } }'
const CHANGES = `subscription { changes(of: { tag: {} }) { isLast cursor transaction { xid }
  changes { __typename action ... on TagInserted { new { name shout } } } } }`

it.each([
  ['a list', LIST],
  ['totals', TOTALS],
  ['whole transactions', CHANGES],
])('gives all who are shown the same of %s one text, and others one of their own', async (name, source) => {
  const mask = (error: unknown) => (error instanceof GraphQLError ? error : new GraphQLError(String(error)))
  const deliveries = createDeliveries({ mask, guard: createGuard(silentLogger) })
  const opened = ['ada', 'ada', 'bob', 'ada', 'alone'].map(async (viewer) => {
    const args: ExecutionArgs = { schema, document: parse(source), contextValue: { viewer } }
    const stream = await deliveries.subscribe(args)
    if (!(stream instanceof ResultStream)) throw new Error(JSON.stringify(stream))
    return stream
  })
  const streams = await Promise.all(opened)
  expect(deliveries.groups.size).toBe(2)
  const next = async () => {
    const all = await Promise.all(streams.map((stream) => stream.next()))
    return all.map(({ value }) => value?.[RESULT_TEXT])
  }
  const firsts = source === CHANGES ? null : await next()
  shouts = []
  await database.query(`INSERT INTO "Tag" (name) SELECT '${name} ' || i FROM generate_series(1, 3) i`)
  const seconds = await next()
  for (const texts of [firsts, seconds]) {
    if (texts === null) continue
    const [ada, again, bob, third, alone] = texts
    expect(ada?.text).toContain('cursor')
    expect([again, third].every((each) => each === ada)).toBe(true)
    expect(new Set([ada, bob, alone]).size).toBe(3)
  }
  expect(shouts).toHaveLength(source === TOTALS ? 0 : 9)
  for (const stream of streams) await stream.return()
})

it('distinguishes parts of transactions by what is asked of them', async () => {
  const deliveries = createDeliveries({
    mask: () => new GraphQLError('masked'),
    guard: createGuard(silentLogger),
  })
  const asked = ['{}', '{ where: { name: { startsWith: "part" } } }', '{}']
  const streams = await Promise.all(
    asked.map(async (of) => {
      const document = parse(
        `subscription { changes(of: { tag: ${of} }) { changes { ... on TagInserted { new { name } } } } }`,
      )
      const stream = await deliveries.subscribe({ schema, document, contextValue: { viewer: 'ada' } })
      if (!(stream instanceof ResultStream)) throw new Error(JSON.stringify(stream))
      return stream
    }),
  )
  const next = Promise.all(streams.map(async (stream) => (await stream.next()).value?.[RESULT_TEXT]))
  await database.query(`INSERT INTO "Tag" (name) VALUES ('whole 1'), ('part 1')`)
  const [all, part, again] = await next
  expect(again).toBe(all)
  expect(all?.text).toContain('whole 1')
  expect(part?.text).not.toContain('whole 1')
  expect(part?.text).toContain('part 1')
  for (const stream of streams) await stream.return()
})
