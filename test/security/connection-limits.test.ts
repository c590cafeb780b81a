/** What a connection may do: sizes, counts and silences, each with the transports it concerns. */
import { connect } from 'node:net'
import { describe, expect, test, vi } from 'vitest'
import { createTickSource } from '../server/tick-schema.ts'
import { createDeferred } from '../support/deferred.ts'
import { openRawSocket, subscribeMessage } from './raw-socket.ts'
import { STREAM_TRANSPORTS, startProbe, TRANSPORTS } from './transports.ts'

const codeOf = ({ errors }: { errors: readonly { extensions?: Record<string, unknown> }[] }) =>
  errors[0]?.extensions?.['code']

describe.each(TRANSPORTS.filter(({ name }) => !name.endsWith('GET')))('over $name', ({ name, ask }) => {
  test('a request beyond the bound is not read', async () => {
    const { url } = await startProbe({ limits: { requestBytesMax: 4_096 } })
    const variables = (length: number) => ({ text: 'x'.repeat(length) })
    expect((await ask(url, '{ hello }', { variables: variables(3_000) })).data).toEqual({ hello: 'world' })
    const answer = await ask(url, '{ hello }', { variables: variables(5_000) })
    expect(answer.data).toBeNull()
    if (name === 'WebSocket') expect(answer.closed?.code).toBe(1009)
    else expect(codeOf(answer)).toBe('REQUEST_ENTITY_TOO_LARGE')
  })
})

describe.each(TRANSPORTS)('over $name', ({ ask }) => {
  test('an answer beyond the bound is an error instead', async () => {
    const { url } = await startProbe({ limits: { payloadBytesMax: 2_000 } })
    const query = 'query ($bytes: Int!) { text(bytes: $bytes) }'
    expect((await ask(url, query, { variables: { bytes: 1_900 } })).errors).toEqual([])
    const answer = await ask(url, query, { variables: { bytes: 2_100 } })
    expect(answer.data).toBeNull()
    expect(answer.errors).toMatchObject([
      { extensions: { code: 'PAYLOAD_TOO_LARGE', hint: expect.any(String) } },
    ])
  })
})

describe.each(STREAM_TRANSPORTS)('a subscription over $name', ({ open }) => {
  test('ends when one delivery is beyond the bound, and no other does', async () => {
    const { url, source } = await startProbe({ limits: { payloadBytesMax: 2_000 } })
    const query = 'subscription ($bytes: Int!) { blobs(bytes: $bytes) }'
    const stream = await open(url, query, { variables: { bytes: 2_100 } })
    source.push(1, 2)
    const answer = await stream.next()
    expect(answer).toMatchObject({ data: null, errors: [{ extensions: { code: 'PAYLOAD_TOO_LARGE' } }] })
    expect(await stream.ended()).toBe('PAYLOAD_TOO_LARGE')
    await source.returned
  })
})

test('WebSockets and event streams count against their address, as its proxy shows it, until they end', async () => {
  const limits = { connectionsPerAddressMax: 2 }
  const { url, source } = await startProbe({ limits, trustedProxyCount: 1 })
  const from = (address: string) => ({ headers: { 'x-forwarded-for': `10.9.9.9, ${address}` } })
  const first = await openRawSocket(url, from('203.0.113.1'))
  await openRawSocket(url, from('203.0.113.1'))
  expect((await (await openRawSocket(url, from('203.0.113.1'))).ended).code).toBe(429)
  const sse = (address: string) =>
    fetch(`${url}/graphql`, {
      method: 'POST',
      headers: {
        ...from(address).headers,
        accept: 'text/event-stream',
        'content-type': 'application/json',
      },
      body: JSON.stringify({ query: 'subscription { ticks }' }),
    })
  expect(await (await sse('203.0.113.1')).text()).toContain('TOO_MANY_CONNECTIONS')
  const elsewhere = await sse('203.0.113.2')
  expect(elsewhere.status).toBe(200)
  first.socket.terminate()
  await first.ended
  await vi.waitUntil(async () => {
    const again = await openRawSocket(url, from('203.0.113.1'))
    return again.socket.readyState === again.socket.OPEN
  })
  await elsewhere.body?.cancel()
  await source.return?.()
})

