/** A client that is not listened to for a while: what it has said by then counts, though nobody has heard it yet. */
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startServer } from './server-fixture.ts'

/** As long as a message may be. */
const LOAD = JSON.stringify({ type: 'ping', payload: { load: 'x'.repeat(120_000) } })
const INIT = JSON.stringify({ type: 'connection_init' })

async function openSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/graphql`, 'graphql-transport-ws')
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('open', resolve))
  return socket
}

/** Sends the messages at once; the types of the answers to them all, or the code that the socket is closed with. */
function answersTo(socket: WebSocket, messages: readonly string[]): Promise<readonly string[] | number> {
  const types: string[] = []
  for (const message of messages) socket.send(message)
  return new Promise((resolve) => {
    socket.once('close', resolve)
    socket.on('message', (data) => {
      types.push((JSON.parse(String(data)) as { readonly type: string }).type)
      if (types.length < messages.length) return
      resolve(types)
      socket.close()
    })
  })
}

test('one whose introduction waits in line has not kept silent', async () => {
  const { url } = await startServer({
    limits: { connectionInitTimeoutMs: 1_000 },
    context: () => {
      const untilMs = performance.now() + 250
      while (performance.now() < untilMs);
      return { context: {} }
    },
  })
  const sockets = await Promise.all(Array.from({ length: 8 }, () => openSocket(url)))
  expect(await Promise.all(sockets.map((socket) => answersTo(socket, [INIT])))).toEqual(
    sockets.map(() => ['connection_ack']),
  )
})

test('one whose pong is still to be read is not gone', async () => {
  const { url } = await startServer({ limits: { pingIntervalMs: 250 } })
  const loads = Array.from({ length: 10 }, () => LOAD)
  expect(await answersTo(await openSocket(url), [INIT, ...loads])).toEqual([
    'connection_ack',
    ...loads.map(() => 'pong'),
  ])
})

test('one that says nothing is closed all the same, and so is one that goes on saying something else', async () => {
  const { url } = await startServer({ limits: { connectionInitTimeoutMs: 250 } })
  const [silent, talkative] = await Promise.all([openSocket(url), openSocket(url)])
  const loads = Array.from({ length: 10 }, () => LOAD)
  expect(await Promise.all([answersTo(silent, []), answersTo(talkative, loads)])).toEqual([4408, 4408])
})
