/** Clients that have left: nobody is looked up for them, and nothing is parsed or run. A mutation that has come is done. */
import { unsubscribe as offDiagnostics, subscribe as onDiagnostics } from 'node:diagnostics_channel'
import type { ServerResponse } from 'node:http'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createDeferred } from '../support/deferred.ts'
import { openRawSocket } from './raw-socket.ts'
import { startProbe } from './transports.ts'

/** Responses that the server of this process has begun, as Node.js reports them. */
function watchResponses(): ServerResponse[] {
  const seen: ServerResponse[] = []
  const note = (message: unknown) => void seen.push(Reflect.get(Object(message), 'response'))
  onDiagnostics('http.server.request.start', note)
  onTestFinished(() => void offDiagnostics('http.server.request.start', note))
  return seen
}

function post(url: string, query: string, signal?: AbortSignal): Promise<unknown> {
  const headers = { 'content-type': 'application/json' }
  const sent = fetch(`${url}/graphql`, {
    method: 'POST',
    headers,
    body: JSON.stringify({ query }),
    signal: signal ?? null,
  })
  return sent.then((response) => response.json()).catch(() => 'left')
}

/** One call of `context` at a time, each of which waits until the test lets it go. */
async function startSlow() {
  const opened = createDeferred<void>()
  let calls = 0
  const probe = await startProbe({
    limits: { contextCallsMax: 1, connectionInitTimeoutMs: 60_000 },
    context: async () => {
      calls += 1
      await opened.promise
      return { context: { viewer: String(calls) } }
    },
  })
  return { ...probe, opened, calls: () => calls }
}

test.each([
  ['{ viewer }', 2],
  ['mutation { touch }', 7],
])(
  'over HTTP: %s of five clients that have left, with one before and one after them',
  async (query, calls) => {
    const responses = watchResponses()
    const probe = await startSlow()
    const before = post(probe.url, '{ viewer }')
    await vi.waitUntil(() => probe.calls() === 1)
    const leaving = new AbortController()
    const left = Array.from({ length: 5 }, () => post(probe.url, query, leaving.signal))
    await vi.waitUntil(() => responses.length === 6)
    leaving.abort()
    await vi.waitUntil(() => responses.filter(({ closed }) => closed).length === 5)
    probe.opened.resolve()
    expect(await before).toEqual({ data: { viewer: '1' } })
    expect(await Promise.all(left)).toEqual(left.map(() => 'left'))
    expect(await post(probe.url, '{ viewer }')).toEqual({ data: { viewer: String(calls) } })
    expect(probe.contexts).toHaveLength(2)
    expect(probe.logged.filter((line) => line.includes('"level":"error"'))).toEqual([])
  },
)

test('over WebSocket: sockets that have closed before their turn', async () => {
  const probe = await startSlow()
  const before = post(probe.url, '{ viewer }')
  await vi.waitUntil(() => probe.calls() === 1)
  const sockets = await Promise.all(
    Array.from({ length: 5 }, () => openRawSocket(probe.url, { isInitialized: false })),
  )
  for (const socket of sockets) socket.send({ type: 'connection_init' })
  await vi.waitUntil(() => probe.server.connections().webSockets === 5)
  for (const socket of sockets) socket.socket.terminate()
  await vi.waitUntil(() => probe.server.connections().webSockets === 0)
  probe.opened.resolve()
  await before
  await post(probe.url, '{ viewer }')
  expect(probe.calls()).toBe(2)
})
