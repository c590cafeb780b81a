/**
 * `rowcast serve --subgraph` behind a gateway, with a subgraph of a team beside it: rows found here or there, over all that the gateway
 * speaks with its clients and with rowcast, under the policies of who asks.
 */
import { createClient } from 'graphql-ws'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import WebSocket from 'ws'
import type { ServiceConfig } from '../../src/config/config.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { openService, type RunningService } from '../support/live-service.ts'
import { createResultQueue, type ResultQueue } from '../support/result-queue.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { compose, type Served, type Subgraph, serveGateway, serveTeam, subgraphOf } from './hive-gateway.ts'

const ADA = '6a0e3a3c-0000-4000-8000-000000000001'
const BOB = '6a0e3a3c-0000-4000-8000-000000000002'

const openSubgraph = (subgraph: ServiceConfig['subgraph'], database: TestDatabase) =>
  openService(database, {
    context: (source) => {
      const params = source.kind === 'websocket' ? source.connectionParams : {}
      const token = String(params['authorization'] ?? source.headers.authorization)
      return { context: { viewer: token.split(' ')[1] } }
    },
    config: {
      subgraph,
      models: {
        User: {
          canSubscribe: (context) => (context as { viewer: string }).viewer !== 'nobody',
          rows: (context) =>
            (context as { viewer: string }).viewer === 'admin' ? 'all' : { role: { equals: 'MEMBER' } },
        },
        Membership: {},
      },
    },
  })

