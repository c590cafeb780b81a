/** Each way in which a connection ends, with a client that goes on sending and never hangs up: no descriptor stays open. */
import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { expect, test, vi } from 'vitest'
import type { RowcastServer, ServerOptions } from '../../src/server/create-server.ts'
import { startServer } from '../server/server-fixture.ts'
import { createTickSource } from '../server/tick-schema.ts'
import { buildProbeSchema } from './probe-schema.ts'

const ROUNDS = 10
const KEY = 'AAAAAAAAAAAAAAAAAAAAAA=='
/** Descriptors of this process: those of the server, and of clients that have not hung up. */
const descriptors = () => readdirSync('/proc/self/fd').length

/** A request for an upgrade. */
function upgrade(more: Readonly<Record<string, string>> = {}, path = '/graphql'): string {
  const headers = {
    ...{ host: '127.0.0.1', upgrade: 'websocket', connection: 'upgrade', 'sec-websocket-version': '13' },
    ...{ 'sec-websocket-key': KEY, 'sec-websocket-protocol': 'graphql-transport-ws', ...more },
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** A frame of less than 64 KiB, masked with zeros. */
function frame(payload: string, first = 0x81): Buffer {
  const bytes = Buffer.from(payload)
  const length = bytes.length < 126 ? [0x80 | bytes.length] : [0xfe, bytes.length >> 8, bytes.length & 0xff]
  return Buffer.concat([Buffer.from([first, ...length, 0, 0, 0, 0]), bytes])
}

const init = frame('{"type":"connection_init"}')
const subscribe = frame('{"id":"1","type":"subscribe","payload":{"query":"subscription { ticks }"}}')
const TICKS = '{"query":"subscription { ticks }"}'
const post = (accept: string, body: string, length = body.length, more = 'connection: close') =>
  `POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\n${more}\r\naccept: ${accept}\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`

interface Case {
  readonly options?: Partial<ServerOptions>
  /** Null waits until the server has let the client in. */
  readonly sends: readonly (string | Buffer | null)[]
  /** What the server is heard to say. */
  readonly says: string | RegExp
  /** What is done before the clients come. */
  readonly prepare?: (server: RowcastServer) => unknown
}

const limits = {
  ...{ closeTimeoutMs: 50, connectionInitTimeoutMs: 20_000, pingIntervalMs: 60_000, idleTimeoutMs: 60_000 },
  ...{ requestTimeoutMs: 20_000, requestBytesMax: 1_000, messageFragmentsMax: 2 },
}
const forwarded = { 'x-forwarded-for': '203.0.113.1' }
/** The payload of a close frame begins with its code. */
const code = (number: number) => new RegExp(String.fromCharCode(number >> 8, number & 0xff), 's')

const CASES: Readonly<Record<string, Case>> = {
  'another path': { sends: [upgrade({}, '/elsewhere')], says: 'NOT_FOUND' },
  'another origin': { sends: [upgrade({ origin: 'https://evil.example' })], says: 'CROSS_SITE_REQUEST' },
  'another host': { sends: [upgrade({ host: 'evil.example' })], says: 'HOST_NOT_ALLOWED' },
  'too many connections of an address': {
    options: {
      trustedProxyCount: 1,
      limits: { ...limits, connectionsPerAddressMax: 1, connectionInitTimeoutMs: 500 },
    },
    sends: [upgrade(forwarded)],
    says: /TOO_MANY_CONNECTIONS|101 Switching/,
  },
  'a server that stops': {
    sends: [upgrade()],
    says: 'SERVER_STOPPING',
    prepare: (server) => server.refuse(),
  },
  'a bad key': { sends: [upgrade({ 'sec-websocket-key': 'x' })], says: 'BAD_HANDSHAKE' },
  'another version': { sends: [upgrade({ 'sec-websocket-version': '7' })], says: 'BAD_HANDSHAKE' },
  'another subprotocol': { sends: [upgrade({ 'sec-websocket-protocol': 'graphql-ws' })], says: code(4406) },
  silence: {
    options: { limits: { ...limits, connectionInitTimeoutMs: 30 } },
    sends: [upgrade()],
    says: code(4408),
  },
  'a client that is not let in': {
    options: { context: () => null, limits },
    sends: [upgrade(), init],
    says: code(4403),
  },
  'a context that hangs': {
    options: {
      context: () => new Promise(() => undefined),
      limits: { ...limits, connectionInitTimeoutMs: 300 },
    },
    sends: [upgrade(), init],
    says: code(4408),
  },
  'a context that fails': {
    options: { context: () => Promise.reject(new Error('x')), limits },
    sends: [upgrade(), init],
    says: code(1013),
  },
  'a session that ends': {
    options: { context: () => ({ context: {}, expiresAt: Date.now() + 500 }), limits },
    sends: [upgrade(), init, null, subscribe],
    says: code(4403),
  },
  'an event stream whose session ends': {
    options: { context: () => ({ context: {}, expiresAt: Date.now() + 500 }), limits },
    sends: [post('text/event-stream', TICKS)],
    says: 'SESSION_EXPIRED',
  },
  'multipart whose session ends': {
    options: { context: () => ({ context: {}, expiresAt: Date.now() + 500 }), limits },
    sends: [post('multipart/mixed;subscriptionSpec=1.0', TICKS)],
    says: 'SESSION_EXPIRED',
  },
  ...Object.fromEntries(
    ['text/event-stream', 'multipart/mixed;subscriptionSpec=1.0'].map((accept) => [
      `too many streams of an address: ${accept}`,
      {
        options: {
          trustedProxyCount: 1,
          limits: { ...limits, connectionsPerAddressMax: 1 },
          // Of the one that is let in.
          context: () => ({ context: {}, expiresAt: Date.now() + 500 }),
        },
        sends: [post(accept, TICKS, TICKS.length, 'connection: close\r\nx-forwarded-for: 203.0.113.1')],
        says: /TOO_MANY_CONNECTIONS|SESSION_EXPIRED/,
      } satisfies Case,
    ]),
  ),
  'more requests than may wait for an answer': {
    sends: [
      post('text/event-stream', TICKS, TICKS.length, 'x: y') +
        'GET /health/live HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'.repeat(70),
    ],
    says: /^$|text\/event-stream/,
  },
  'a server that ends its streams': {
    sends: [post('text/event-stream', TICKS)],
    says: /retry: |SERVER_STOPPING/,
    prepare: (server) => setTimeout(() => void server.close(), 300),
  },
  'subscribe before init': { sends: [upgrade(), subscribe], says: code(4401) },
  'two inits': { sends: [upgrade(), init, init], says: code(4429) },
  'one id twice': { sends: [upgrade(), init, null, subscribe, subscribe], says: code(4409) },
  'no message': { sends: [upgrade(), init, frame('{')], says: code(4400) },
  'a binary frame': { sends: [upgrade(), init, frame('{}', 0x82)], says: code(4400) },
  'a long message': { sends: [upgrade(), init, frame('x'.repeat(2_000))], says: code(1009) },
  'many fragments': {
    sends: [upgrade(), frame('x', 0x01), ...Array.from({ length: 5 }, () => frame('x', 0x00))],
    says: code(1008),
  },
  'bytes that are no frame': { sends: [upgrade(), Buffer.alloc(50, 0xff)], says: code(1002) },
  'no answer to pings': {
    options: { limits: { ...limits, pingIntervalMs: 20 } },
    sends: [upgrade(), init, null, subscribe],
    says: 'connection_ack',
  },
  'no operation': {
    options: { limits: { ...limits, pingIntervalMs: 20, idleTimeoutMs: 1 } },
    sends: [upgrade(), init],
    says: code(1000),
  },
  'a request that trickles in': {
    options: { limits: { ...limits, requestTimeoutMs: 100 } },
    sends: [post('*/*', '{', 500)],
    says: '408',
  },
  'a long request': { sends: [post('*/*', `{"query":"${'x'.repeat(2_000)}"}`)], says: '413' },
  'an answer that nobody can read': {
    sends: [post('text/plain', TICKS)],
    says: '406',
  },
}

const schema = buildProbeSchema({
  contexts: [],
  get source() {
    return createTickSource()
  },
})

/** Sends all of it, then one more byte once the server has hung up or is silent; resolves with what it said. */
function knock(port: number, sends: Case['sends']): Promise<{ said: string; socket: Socket }> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const waiting = [...sends]
  let said = ''
  const send = (): void => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      if (next !== null) socket.write(next)
      else if (!said.includes('connection_ack')) {
        waiting.unshift(next)
        return
      }
    }
  }
  return new Promise((resolve) => {
    const settle = (): void => {
      socket.write('x')
      resolve({ said, socket })
    }
    socket.on('error', () => undefined)
    socket.on('data', (bytes) => {
      said += bytes.toString('latin1')
      send()
    })
    socket.once('end', settle).once('close', settle)
    send()
  })
}

test.each(Object.entries(CASES))(
  '%s',
  async (_name, { options = {}, sends, says, prepare }) => {
    const { url, server } = await startServer({ schema, limits, ...options })
    const port = Number(new URL(url).port)
    // What a first connection loads stays open.
    const before = descriptors()
    prepare?.(server)
    const ends = await Promise.all(
      Array.from({ length: ROUNDS }, async () => {
        const { said, socket } = await knock(port, sends)
        socket.write('x')
        return { said, socket }
      }),
    )
    for (const { said } of ends) expect(said).toMatch(says)
    // The half of the clients stays open: the server's must not wait for it.
    await vi.waitUntil(() => descriptors() <= before + ROUNDS)
    for (const { socket } of ends) socket.destroy()
    await vi.waitUntil(() => descriptors() <= before)
  },
  20_000,
)
