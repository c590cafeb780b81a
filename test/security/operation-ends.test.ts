/** What is left of operations that end in the middle of something: nothing, on each transport, and no neighbour notices. */
import fc from 'fast-check'
import { createClient } from 'graphql-ws'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { startServer } from '../server/server-fixture.ts'
import { createTickSource, type TickSource } from '../server/tick-schema.ts'
import { createDeferred } from '../support/deferred.ts'
import { createWsClient } from '../support/ws-client.ts'
import { buildProbeSchema } from './probe-schema.ts'
import { openRawSocket, subscribeMessage } from './raw-socket.ts'
import { startProbe, TRANSPORTS } from './transports.ts'

const TICKS = 'subscription { ticks }'

/** A server whose subscriptions each have a source of their own, made as slowly as the test likes. */
async function startSlow(isReady: () => Promise<void> = async () => undefined, limits = {}) {
  const open = new Set<TickSource>()
  const schema = buildProbeSchema({ contexts: [], source: createTickSource() })
  const { ticks } = schema.getSubscriptionType()?.getFields() ?? {}
  if (ticks === undefined) throw new Error('The schema has no ticks.')
  ticks.subscribe = async () => {
    await isReady()
    const source = createTickSource()
    open.add(source)
    void source.returned.then(() => open.delete(source))
    return source
  }
  return { ...(await startServer({ schema, limits })), open }
}

test('an id that is used again at once runs once, however often', async () => {
  const { url, open } = await startSlow()
  const client = await openRawSocket(url)
  for (let round = 0; round < 300; round += 1) {
    client.send(subscribeMessage('r', TICKS))
    client.send({ id: 'r', type: 'complete' })
  }
  client.send(subscribeMessage('r', TICKS))
  client.send(subscribeMessage('last', '{ hello }'))
  await vi.waitUntil(() => client.received.some(({ id, type }) => id === 'last' && type === 'complete'))
  await vi.waitUntil(() => open.size === 1)
  for (const source of open) source.push(7)
  await vi.waitUntil(() => client.received.some(({ id }) => id === 'r'))
  client.socket.terminate()
  await vi.waitUntil(() => open.size === 0)
  expect(client.received.filter(({ id }) => id === 'r')).toEqual([
    { id: 'r', type: 'next', payload: { data: { ticks: 7 } } },
  ])
})

