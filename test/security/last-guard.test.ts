/** Nothing that a client or a callback does ends the process or another's stream: requests, upgrades, results, sockets. */
import { connect } from 'node:net'
import { GraphQLInt, GraphQLObjectType, GraphQLScalarType, GraphQLSchema, GraphQLString } from 'graphql'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createHealthServer } from '../../src/server/health/health-server.ts'
import type { HealthReport } from '../../src/server/health.ts'
import { startServer } from '../server/server-fixture.ts'
import { createTickSource, type TickSource } from '../server/tick-schema.ts'
import { createWsClient } from '../support/ws-client.ts'
import { STREAM_TRANSPORTS, TRANSPORTS } from './transports.ts'

/** Sends bytes as they are; all that comes back until the server ends the connection. */
function exchange(url: string, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(text))
    let received = ''
    socket.on('data', (bytes) => {
      received += String(bytes)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(received))
  })
}

const PATHS = [
  '//',
  '///',
  '//graphql',
  '/%',
  '/graphql?query=%',
  'http://[/',
  '*',
  '/\\',
  '/health/ready//',
  '?',
]
const HOSTS = ['x', 'x:99999', '[', 'a b', '%', ':', 'x:-1']
const TRACE = /node_modules|\.ts:|\.js:|node:internal|\n\s+at /

function healthOptions(health: () => HealthReport) {
  const logged: string[] = []
  const logger = {
    debug() {},
    info() {},
    warn() {},
    error: (message: string, fields = {}) => void logged.push(JSON.stringify({ message, ...fields })),
  }
  return { logged, options: { host: '127.0.0.1', port: 0, health, logger } }
}

async function openHealthServer(health: () => HealthReport) {
  const { logged, options } = healthOptions(health)
  const server = createHealthServer(options)
  const { url } = await server.listen()
  onTestFinished(() => server.close())
  return { url, logged }
}