test('an event stream that is refused has its reason in the log, once', async () => {
  const { url, logged } = await startProbe({ limits: { connectionsPerAddressMax: 1 }, trustedProxyCount: 1 })
  const ask = () =>
    fetch(`${url}/graphql`, {
      method: 'POST',
      headers: {
        'x-forwarded-for': '203.0.113.1',
        accept: 'text/event-stream',
        'content-type': 'application/json',
      },
      body: JSON.stringify({ query: 'subscription { ticks }' }),
    })
  await openRawSocket(url, { headers: { 'x-forwarded-for': '203.0.113.1' } })
  for (let attempt = 0; attempt < 3; attempt += 1)
    expect(await (await ask()).text()).toContain('TOO_MANY_CONNECTIONS')
  const lines = logged.filter((line) => line.includes('TOO_MANY_CONNECTIONS'))
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ origin: null, host: new URL(url).host }])
})

test('a WebSocket runs so many operations at once, and more as they complete', async () => {
  const { url, source } = await startProbe({ limits: { subscriptionsPerSocketMax: 2 } })
  const client = await openRawSocket(url)
  for (const id of ['1', '2', '3']) client.send(subscribeMessage(id, 'subscription { ticks }'))
  await vi.waitUntil(() => client.received.some(({ type }) => type === 'error'))
  expect(client.received.at(-1)).toMatchObject({
    id: '3',
    payload: [{ extensions: { code: 'TOO_MANY_SUBSCRIPTIONS' } }],
  })
  client.send({ id: '1', type: 'complete' })
  client.send(subscribeMessage('4', '{ hello }'))
  await vi.waitUntil(() => client.received.some(({ id, type }) => id === '4' && type === 'complete'))
  await source.return?.()
})

test('an operation has an id of bounded length, since each of its messages repeats it', async () => {
  const { url, source } = await startProbe()
  const { send, received } = await openRawSocket(url)
  const id = 'x'.repeat(70_000)
  send(subscribeMessage(id, 'subscription { ticks }'))
  send(subscribeMessage(id.slice(0, 1_024), 'subscription { ticks }'))
  await source.subscribed
  source.push(1)
  const codesOf = ({ payload }: Record<string, unknown>) =>
    Array.isArray(payload) ? payload.map(({ extensions }) => extensions.code) : []
  await vi.waitUntil(() => received.some(({ type }) => type === 'next'))
  expect(received.flatMap(codesOf)).toEqual(['QUERY_OVER_LIMIT'])
})

test('a message comes in so many fragments', async () => {
  const { url } = await startProbe({ limits: { messageFragmentsMax: 8 } })
  const { socket, ended } = await openRawSocket(url)
  for (let i = 0; i < 20; i += 1) socket.send('x', { fin: false })
  expect((await ended).code).toBe(1008)
})

test('a WebSocket that does not introduce itself is closed', async () => {
  const { url } = await startProbe({ limits: { connectionInitTimeoutMs: 20 } })
  const { ended } = await openRawSocket(url, { isInitialized: false })
  expect(await ended).toEqual({ code: 4408, reason: 'Connection initialisation timeout' })
})

test('a WebSocket without operations is closed, one with a silent subscription is not', async () => {
  const { url, source } = await startProbe({ limits: { idleTimeoutMs: 1_000, pingIntervalMs: 200 } })
  const busy = await openRawSocket(url)
  busy.send(subscribeMessage('1', 'subscription { ticks }'))
  await source.subscribed
  const idle = await openRawSocket(url)
  expect(await idle.ended).toEqual({ code: 1000, reason: 'Idle' })
  source.push(1)
  await vi.waitUntil(() => busy.received.some(({ type }) => type === 'next'))
  busy.send({ id: '1', type: 'complete' })
  expect(await busy.ended).toEqual({ code: 1000, reason: 'Idle' })
})

test('a request that trickles in is cut', async () => {
  const { url } = await startProbe({ limits: { requestTimeoutMs: 100 } })
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const closed = createDeferred<void>()
  let answer = ''
  socket.on('data', (bytes) => {
    answer += String(bytes)
  })
  socket.on('error', () => undefined).on('close', () => closed.resolve())
  socket.write(
    'POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{',
  )
  const trickle = setInterval(() => socket.write(' '), 20)
  await closed.promise
  clearInterval(trickle)
  expect(answer).toContain('408')
})

test('a subscription that nobody can read is not left running', async () => {
  const { url, source } = await startProbe()
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify({ query: 'subscription { ticks }' }),
  })
  expect(response.status).toBe(406)
  await source.returned
})

test('an event stream that is left before it says anything is not left running', async () => {
  const source = createTickSource()
  const { url } = await startProbe({}, source)
  const abort = new AbortController()
  const response = fetch(`${url}/graphql`, {
    method: 'POST',
    signal: abort.signal,
    headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
    body: JSON.stringify({ query: 'subscription { ticks }' }),
  })
  await source.subscribed
  abort.abort()
  await response.catch(() => undefined)
  await source.returned
})
