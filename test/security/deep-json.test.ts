/**
 * JSON that is nested as deeply as a message may be long, wherever a client can put it: JSON.stringify and whoever walks over it would
 * overflow the stack. Each has an answer with a code, the server logs no failure of its own, and others never notice.
 */
import { describe, expect, test, vi } from 'vitest'
import { startServer } from '../server/server-fixture.ts'
import { openRawSocket, subscribeMessage } from './raw-socket.ts'
import { STREAM_TRANSPORTS, startProbe } from './transports.ts'

const LEVELS = 50_000
const nest = (levels: number, inner = '', open = '[', close = ']') =>
  open.repeat(levels) + inner + close.repeat(levels)
const LIST = nest(LEVELS)
const OBJECT = nest(20_000, '1', '{"a":', '}')
const FORMS = { 'a list': LIST, 'an object': OBJECT }

/** Where a request over HTTP has room for any JSON, and what its answer is. */
const MEMBERS: readonly (readonly [string, (json: string) => string, RegExp])[] = [
  ['variables', (json) => `{"query":"{ hello }","variables":{"v":${json}}}`, /QUERY_OVER_LIMIT/],
  [
    'variables as such',
    (json) => `{"query":"{ hello }","variables":${json}}`,
    /QUERY_OVER_LIMIT|BAD_REQUEST|must be/,
  ],
  ['extensions', (json) => `{"query":"{ hello }","extensions":{"e":${json}}}`, /"hello":"world"/],
  [
    'a persisted query',
    (json) => `{"extensions":{"persistedQuery":{"sha256Hash":${json}}}}`,
    /"code":"|must/i,
  ],
  ['a name of a document', (json) => `{"documentId":${json}}`, /"code":"|must/i],
  ['the document', (json) => `{"query":${json}}`, /"code":"|must/i],
  ['the name of the operation', (json) => `{"query":"{ hello }","operationName":${json}}`, /"code":"|must/i],
  ['something else', (json) => `{"query":"{ hello }","other":${json}}`, /"hello":"world"|"code":"|must/i],
  ['the whole body', (json) => json, /"code":"|must|batch/i],
]

describe.each(Object.entries(FORMS))('%s', (_form, json) => {
  test.each(MEMBERS)('as %s, over HTTP and as a stream', async (_where, body, expected) => {
    const { url, logged } = await startProbe()
    for (const accept of [
      'application/json',
      'text/event-stream',
      'multipart/mixed;subscriptionSpec="1.0"',
    ]) {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { accept, 'content-type': 'application/json' },
        body: body(json),
      })
      expect(response.status, accept).toBeLessThan(500)
      expect((await response.text()).slice(0, 2_000), accept).toMatch(expected)
    }
    expect(logged.filter((line) => line.includes('"level":"error"'))).toEqual([])
  })

  test.each(['variables', 'extensions', 'other'])('as %s of an operation over WebSocket', async (name) => {
    const { url, logged } = await startProbe()
    const client = await openRawSocket(url)
    client.send(`{"id":"1","type":"subscribe","payload":{"query":"{ hello }","${name}":{"v":${json}}}}`)
    await vi.waitUntil(() => client.received.length >= 2)
    expect(JSON.stringify(client.received[1])).toMatch(name === 'variables' ? /QUERY_OVER_LIMIT/ : /world/)
    client.send(subscribeMessage('2', '{ hello }'))
    await vi.waitUntil(() => client.received.some(({ id, type }) => id === '2' && type === 'complete'))
    expect(logged.filter((line) => line.includes('"level":"error"'))).toEqual([])
  })

  test('as what a client says of itself: `context` is given it, and may refuse', async () => {
    const { url, logged, contexts } = await startProbe({ context: () => ({ context: { viewer: 'x' } }) })
    const client = await openRawSocket(url, { isInitialized: false })
    client.send(`{"type":"connection_init","payload":{"a":${json}}}`)
    await vi.waitUntil(() => client.received.length === 1)
    client.send(subscribeMessage('1', '{ viewer }'))
    await vi.waitUntil(() => client.received.length === 3)
    expect(contexts).toHaveLength(1)
    expect(logged.filter((line) => line.includes('"level":"error"'))).toEqual([])
  })

  test.each([
    ['a ping', 'ping'],
    ['a pong', 'pong'],
    ['an end', 'complete'],
    ['a message of no kind', 'other'],
  ])('in %s ends that socket at the most', async (_what, type) => {
    const { url, logged } = await startProbe()
    const [client, other] = [await openRawSocket(url), await openRawSocket(url)]
    client.send(`{"type":"${type}","id":"1","payload":{"a":${json}}}`)
    client.send(subscribeMessage('1', '{ hello }'))
    const isOver = () => client.received.length > 1 || client.socket.readyState > 1
    await vi.waitUntil(isOver)
    if (client.socket.readyState > 1) expect((await client.ended).code).toBe(4400)
    other.send(subscribeMessage('1', '{ hello }'))
    await vi.waitUntil(() => other.received.length === 3)
    expect(logged.filter((line) => line.includes('"level":"error"'))).toEqual([])
  })
})

test.each(STREAM_TRANSPORTS)('in variables of a subscription over $name', async ({ open }) => {
  const { url, logged } = await startServer()
  // As deep as a client of JavaScript makes text of.
  const variables = { v: JSON.parse(nest(1_500)) as object }
  const stream = await open(url, 'subscription ($v: [Int]) { ticks }', { variables })
  const { errors } = await stream.next()
  expect(errors[0]?.extensions?.['code']).toBe('QUERY_OVER_LIMIT')
  await stream.leave()
  expect(logged.filter((line) => line.includes('"level":"error"'))).toEqual([])
})
