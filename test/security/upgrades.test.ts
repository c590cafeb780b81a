/** Requests that offer an upgrade to what is not spoken here: HTTP/1.1 answers them. RFC 9110, section 7.8. */
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { startServer } from '../server/server-fixture.ts'

const H2C =
  'connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n'
const BODY = '{"query":"{ hello }"}'
const get = (path: string, headers: string, version = '1.1') =>
  `GET ${path} HTTP/${version}\r\nhost: localhost\r\naccept: application/json\r\nx-graphql-yoga-csrf: 1\r\n${headers}\r\n`
const QUERY = '/graphql?query=%7Bhello%7D'
const post = (headers: string) =>
  `POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: application/json\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n${headers}\r\n${BODY}`

/** Sends one request after the other, each when the one before was answered; all that came. */
async function say(port: number, requests: readonly string[], until: string): Promise<string> {
  const socket = connect(port)
  let said = ''
  const waiting = [...requests]
  return new Promise((resolve) => {
    const settle = (): void => {
      socket.destroy()
      resolve(said)
    }
    socket.on('data', (bytes) => {
      said += bytes
      if (!said.includes(until)) return
      const next = waiting.shift()
      if (next === undefined) return settle()
      said = ''
      socket.write(next)
    })
    socket.once('close', settle)
    socket.write(waiting.shift() ?? '')
  })
}

test.each([
  ['GET, h2c', get(QUERY, H2C)],
  ['GET, TLS', get(QUERY, 'connection: upgrade\r\nupgrade: TLS/1.0\r\n')],
  ['GET, h2c or WebSocket', get(QUERY, 'connection: upgrade\r\nupgrade: h2c, websocket\r\n')],
  ['POST, h2c', post(H2C)],
  ['HTTP/1.0, WebSocket', get(QUERY, 'connection: upgrade, keep-alive\r\nupgrade: websocket\r\n', '1.0')],
])('%s', async (_name, request) => {
  const { url } = await startServer()
  // The connection is as good as any other afterwards.
  const said = await say(Number(new URL(url).port), [request, request], '"world"')
  expect(said).toMatch(/^HTTP\/1.1 200 OK/)
  expect(said).toContain('{"data":{"hello":"world"}}')
})

test('health and what is not there are answered, too', async () => {
  const { url } = await startServer()
  const port = Number(new URL(url).port)
  expect(await say(port, [get('/health/live', H2C)], 'live')).toMatch(/^HTTP\/1.1 200 OK/)
  expect(await say(port, [get('/elsewhere', H2C)], 'NOT_FOUND')).toMatch(/^HTTP\/1.1 404 Not Found/)
})