describe.each(['the server', 'the health server'])('requests that make no address, to %s', (which) => {
  test.each(HOSTS)('host %j', async (host) => {
    const ready: HealthReport = { isReady: true }
    const open = () =>
      which === 'the server' ? startServer({ graphiql: true }) : openHealthServer(() => ready)
    const { url } = await open()
    for (const method of ['GET', 'POST', 'OPTIONS']) {
      for (const path of [...PATHS, '/graphql', '/metrics']) {
        for (const more of ['', 'origin: http://[\r\n', 'upgrade: websocket\r\n']) {
          const connection = more.startsWith('upgrade') ? 'upgrade' : 'close'
          const request = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${more}connection: ${connection}\r\n\r\n`
          const answer = await exchange(
            url,
            more.startsWith('upgrade')
              ? request.replace('connection: upgrade', 'connection: upgrade, close')
              : request,
          )
          expect(answer, request).toMatch(/^HTTP\/1\.1 [1-5]\d\d /)
          expect(answer, request).not.toMatch(TRACE)
        }
      }
    }
    expect((await fetch(`${url}/health/live`)).status).toBe(200)
  })
})

test.each(['the server', 'the health server'])(
  '%s answers 500 with an id where its own callbacks throw',
  async (which) => {
    const health = (): HealthReport => {
      throw new Error('password=hunter2')
    }
    const { url, logged } = await (which === 'the server'
      ? startServer({ health })
      : openHealthServer(health))
    const response = await fetch(`${url}/health/ready`)
    const body = (await response.json()) as { id: string }
    expect([response.status, body]).toEqual([500, { error: 'INTERNAL_SERVER_ERROR', id: body.id }])
    expect(logged.filter((line) => line.includes(body.id))).toHaveLength(1)
    expect(logged.join()).not.toContain('hunter2')
    expect((await fetch(`${url}/health/live`)).status).toBe(200)
  },
)

/** A schema whose values cannot be made into JSON, as scalars of an application may have them. */
function buildOddSchema(source: TickSource): GraphQLSchema {
  const values: Record<string, () => unknown> = {
    bigint: () => ({ value: 1n }),
    circle: () => {
      const circle: Record<string, unknown> = {}
      circle['circle'] = circle
      return circle
    },
    deep: () => JSON.parse('['.repeat(20_000) + ']'.repeat(20_000)),
    throwing: () => ({
      toJSON() {
        throw new Error('password=hunter2')
      },
    }),
    fine: () => ({ fine: true }),
  }
  const odd = {
    type: new GraphQLScalarType({ name: 'Odd' }),
    args: { kind: { type: GraphQLString } },
    resolve: (_root: unknown, { kind }: { kind?: string }) => values[kind ?? 'fine']?.(),
  }
  return new GraphQLSchema({
    query: new GraphQLObjectType({
      name: 'Query',
      fields: { odd, hello: { type: GraphQLString, resolve: () => 'world' } },
    }),
    subscription: new GraphQLObjectType({
      name: 'Subscription',
      fields: {
        odd: { ...odd, subscribe: () => source },
        ticks: { type: GraphQLInt, subscribe: () => source, resolve: (value: number) => value },
      },
    }),
  })
}

const KINDS = ['bigint', 'circle', 'deep', 'throwing']

describe.each(KINDS)('a result that is no JSON (%s)', (kind) => {
  test.each(TRANSPORTS.map((transport) => [transport.name, transport] as const))(
    'fails its query over %s',
    async (_, transport) => {
      const { url, logged } = await startServer({ schema: buildOddSchema(createTickSource()) })
      const { errors } = await transport.ask(url, `{ odd(kind: "${kind}") }`)
      expect(errors).toHaveLength(1)
      expect(errors[0]?.extensions?.['code']).toBe('INTERNAL_SERVER_ERROR')
      expect(logged.some((line) => line.includes(String(errors[0]?.extensions?.['id'])))).toBe(true)
      expect(JSON.stringify([errors, logged])).not.toContain('hunter2')
      expect((await transport.ask(url, '{ odd(kind: "fine") }')).data).toEqual({ odd: { fine: true } })
    },
  )

  test.each(STREAM_TRANSPORTS.map((transport) => [transport.name, transport] as const))(
    'ends its subscription over %s',
    async (_, transport) => {
      const source = createTickSource(1)
      const { url, logged } = await startServer({ schema: buildOddSchema(source) })
      const stream = await transport.open(url, `subscription { odd(kind: "${kind}") }`)
      expect(await stream.ended()).toBe('INTERNAL_SERVER_ERROR')
      await source.returned
      expect(JSON.stringify(logged)).not.toContain('hunter2')
      await stream.leave()
      expect((await transport.ask(url, '{ hello }')).data).toEqual({ hello: 'world' })
    },
  )

  test('does not end the WebSocket it came by', async () => {
    const { url } = await startServer({ schema: buildOddSchema(createTickSource(1)) })
    const client = createWsClient(url)
    expect((await client.subscribe(`{ odd(kind: "${kind}") }`).ended()).kind).toBe('errors')
    expect(await client.subscribe('{ hello }').next()).toEqual({ data: { hello: 'world' } })
    await client.close()
  })
})

test.each(STREAM_TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'who counts deliveries may throw, over %s',
  async (_, transport) => {
    const source = createTickSource(2)
    const onDelivered = () => {
      throw new Error('password=hunter2')
    }
    const { url, logged } = await startServer({ onDelivered }, source)
    const stream = await transport.open(url, 'subscription { ticks }')
    expect([await stream.next(), await stream.next()].map(({ data }) => data)).toEqual([
      { ticks: 0 },
      { ticks: 1 },
    ])
    expect(logged.join()).toContain('count a delivery')
    expect(logged.join()).not.toContain('hunter2')
    await stream.leave()
  },
)

test.each(TRANSPORTS.map((transport) => [transport.name, transport] as const))(
  'variables as deep as one likes are refused over %s',
  async (_, transport) => {
    const { url } = await startServer()
    const variables = { kind: JSON.parse('['.repeat(1_000) + ']'.repeat(1_000)) }
    const { errors } = await transport.ask(url, 'query ($kind: String!) { fails(kind: $kind) }', {
      variables,
    })
    expect(errors.map(({ extensions }) => extensions?.['code'])).toEqual(['QUERY_OVER_LIMIT'])
    expect((await transport.ask(url, '{ hello }')).data).toEqual({ hello: 'world' })
  },
)
