/** A pong that answers no ping says nothing: a client that does not read its pings is gone, whatever it sends. */
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startServer } from '../server/server-fixture.ts'
import { createTickSource } from '../server/tick-schema.ts'
import { buildProbeSchema } from './probe-schema.ts'

/** Opens a socket that answers pings as it likes; resolves once it is open. */
async function openSocket(url: string, onPing: (socket: WebSocket, data: Buffer) => void) {
  const address = `${url.replace(/^http/, 'ws')}/graphql`
  const socket = new WebSocket(address, 'graphql-transport-ws', { autoPong: false })
  socket.on('ping', (data: Buffer) => onPing(socket, data))
  socket.on('error', () => undefined)
  const closed = new Promise<number>((resolve) => socket.once('close', resolve))
  await new Promise((resolve) => socket.once('open', resolve))
  return { socket, closed }
}

test('only the answer to the last ping keeps a socket open', async () => {
  const source = createTickSource()
  const { url } = await startServer({
    schema: buildProbeSchema({ contexts: [], source }),
    limits: { pingIntervalMs: 150, connectionInitTimeoutMs: 60_000 },
  })
  let answered = 0
  const honest = await openSocket(url, (socket, data) => {
    answered += 1
    socket.pong(data)
  })
  // One says that it lives all the time, one repeats the first ping that it got.
  const chatty = await openSocket(url, () => undefined)
  const timer = setInterval(() => chatty.socket.pong('1'), 20)
  let first: Buffer | null = null
  const parrot = await openSocket(url, (socket, data) => {
    first ??= data
    socket.pong(first)
  })
  expect(await chatty.closed).toBe(1006)
  clearInterval(timer)
  expect(await parrot.closed).toBe(1006)
  const before = answered
  await expect.poll(() => answered).toBeGreaterThan(before + 2)
  expect(honest.socket.readyState).toBe(WebSocket.OPEN)
  honest.socket.close()
  await honest.closed
})
