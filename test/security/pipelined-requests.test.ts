/** Requests that a client sends before the last one is answered: each has its turn, and goes with its connection. */
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { startServer } from '../server/server-fixture.ts'
import { openRawSocket } from '../support/raw-socket.ts'

const get = (query: string, accept: string) =>
  [
    `GET /graphql?query=${encodeURIComponent(query)} HTTP/1.1`,
    ...['Host: localhost', `Accept: ${accept}`, 'x-graphql-yoga-csrf: 1', '', ''],
  ].join('\r\n')
const STREAM = get('subscription { ticks }', 'text/event-stream')
const QUERY = get('{ hello }', 'application/json')

test('streams that were asked for in one go end with their connection', async () => {
  const fixture = await startServer()
  const { socket } = await openRawSocket(fixture)
  socket.write(STREAM.repeat(5))
  await fixture.source.subscribed
  expect(fixture.server.connections().eventStreams).toBe(1)
  socket.destroy()
  await expect.poll(() => fixture.server.connections().eventStreams).toBe(0)
})

test('queries that were asked in one go are answered in their order', async () => {
  const { socket, text } = await openRawSocket(await startServer())
  socket.write(`${QUERY.repeat(2)}${get('{ fails(kind: "public") }', 'application/json')}${QUERY}`)
  const answers = () =>
    text()
      .match(/\{"data":\{"hello":"world"\}\}|CONTEXT_TIMEOUT/g)
      ?.join(' ')
  const hello = '{"data":{"hello":"world"}}'
  await expect.poll(answers).toBe(`${hello} ${hello} CONTEXT_TIMEOUT ${hello}`)
})

test('what waits behind a stream is bounded', async () => {
  const fixture = await startServer()
  const { socket } = await openRawSocket(fixture)
  const closed = once(socket, 'close')
  socket.write(STREAM)
  await fixture.source.subscribed
  socket.write(QUERY.repeat(100))
  await closed
  await expect.poll(() => fixture.server.connections().eventStreams).toBe(0)
})
