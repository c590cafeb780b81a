/** The table "What works where" of docs/graphql-servers.md: each row is tried in each column that says yes or no, or names the test that does it in all. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { GraphQLSchema } from 'graphql'
import { createSchema } from 'graphql-yoga'
import { describe, expect, it, onTestFinished } from 'vitest'
import { addChanges } from '../../src/graphql/kit/schema-kit.ts'
import { silentLogger } from '../../src/logger.ts'
import { createServer } from '../../src/server/create-server.ts'
import type { ServingControl } from '../../src/server/serving-control.ts'
import { type GivenOptions, openWithHandlers, openWithYoga } from '../conformance/handlers.ts'
import { createConformanceFeed } from '../conformance/target.ts'
import { serveWithYoga } from '../conformance/yoga.ts'
import { subscribeMultipart } from '../support/multipart-client.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { createWsClient } from '../support/ws-client.ts'

const ROOT = join(import.meta.dirname, '../..')

interface Opened {
  readonly url: string
  readonly control: ServingControl | null
  close(): Promise<unknown>
}

async function openServer(options: GivenOptions): Promise<Opened> {
  const server = createServer({
    ...{ logger: silentLogger, port: 0, graphiql: true, health: () => ({ isReady: true }), ...options },
  })
  const { url } = await server.listen()
  return { url, control: server, close: () => server.close() }
}
const withControl = async (opening: ReturnType<typeof openWithHandlers>): Promise<Opened> => {
  const { url, live, close } = await opening
  return { url, control: live, close }
}

/** By the heads of the columns. */
const WAYS: Readonly<Record<string, (options: GivenOptions) => Promise<Opened>>> = {
  '`rowcast serve`, `createServer`': openServer,
  '`createHandlers`: `handle`, `attach`': (options) => withControl(openWithHandlers(options)),
  '`createHandlers`: `yogaPlugin`, `useServer`': (options) => withControl(openWithYoga(options)),
  'the schema alone, in any server': async ({ schema }) => ({
    ...(await serveWithYoga(schema)),
    control: null,
  }),
}

const DOCUMENT = 'subscription { tagChanged { cursor new { loud } } }'
const HELLO = '{ hello }'
const HASH = createHash('sha256').update(HELLO).digest('hex')

/** A server whose resolvers count, with a viewer whom everything is shown. */
async function open(way: string, more: Partial<GivenOptions> = {}) {
  const feed = createConformanceFeed()
  feed.open()
  const counts = { resolved: 0, asked: 0 }
  const team = createSchema({
    typeDefs: 'type Tag { id: Int! loud: String! } type Query { hello: String }',
    resolvers: { Query: { hello: () => 'world' }, Tag: { loud: () => `${++counts.resolved}` } },
  })
  const schema: GraphQLSchema = addChanges(team, feed, {
    models: { Tag: { type: 'Tag' } },
    shareBy: () => '',
  })
  const context = () => {
    counts.asked += 1
    return { context: { viewer: 'admin' } }
  }
  const server = await WAYS[way]?.({ schema, context, ...more })
  if (server === undefined) throw new Error(`There is no way ${way}.`)
  onTestFinished(async () => void (await server.close()))
  let id = 0
  const commit = () => {
    id += 1
    feed.commit({ model: 'Tag', action: 'INSERT', new: { id, name: 'a' }, key: { id } })
  }
  const subscribed = (count: number) => expect.poll(() => feed.requests.length).toBe(count)
  return { ...server, counts, commit, subscribed }
}

const VIEWER = { 'x-viewer': 'admin' }

async function ask(url: string, body: object): Promise<object> {
  const headers = { 'content-type': 'application/json' }
  return (await fetch(`${url}/graphql`, { method: 'POST', headers, body: JSON.stringify(body) })).json()
}