async function ask(url: string, query: string, viewer: string, variables: object = {}) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${viewer}` },
    body: JSON.stringify({ query, variables }),
  })
  return (await response.json()) as { data: Record<string, unknown> | null; errors?: { path?: unknown[] }[] }
}

type Changes = ResultQueue<Record<string, unknown>>

/** How a client may subscribe at the gateway, which has no multipart for subscriptions. */
const CLIENTS: Readonly<Record<'sse' | 'websocket', (url: string, query: string) => Promise<Changes>>> = {
  sse: (url, query) => subscribeSse(url, query, {}, 'POST', { authorization: 'Bearer member' }),
  async websocket(url, query) {
    const queue = createResultQueue<Record<string, unknown>>()
    const client = createClient({
      ...{ url: `${url.replace('http', 'ws')}/graphql`, webSocketImpl: Member, retryAttempts: 0 },
    })
    client.subscribe<Record<string, unknown>>(
      { query },
      {
        next: (result) => queue.push(result as never),
        error: (error) => queue.end({ kind: 'closed', reason: String(error) }),
        complete: () => queue.end({ kind: 'complete' }),
      },
    )
    return queue
  },
}

/** A socket of a member. */
class Member extends WebSocket {
  constructor(url: string, protocols: string) {
    super(url, protocols, { headers: { authorization: 'Bearer member' } })
  }
}

/** On a busy machine, too. */
const POLL = { timeout: 20_000 }

const subscribersOf = (running: RunningService) =>
  running.service.rowcast.status().subscriptions.get('User') ?? 0

let database: TestDatabase
beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  await database.query(`INSERT INTO users (id, email, role) VALUES
    ('${ADA}', 'ada@x', 'administrator'), ('${BOB}', 'bob@x', 'MEMBER')`)
})
afterAll(() => database?.[Symbol.asyncDispose]())

describe('rows that are found here', () => {
  let running: RunningService
  let team: Subgraph & Served
  let rowcast: Subgraph
  beforeAll(async () => {
    running = await openSubgraph(true, database)
    await running.service.rowcast.ready()
    rowcast = await subgraphOf(running.url)
    team = await serveTeam(
      `type Query { featured: [User]! }
       type User @key(fields: "id") { id: ID! nickname: String! }`,
      {
        Query: { featured: () => [{ id: ADA }, { id: BOB }] },
        User: { nickname: ({ id }: { id: string }) => `nick ${id.slice(-1)}` },
      },
    )
  })
  afterAll(async () => {
    await team?.[Symbol.asyncDispose]()
    await running?.[Symbol.asyncDispose]()
  })

  it('are fetched by key, those that the viewer may see', async () => {
    await using gateway = await serveGateway([rowcast, team])
    const query = '{ featured { nickname email memberships(take: 1) { isOwner } } }'
    const bob = { nickname: 'nick 2', email: 'bob@x', memberships: [] }
    const ada = { nickname: 'nick 1', email: 'ada@x', memberships: [] }
    expect(await ask(gateway.url, query, 'admin')).toEqual({ data: { featured: [ada, bob] } })
    const { data } = await ask(gateway.url, query, 'member')
    expect(data).toEqual({ featured: [null, bob] })
  })

  it.each([
    ['sse', 'sse'],
    ['sse', 'websocket'],
    ['websocket', 'sse'],
    ['websocket', 'websocket'],
  ] as const)('change for a client over %s, and a gateway over %s', async (client, upstream) => {
    await using gateway = await serveGateway([rowcast, team], { upstream })
    const changes = await CLIENTS[client](
      gateway.url,
      'subscription { userChanged(action: UPDATE) { action old { email } new { email nickname } } }',
    )
    await expect.poll(() => subscribersOf(running), POLL).toBe(1)
    const email = `${client}.${upstream}@x`
    const [before] = await database.query<{ email: string }>(`SELECT email FROM users WHERE id = '${BOB}'`)
    await database.query(`UPDATE users SET email = '${email}.hidden' WHERE id = '${ADA}'`)
    await database.query(`UPDATE users SET email = '${email}' WHERE id = '${BOB}'`)
    expect(await changes.nextData()).toEqual({
      userChanged: { action: 'UPDATE', old: before, new: { email, nickname: 'nick 2' } },
    })
    await gateway[Symbol.asyncDispose]()
    await expect.poll(() => subscribersOf(running), POLL).toBe(0)
  })

  it('go on where they were behind a gateway that restarts: a cursor of rowcast is good through it', async () => {
    const query = `subscription ($after: Cursor) {
      userChanged(action: UPDATE, after: $after) { cursor new { email nickname } }
    }`
    const emails: unknown[] = []
    let after: string | null = null
    const { port } = await (async () => {
      await using gateway = await serveGateway([rowcast, team], { upstream: 'websocket' })
      const events = await subscribeSse(gateway.url, query, {}, 'POST', { authorization: 'Bearer member' })
      await expect.poll(() => subscribersOf(running), POLL).toBe(1)
      await database.query(`UPDATE users SET email = 'first@x' WHERE id = '${BOB}'`)
      const { userChanged } = (await events.nextData()) as { userChanged: { cursor: string; new: object } }
      emails.push(userChanged.new)
      after = userChanged.cursor
      return gateway
    })()
    await expect.poll(() => subscribersOf(running), POLL).toBe(0)
    for (const email of ['second@x', 'third@x'])
      await database.query(`UPDATE users SET email = '${email}' WHERE id = '${BOB}'`)
    await using gateway = await serveGateway([rowcast, team], { port })
    const headers = { authorization: 'Bearer member' }
    const events = await subscribeSse(gateway.url, query, { after }, 'POST', headers)
    while (emails.length < 3) {
      const { userChanged } = (await events.nextData()) as { userChanged: { new: object } }
      emails.push(userChanged.new)
    }
    expect(emails).toEqual(['first@x', 'second@x', 'third@x'].map((email) => ({ email, nickname: 'nick 2' })))
  })

  it('are refused as rowcast refuses them, with its codes', async () => {
    await using gateway = await serveGateway([rowcast, team])
    const headers = { authorization: 'Bearer nobody' }
    const events = await subscribeSse(
      gateway.url,
      'subscription { userChanged { action } }',
      {},
      'POST',
      headers,
    )
    expect(await events.next()).toMatchObject({
      errors: [{ extensions: { code: 'FORBIDDEN', serviceName: 'rowcast' } }],
    })
  })
})

describe('rows that are found in the team’s subgraph', () => {
  it('are keys here: new is fetched from the team, old is from the change', async () => {
    await using running = await openSubgraph('keys', database)
    await running.service.rowcast.ready()
    const rowcast = await subgraphOf(running.url)
    await using team = await serveTeam(
      `type Query { users: [User!]! }
       type User @key(fields: "id") { id: ID! email: String! }`,
      { Query: { users: () => [] }, User: { email: ({ id }: { id: string }) => `team ${id.slice(-1)}` } },
    )
    await using gateway = await serveGateway([rowcast, team])
    const changes = await CLIENTS.sse(
      gateway.url,
      `subscription { userChanged(action: UPDATE) { new { email } old { email } } }`,
    )
    await expect.poll(() => subscribersOf(running), POLL).toBe(1)
    const [old] = await database.query<{ email: string }>(`SELECT email FROM users WHERE id = '${BOB}'`)
    await database.query(`UPDATE users SET email = 'later@x' WHERE id = '${BOB}'`)
    expect(await changes.nextData()).toEqual({ userChanged: { new: { email: 'team 2' }, old } })
    expect(await ask(running.url, '{ __schema { queryType { fields { name } } } }', 'member')).toEqual({
      data: { __schema: { queryType: { fields: [{ name: 'changeCursor' }, { name: '_service' }] } } },
    })
  })
})

describe('two services of rowcast behind one gateway', () => {
  it('have a model and a cursor each, by names of their own', async () => {
    const open = (model: 'User' | 'Membership', subgraph: ServiceConfig['subgraph']) =>
      openService(database, {
        context: () => ({ context: {} }),
        config: {
          ...{
            subgraph,
            models: model === 'User' ? { User: {} } : { Membership: {} },
            publication: `of_${model}`,
          },
          slot: `${slotOf(database)}_${model.toLowerCase()}`,
        },
      })
    await using users = await open('User', 'keys')
    await using memberships = await open('Membership', { entities: 'keys', changeCursor: 'membershipCursor' })
    for (const { service } of [users, memberships]) await service.rowcast.ready()
    const first = await subgraphOf(users.url)
    const second = { ...(await subgraphOf(memberships.url)), name: 'memberships' }
    const same = second.sdl.replaceAll('membershipCursor', 'changeCursor')
    expect(() => compose([first, { ...second, sdl: same }])).toThrow('changeCursor')
    await using gateway = await serveGateway([first, second])
    const { data } = await ask(gateway.url, '{ changeCursor membershipCursor }', 'member')
    expect(data).toEqual({ changeCursor: expect.any(String), membershipCursor: expect.any(String) })
    const changes = await CLIENTS.sse(gateway.url, 'subscription { membershipChanged { new { userId } } }')
    await expect
      .poll(() => memberships.service.rowcast.status().subscriptions.get('Membership'), POLL)
      .toBe(1)
    await database.query(`WITH team AS (INSERT INTO "Team" (name, slug) VALUES ('Core', 'core') RETURNING id)
      INSERT INTO team_memberships (user_id, team_id) SELECT '${BOB}', id FROM team`)
    expect(await changes.nextData()).toEqual({ membershipChanged: { new: { userId: BOB } } })
  })
})
