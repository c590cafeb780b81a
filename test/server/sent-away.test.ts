/** Who is sent to another process: what was done once is not asked for once more there, nothing is passed over, and nothing is left hanging. */
import { setTimeout as delay } from 'node:timers/promises'
import { GraphQLInt, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql'
import { describe, expect, it } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import { createDeferred } from '../support/deferred.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { createWsClient } from '../support/ws-client.ts'
import { startServer } from './server-fixture.ts'
import { createTickSource } from './tick-schema.ts'

const CODE = 'SERVER_STANDING_BY'
const CLOSED = { code: 1013, reason: CODE }
const sentAway = () =>
  new RowcastError(CODE, 'The other one.', { details: { cursor: 'not-its-own', retryAfterMs: 1 } })

/** A server of two sources, one of which another process has, where answers take as long as the test wants. */
async function openAway(drainTimeoutMs = 60_000, pingIntervalMs = 60_000) {
  const ticks = createTickSource()
  const begun = createDeferred<void>()
  const answer = createDeferred<string>()
  const slow = () => {
    begun.resolve()
    return answer.promise
  }
  const away = (): never => {
    throw sentAway()
  }
  const ends: ((why?: RowcastError) => void)[] = []
  const text = (resolve: () => unknown) => ({ type: GraphQLString, resolve })
  const schema = new GraphQLSchema({
    query: new GraphQLObjectType({ name: 'Query', fields: { slow: text(slow) } }),
    mutation: new GraphQLObjectType({
      name: 'Mutation',
      fields: { write: text(slow), done: text(() => 'done'), position: text(away) },
    }),
    subscription: new GraphQLObjectType({
      name: 'Subscription',
      fields: {
        ticks: { type: GraphQLInt, subscribe: () => ticks, resolve: (value: number) => value },
        away: { type: GraphQLInt, subscribe: away },
        stopping: {
          type: GraphQLInt,
          subscribe() {
            throw new RowcastError(
              'SERVER_STOPPING',
              'The rowcast of an application stops before its server.',
            )
          },
        },
      },
    }),
  })
  const context = () => ({
    context: {},
    watch(end: (why?: RowcastError) => void) {
      ends.push(end)
      return () => undefined
    },
  })
  const { url } = await startServer({ schema, context, limits: { drainTimeoutMs, pingIntervalMs } })
  const endSessions = () => {
    for (const end of ends) end(sentAway())
  }
  return { url, ticks, begun: begun.promise, answer, endSessions }
}

describe('whose session is watched by another process', () => {
  it('has the answer of its mutation before its socket closes, as clients ask for all once more that is not answered', async () => {
    const { url, begun, answer, endSessions } = await openAway()
    const client = createWsClient(url)
    const ticks = client.subscribe('subscription { ticks }')
    const write = client.subscribe('mutation { write }')
    await begun
    endSessions()
    answer.resolve('written')
    expect(await write.next()).toEqual({ data: { write: 'written' } })
    expect(await client.closed()).toEqual(CLOSED)
    expect(await ticks.ended()).toMatchObject({ kind: 'closed' })
  })

  it('is closed at once where nothing is asked for, and after a while in any case', async () => {
    const { url, begun, endSessions } = await openAway(50)
    const [idle, hanging] = [createWsClient(url), createWsClient(url)]
    await idle.connected()
    const write = hanging.subscribe('mutation { write }')
    await begun
    endSessions()
    for (const client of [idle, hanging]) expect(await client.closed()).toEqual(CLOSED)
    expect(await write.ended()).toMatchObject({ kind: 'closed' })
  })

  it('goes on after what it got: the cursor of whoever watches its session is not its own', async () => {
    const { url, ticks, endSessions } = await openAway()
    const stream = await subscribeSse(url, 'subscription { ticks }')
    ticks.push(1)
    await stream.next()
    endSessions()
    expect(await stream.ended()).toEqual({ kind: 'closed', reason: 'end of response' })
    expect(stream.lastEventId).toBeNull()
  })
})

it('a mutation over an event stream has its answer and its end, whatever its fields say', async () => {
  const { url } = await openAway()
  const stream = await subscribeSse(url, 'mutation { done position }')
  expect(stream.status).toBe(200)
  expect(await stream.next()).toMatchObject({
    data: { done: 'done', position: null },
    errors: [{ extensions: { code: CODE } }],
  })
  expect(await stream.ended()).toEqual({ kind: 'complete' })
})

describe('a socket with more than what is sent away', () => {
  const resuming = { rowcast: { resumes: true } }

  it('of a client that comes back by itself is closed once its mutation is answered', async () => {
    const { url, begun, answer } = await openAway(50)
    const client = createWsClient(url, resuming)
    const ticks = client.subscribe('subscription { ticks }')
    const write = client.subscribe('mutation { write }')
    await begun
    const away = client.subscribe('subscription { away }')
    await delay(200)
    answer.resolve('written')
    expect(await write.next()).toEqual({ data: { write: 'written' } })
    expect(await client.closed()).toEqual(CLOSED)
    for (const stream of [ticks, away]) expect(await stream.ended()).toMatchObject({ kind: 'closed' })
  })

  it('is closed once its mutation is answered where the rowcast alone has stopped', async () => {
    const { url, begun, answer } = await openAway(60_000, 50)
    const client = createWsClient(url)
    const write = client.subscribe('mutation { write }')
    await begun
    const stopping = client.subscribe('subscription { stopping }')
    // Some pings.
    await delay(300)
    answer.resolve('written')
    expect(await write.next()).toEqual({ data: { write: 'written' } })
    expect(await client.closed()).toMatchObject({ code: 1012 })
    expect(await stopping.ended()).toMatchObject({ kind: 'closed' })
  })

  it('is not kept any number of those that are sent away', async () => {
    const { url, begun } = await openAway()
    const client = createWsClient(url)
    client.subscribe('mutation { write }')
    await begun
    const streams = Array.from({ length: 1_001 }, () => client.subscribe('subscription { away }'))
    for (const each of streams) expect(await each.ended()).toMatchObject({ kind: 'errors' })
    await client.close()
  })

  it('leaves nothing hanging where a stream begins after a query was waited for', async () => {
    const { url, ticks, begun, answer } = await openAway(50)
    const client = createWsClient(url)
    const slow = client.subscribe('{ slow }')
    await begun
    const away = client.subscribe('subscription { away }')
    // Longer than others are waited for.
    await delay(200)
    const stream = client.subscribe('subscription { ticks }')
    await ticks.subscribed
    answer.resolve('there')
    expect(await slow.next()).toEqual({ data: { slow: 'there' } })
    expect(await away.ended()).toMatchObject({ kind: 'errors', errors: [{ extensions: { code: CODE } }] })
    ticks.push(1)
    expect(await stream.next()).toEqual({ data: { ticks: 1 } })
    await client.close()
  })
})