/** Whether it works; or the tests that try it wherever the table says yes. */
type Probe = (way: string) => Promise<boolean>
const PROBES: Readonly<Record<string, Probe | readonly string[]>> = {
  'Types, filters, cursors, policies, `initial`, errors': ['test/conformance/conformance.test.ts'],
  'One execution for those who see the same': async (way) => {
    const { url, counts, commit, subscribed } = await open(way)
    const [one, two] = [
      await subscribeSse(url, DOCUMENT, {}, 'POST', VIEWER),
      await subscribeSse(url, DOCUMENT, {}, 'POST', VIEWER),
    ]
    await subscribed(2)
    commit()
    await Promise.all([one.nextData(), two.nextData()])
    for (const each of [one, two]) each.unsubscribe()
    return counts.resolved === 1
  },
  '`context`, expiry, `sessions`, `revalidateSessions()`': async (way) => {
    const { url, counts, control } = await open(way)
    await ask(url, { query: HELLO })
    return counts.asked > 0 && control?.revalidateSessions !== undefined
  },
  'Limits of documents, reads, subscriptions, unread bytes': async (way) => {
    const { url } = await open(way)
    const query = `{ ${Array.from({ length: 50 }, (_, index) => `a${index}: hello`).join(' ')} }`
    return 'errors' in (await ask(url, { query }))
  },
  'Persisted documents': async (way) => {
    const { url } = await open(way, { persistedDocuments: { manifest: { [HASH]: HELLO } } })
    const extensions = { persistedQuery: { version: 1, sha256Hash: HASH } }
    return JSON.stringify(await ask(url, { extensions })) === '{"data":{"hello":"world"}}'
  },
  'WebSocket, event streams': async (way) => {
    const { url, commit, subscribed } = await open(way)
    const client = createWsClient(url)
    onTestFinished(() => client.close())
    const streams = [client.subscribe(DOCUMENT), await subscribeSse(url, DOCUMENT)]
    await subscribed(2)
    commit()
    const results = await Promise.all(streams.map((each) => each.nextData()))
    for (const each of streams) each.unsubscribe()
    return results.every((each) => 'tagChanged' in each)
  },
  'Multipart subscriptions': async (way) => {
    const { url, commit, subscribed } = await open(way)
    const stream = await subscribeMultipart(url, DOCUMENT)
    await subscribed(1)
    commit()
    const data = await stream.nextData()
    stream.unsubscribe()
    return 'tagChanged' in data
  },
  '`Last-Event-ID`, bookmarks': async (way) => {
    const { url, commit, subscribed } = await open(way)
    const stream = await subscribeSse(url, DOCUMENT, {}, 'POST', VIEWER)
    await subscribed(1)
    commit()
    await stream.nextData()
    stream.unsubscribe()
    return stream.lastEventId !== null
  },
  'Orderly stop: `refuse`, `drain`, `close`': async (way) => {
    const { url, control, close, subscribed } = await open(way)
    const stream = await subscribeSse(url, DOCUMENT, {}, 'POST', VIEWER)
    await subscribed(1)
    if (control === null) {
      stream.unsubscribe()
      return false
    }
    control.refuse()
    await close()
    await stream.ended()
    return true
  },
  'GraphiQL, live page, `/health`, `/metrics`': async (way) => {
    const { url } = await open(way)
    return (await fetch(`${url}/health/live`)).status === 200
  },
  'Bound of TCP connections, slow requests': ['test/server/foreign-server.test.ts'],
}

/** The cells of the table, by row and column. */
function readTable() {
  const page = readFileSync(join(ROOT, 'docs/graphql-servers.md'), 'utf8')
  const [head = [], , ...rows] = page
    .slice(page.indexOf('\n## What works where'))
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
  const [, ...columns] = head
  return { columns, rows: rows.map(([name = '', ...cells]) => ({ name, cells })) }
}

const { columns, rows } = readTable()

describe('the table of what works where', () => {
  it('has the columns and rows that are tried here', () => {
    expect(columns).toEqual(Object.keys(WAYS))
    expect(rows.map(({ name }) => name)).toEqual(Object.keys(PROBES))
    const named = Object.values(PROBES).flatMap((probe) => (typeof probe === 'function' ? [] : probe))
    expect(named.filter((file) => !existsSync(join(ROOT, file)))).toEqual([])
  })

  const cells = rows.flatMap(({ name, cells }) =>
    cells.flatMap((cell, index) => {
      const probe = PROBES[name]
      // What is the application's own, or its server's, is as that is.
      return typeof probe !== 'function' || !/^(yes|no)\b/.test(cell)
        ? []
        : [[name, columns[index] ?? '', cell, probe] as const]
    }),
  )
  it.each(cells)('%s in %s: %s', async (_name, way, cell, probe) => {
    expect(await probe(way)).toBe(cell.startsWith('yes'))
  })
})
