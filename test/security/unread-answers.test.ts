/** Answers of queries that clients do not read count for what all sockets of the server may hold, as changes do: on every path. */
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startServer } from '../server/server-fixture.ts'
import { createTickSource } from '../server/tick-schema.ts'
import { buildProbeSchema } from './probe-schema.ts'
import { openRawSocket, subscribeMessage } from './raw-socket.ts'

const QUERY = 'query ($bytes: Int!) { viewer text(bytes: $bytes) }'
const ANSWER_BYTES = 500_000

async function startUnread(socketsBufferedBytesMax: number) {
  const contexts: object[] = []
  const schema = buildProbeSchema({ contexts, source: createTickSource() })
  const limits = { socketsBufferedBytesMax, pingIntervalMs: 60_000 }
  const { url, server } = await startServer({ schema, limits })
  /** What is asked for is made, or is known not to be: nothing more has come for a while. */
  const settle = async (before: number): Promise<void> => {
    await vi.waitUntil(async () => {
      const count = contexts.length
      await delay(300)
      return count > before && contexts.length === count
    })
  }
  return { url, server, contexts, settle, unsentBytes: () => server.connections().unsentBytes }
}

test('who leaves its answers unread is cut once all sockets hold too much', async () => {
  const { url, contexts, settle } = await startUnread(3_000_000)
  // Only the clock of what is measured: five seconds pass at once.
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  /** The system takes some megabytes; what follows is held here, until no more is made. */
  const openUnread = async () => {
    const client = await openRawSocket(url)
    client.socket.pause()
    const before = contexts.length
    for (let id = 0; id < 40; id += 1)
      client.send(subscribeMessage(String(id), QUERY, { bytes: ANSWER_BYTES }))
    await settle(before)
    return client
  }
  const stalled = await openUnread()
  vi.advanceTimersByTime(10_000)
  const late = await openUnread()
  stalled.socket.resume()
  expect(await stalled.ended).toMatchObject({ code: 1006 })
  expect(late.socket.readyState).toBe(late.socket.OPEN)
}, 60_000)

test('a WebSocket that does not read has some answers made for it, and what was asked for beyond is not begun', async () => {
  const { url, settle, unsentBytes } = await startUnread(1_000_000_000)
  const client = await openRawSocket(url)
  client.socket.pause()
  for (let id = 0; id < 100; id += 1)
    client.send(subscribeMessage(String(id), QUERY, { bytes: ANSWER_BYTES }))
  await settle(0)
  await expect.poll(unsentBytes).toBeGreaterThan(ANSWER_BYTES)
  // Those that run at once, and what one socket may hold before they have to wait.
  expect(unsentBytes()).toBeLessThan(10 * (ANSWER_BYTES + 1_000) + 1_048_576)
  client.socket.resume()
  // All of them come to the one who reads, and then nothing is held.
  const answers = () => client.received.filter(({ type }) => type === 'next').length
  await expect.poll(answers, { timeout: 45_000 }).toBe(100)
  await expect.poll(unsentBytes).toBe(0)
}, 60_000)

test('answers over HTTP count as well: many connections that do not read hold no more than twice the bound together', async () => {
  const bytesMax = 2_000_000
  const { url, server, contexts, settle, unsentBytes } = await startUnread(bytesMax)
  const body = JSON.stringify({ query: QUERY, variables: { bytes: ANSWER_BYTES } })
  const head = `POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
  const sockets: Socket[] = []
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  let cut = 0
  let heldMax = 0
  for (let n = 0; n < 20; n += 1) {
    const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' })
    socket.on('error', () => undefined).once('close', () => (cut += 1))
    socket.pause()
    // Pipelined: each begins when the one before has been taken by the system.
    socket.write((head + body).repeat(20))
    sockets.push(socket)
    heldMax = Math.max(heldMax, unsentBytes())
  }
  await settle(0)
  heldMax = Math.max(heldMax, unsentBytes())
  expect(heldMax).toBeGreaterThan(ANSWER_BYTES)
  expect(heldMax).toBeLessThanOrEqual(2 * bytesMax + ANSWER_BYTES)
  expect(contexts.length).toBeGreaterThan(20)
  // One that reads is answered beside them.
  expect((await fetch(`${url}/health/live`)).status).toBe(200)
  for (const socket of sockets) socket.resume()
  await expect.poll(() => cut).toBeGreaterThan(0)
  await expect.poll(unsentBytes).toBe(0)
  expect(server.connections().webSockets).toBe(0)
}, 60_000)