test('the limit counts what the client knows to be running, whatever is left of what it completed', async () => {
  const gate = createDeferred<void>()
  const { url, open } = await startSlow(() => gate.promise, { subscriptionsPerSocketMax: 3 })
  const client = await openRawSocket(url)
  for (let round = 0; round < 20; round += 1) {
    client.send(subscribeMessage('r', TICKS))
    client.send({ id: 'r', type: 'complete' })
  }
  for (const id of ['a', 'b', 'c', 'd']) client.send(subscribeMessage(id, TICKS))
  await vi.waitUntil(() => client.received.some(({ type }) => type === 'error'))
  expect(client.received.at(-1)).toMatchObject({
    id: 'd',
    payload: [{ extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' } }],
  })
  gate.resolve()
  await vi.waitUntil(() => open.size === 3)
  for (const source of open) source.push(1)
  await vi.waitUntil(() => client.received.filter(({ type }) => type === 'next').length === 3)
  client.socket.terminate()
  await vi.waitUntil(() => open.size === 0)
})

test('whatever order things come in, the last of each id runs, and nothing is left', async () => {
  const step = fc.record({
    does: fc.constantFrom('subscribe' as const, 'complete' as const),
    id: fc.constantFrom('r', 's', 't'),
    turns: fc.nat(3),
  })
  const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(3), async (steps, slowness) => {
    const { url, open, server } = await startSlow(() => turns(slowness))
    const client = await openRawSocket(url)
    const running = new Set<string>()
    for (const { does, id, turns: wait } of steps) {
      if (does === 'subscribe' && running.has(id)) continue
      client.send(does === 'subscribe' ? subscribeMessage(id, TICKS) : { id, type: 'complete' })
      if (does === 'subscribe') running.add(id)
      else running.delete(id)
      await turns(wait)
    }
    client.send(subscribeMessage('last', '{ hello }'))
    await vi.waitUntil(() => client.received.some(({ id }) => id === 'last'))
    await vi.waitUntil(() => open.size === running.size)
    for (const source of open) source.push(1)
    const nexts = () => client.received.filter(({ type, id }) => type === 'next' && id !== 'last')
    await vi.waitUntil(() => nexts().length >= running.size)
    expect(new Set(nexts().map(({ id }) => id))).toEqual(running)
    expect(nexts()).toHaveLength(running.size)
    client.socket.terminate()
    await vi.waitUntil(() => open.size === 0)
    await server.close()
  })
  await fc.assert(property, { numRuns: 25 })
}, 60_000)

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

test.each(['context', 'policy'] as const)(
  'an event stream that is left while its %s is still asked leaves nothing',
  async (what) => {
    const asked = createDeferred<void>()
    const gate = createDeferred<void>()
    const wait = async () => {
      asked.resolve()
      await gate.promise
    }
    const sources: TickSource[] = []
    const schema = buildProbeSchema({ contexts: [], source: createTickSource() })
    const { ticks } = schema.getSubscriptionType()?.getFields() ?? {}
    if (ticks === undefined) throw new Error('The schema has no ticks.')
    ticks.subscribe = async () => {
      if (what === 'policy') await wait()
      const source = createTickSource()
      sources.push(source)
      return source
    }
    const { url, server } = await startServer({
      schema,
      context: async () => {
        if (what === 'context') await wait()
        return { context: {} }
      },
    })
    const abort = new AbortController()
    const response = fetch(`${url}/graphql`, {
      method: 'POST',
      signal: abort.signal,
      headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
      body: JSON.stringify({ query: TICKS }),
    }).catch(() => undefined)
    await asked.promise
    abort.abort()
    await response
    // The server has read the end of the connection before it answers the next request.
    await (await fetch(`${url}/health/live`)).text()
    gate.resolve()
    await (await fetch(`${url}/health/live`)).text()
    await Promise.all(sources.map(({ returned }) => returned))
    expect(server.connections().eventStreams).toBe(0)
  },
)

describe.each(TRANSPORTS.filter(({ name }) => !name.startsWith('HTTP')))('over $name', ({ name, ask }) => {
  test.each([
    'subscription { ticks @include(if: false) }',
    'subscription { ticks @skip(if: true) }',
    'subscription ($no: Boolean = false) { ticks @include(if: $no) }',
    'subscription { ...Root @include(if: false) } fragment Root on Subscription { ticks }',
    'subscription { ...Root } fragment Root on Subscription { ... { ticks @skip(if: true) } }',
    'subscription { ... @include(if: "no") { ticks } }',
    'subscription { ticks @skip }',
  ])('%s is an error of that operation', async (query) => {
    const { url, source, logged } = await startProbe()
    const client = createWsClient(url)
    const neighbour = client.subscribe(TICKS)
    await source.subscribed
    const { data, errors } = await ask(url, query)
    expect(data).toBeNull()
    expect(errors).toMatchObject([{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }])
    if (name === 'WebSocket') {
      const own = client.subscribe(query)
      expect((await own.ended()).kind).toBe('errors')
    }
    source.push(1)
    expect(await neighbour.nextData()).toEqual({ ticks: 1 })
    expect(logged.filter((line) => line.includes('"level":"error"'))).toEqual([])
    await client.close()
  })
})

test('a subscription that cannot begin is an error of its own, whatever it throws', async () => {
  const thrown: unknown[] = [new Error('hunter2'), 'hunter2', null, { extensions: { huge: 1n } }]
  const { url, source } = await startProbe()
  for (const [index, value] of thrown.entries()) {
    const schema = buildProbeSchema({ contexts: [], source })
    const { node } = schema.getSubscriptionType()?.getFields() ?? {}
    if (node === undefined) throw new Error('The schema has no node.')
    node.subscribe = () => {
      throw value
    }
    const failing = await startServer({ schema }, source)
    const client = await openRawSocket(failing.url)
    client.send(subscribeMessage('n', TICKS))
    await source.subscribed
    client.send(subscribeMessage('f', 'subscription { node }'))
    await vi.waitUntil(() => client.received.some(({ id }) => id === 'f'))
    expect(JSON.stringify(client.received)).not.toContain('hunter2')
    source.push(index)
    await vi.waitUntil(() => client.received.some(({ id }) => id === 'n'))
  }
  void url
})

test('clients come back by themselves when `context` fails for a while', async () => {
  let failures = 3
  const { url, source } = await startProbe({
    context: () => {
      failures -= 1
      if (failures >= 0) throw new Error('The database is away.')
      return { context: {} }
    },
  })
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 10,
    retryWait: async () => undefined,
  })
  onTestFinished(() => client.dispose() as undefined)
  const ticks = client.iterate<{ ticks: number }>({ query: TICKS })
  source.push(5)
  expect((await ticks.next()).value).toEqual({ data: { ticks: 5 } })
  expect(failures).toBe(-1)
})
