/** How each limit is reached that needs no rows: of documents, connections, messages and time. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { onTestFinished, vi } from 'vitest'
import { untilStill } from '../../server/server-fixture.ts'
import { createTickSource } from '../../server/tick-schema.ts'
import { openRawSocket, subscribeMessage } from '../raw-socket.ts'
import { type ProbeServer, TRANSPORTS, type Transport } from '../transports.ts'
import { endOf, type LimitName, NOTHING, openStream, type Reach, seenIn, sees, WAYS } from './reach.ts'

/** One that is served by the probe schema. */
export interface ServerReach extends Reach<ProbeServer> {
  /** What the server has beside. */
  readonly served?: 'introspection' | 'proxied' | 'hanging context' | 'slow context' | 'revoked' | 'endless'
}

const NO_LIMIT = 2_147_483_647
/** What is asked for, again and again, by who does not read. */
export const BLOB_BYTES = 250_000

const nested = (levels: number): string => `${'node { '.repeat(levels - 1)}value${' }'.repeat(levels - 1)}`
const hello = '{ hello }'

/** A document that is refused before it is run. */
function document(name: LimitName, bounds: readonly [number, number], query: string): ServerReach {
  return {
    ...{ small: { [name]: bounds[0] }, large: { [name]: bounds[1] } },
    ...{ over: WAYS.all, sees: sees('QUERY_OVER_LIMIT') },
    attempt: async ({ url }, { ask }) => seenIn(await ask(url, query)),
  }
}

const documents = {
  queryDepthMax: document('queryDepthMax', [5, 6], `{ ${nested(6)} }`),
  queryAliasesMax: document('queryAliasesMax', [2, 3], '{ a: hello b: hello c: hello }'),
  queryDirectivesMax: document(
    'queryDirectivesMax',
    [1, 2],
    '{ hello @skip(if: false) viewer @skip(if: false) }',
  ),
  queryBytesMax: document('queryBytesMax', [12, 13], '{ hello } #é'),
  queryTokensMax: document('queryTokensMax', [5, 20], '{ hello viewer #a\n #b\n }'),
  queryCostMax: document('queryCostMax', [20, 200], `{ ${nested(7)} }`),
} satisfies Partial<Record<LimitName, ServerReach>>

const sizes = {
  requestBytesMax: {
    ...{ small: { requestBytesMax: 4_096 }, large: { requestBytesMax: 8_192 } },
    ...{ over: WAYS.bodies, sees: sees('413', '1009') },
    async attempt({ url }, { ask }) {
      const answer = await ask(url, hello, { variables: { text: 'x'.repeat(5_000) } })
      return answer.status === undefined || answer.status === 200 ? seenIn(answer) : String(answer.status)
    },
  },
  messageFragmentsMax: {
    ...{ small: { messageFragmentsMax: 8 }, large: { messageFragmentsMax: 64 } },
    ...{ over: WAYS.webSocket, sees: sees('1008') },
    async attempt({ url }) {
      const { socket, ended, received } = await openRawSocket(url)
      const text = JSON.stringify(subscribeMessage('1', hello))
      for (let at = 0; at < 20; at += 1)
        socket.send(text.slice(at * 10, at === 19 ? undefined : at * 10 + 10), { fin: at === 19 })
      const answered = vi.waitUntil(() => received.some(({ type }) => type === 'next'), 30_000)
      return Promise.race([ended.then(({ code }) => String(code)), answered.then(() => NOTHING)])
    },
  },
  payloadBytesMax: {
    ...{ small: { payloadBytesMax: 2_000 }, large: { payloadBytesMax: 4_000 } },
    ...{ over: WAYS.all, sees: sees('PAYLOAD_TOO_LARGE') },
    attempt: async ({ url }, { ask }) => seenIn(await ask(url, '{ text(bytes: 2100) }')),
  },
  introspectionBytesMax: {
    served: 'introspection',
    small: { payloadBytesMax: 300, introspectionBytesMax: 400 },
    large: { payloadBytesMax: 300, introspectionBytesMax: 40_000 },
    ...{ over: WAYS.notEventStreams, sees: sees('PAYLOAD_TOO_LARGE') },
    attempt: async ({ url }, { ask }) =>
      seenIn(await ask(url, '{ __schema { types { name fields { name description } } } }')),
  },
} satisfies Partial<Record<LimitName, ServerReach>>

const times = {
  operationTimeoutMs: {
    ...{ small: { operationTimeoutMs: 50 }, large: { operationTimeoutMs: 60_000 } },
    ...{ over: WAYS.all, sees: sees('OPERATION_TIMEOUT') },
    attempt: async ({ url }, { ask }) => seenIn(await ask(url, '{ slow }')),
  },
  connectionInitTimeoutMs: {
    served: 'slow context',
    ...{ small: { connectionInitTimeoutMs: 50 }, large: { connectionInitTimeoutMs: 60_000 } },
    ...{ over: WAYS.all, sees: sees('503', '4408') },
    attempt: async ({ url }, transport) => sessionSeen(url, transport),
  },
  contextCallsMax: {
    served: 'hanging context',
    small: { contextCallsMax: 1, connectionInitTimeoutMs: 200 },
    large: { contextCallsMax: 2, connectionInitTimeoutMs: 60_000 },
    ...{ over: WAYS.all, sees: sees('503', '4408') },
    async attempt({ url }, transport) {
      const [first] = TRANSPORTS
      const hanging = first?.ask(url, hello, { token: 'hang' }).catch(() => undefined)
      await vi.waitUntil(() => hangs.count > 0)
      const seen = await sessionSeen(url, transport)
      void hanging
      return seen
    },
  },
  revalidateIntervalMs: {
    served: 'revoked',
    ...{ small: { revalidateIntervalMs: 50 }, large: { revalidateIntervalMs: 60_000 } },
    ...{ over: WAYS.streams, sees: sees('SESSION_REVOKED') },
    async attempt({ url }, transport, patienceMs) {
      const stream = await openStream(transport, url, 'subscription { ticks }')
      const seen = await endOf(stream.ended(), patienceMs)
      await stream.leave()
      return seen
    },
  },
  requestTimeoutMs: {
    ...{ small: { requestTimeoutMs: 100 }, large: { requestTimeoutMs: 60_000 } },
    ...{ over: WAYS.overHttp, sees: sees('408') },
    async attempt({ url }, { kind }, patienceMs) {
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      let said = ''
      socket.on('data', (bytes) => {
        said += String(bytes)
      })
      socket.on('error', () => undefined)
      const accept = kind === 'sse' ? 'text/event-stream' : kind === 'multipart' ? MULTIPART : '*/*'
      socket.write(
        `POST /graphql HTTP/1.1\r\nhost: localhost\r\naccept: ${accept}\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{`,
      )
      const trickle = setInterval(() => socket.write(' '), 20)
      const seen = await endOf(
        once(socket, 'close').then(() => said.slice(9, 12)),
        patienceMs,
      )
      clearInterval(trickle)
      socket.destroy()
      return seen
    },
  },
  pingIntervalMs: {
    ...{ small: { pingIntervalMs: 50 }, large: { pingIntervalMs: 60_000 } },
    ...{ over: WAYS.webSocket, sees: sees('an unanswered ping ends it') },
    async attempt({ url }, _transport, patienceMs) {
      const { ended } = await openRawSocket(url, { autoPong: false })
      return endOf(
        ended.then(({ code }) => (code === 1006 ? 'an unanswered ping ends it' : code)),
        patienceMs,
      )
    },
  },
  idleTimeoutMs: {
    small: { idleTimeoutMs: 1, pingIntervalMs: 50 },
    // One that is slow to answer is no idle one.
    large: { idleTimeoutMs: 60_000, pingIntervalMs: 500 },
    ...{ over: WAYS.webSocket, sees: sees('1000') },
    async attempt({ url }, _transport, patienceMs) {
      const { ended } = await openRawSocket(url)
      return endOf(
        ended.then(({ code }) => code),
        patienceMs,
      )
    },
  },
  closeTimeoutMs: {
    ...{ small: { closeTimeoutMs: 50 }, large: { closeTimeoutMs: 60_000 } },
    ...{ over: WAYS.webSocket, sees: sees('it is cut') },
    attempt: ({ url }, _transport, patienceMs) => endOf(cutAfterClose(url), patienceMs),
  },
  drainTimeoutMs: {
    ...{ small: { drainTimeoutMs: 50 }, large: { drainTimeoutMs: 60_000 } },
    ...{ over: WAYS.streams, sees: sees('no longer') },
    async attempt({ url, server, source }, transport, patienceMs) {
      const stream = await openStream(transport, url, 'subscription { ticks }')
      await source.subscribed
      server.refuse()
      const seen = await endOf(
        server.drain().then(() => 'no longer'),
        patienceMs,
      )
      await stream.leave()
      return seen
    },
  },
} satisfies Partial<Record<LimitName, ServerReach>>

const MULTIPART = 'multipart/mixed;subscriptionSpec="1.0"'
/** Contexts that hang. */
export const hangs = { count: 0 }

/** Status or close code of a client that waits to be let in. */
async function sessionSeen(url: string, { ask }: Transport): Promise<string> {
  const answer = await ask(url, hello)
  return answer.status === undefined || answer.status === 200 ? seenIn(answer) : String(answer.status)
}

/** Resolves when the server cuts a client that has been sent a close frame, and says nothing to it. */
async function cutAfterClose(url: string): Promise<string> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1', allowHalfOpen: true })
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => undefined).resume()
  socket.write(
    'GET /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-protocol: graphql-transport-ws\r\n\r\n',
  )
  // A binary frame is none of the protocol.
  socket.write(Buffer.from([0x82, 0x81, 0, 0, 0, 0, 1]))
  await once(socket, 'end')
  return 'it is cut'
}

const counts = {
  subscriptionsPerSocketMax: {
    ...{ small: { subscriptionsPerSocketMax: 2 }, large: { subscriptionsPerSocketMax: 3 } },
    ...{ over: WAYS.webSocket, sees: sees('TOO_MANY_SUBSCRIPTIONS') },
    async attempt({ url }) {
      const { send, received } = await openRawSocket(url)
      for (const id of ['1', '2']) send(subscribeMessage(id, 'subscription { ticks }'))
      send(subscribeMessage('3', hello))
      const answer = await vi.waitUntil(() => received.find(({ id }) => id === '3'))
      return answer['type'] === 'error' ? codeIn(answer['payload']) : NOTHING
    },
  },
  connectionsPerAddressMax: {
    served: 'proxied',
    ...{ small: { connectionsPerAddressMax: 1 }, large: { connectionsPerAddressMax: 2 } },
    ...{ over: WAYS.streams, sees: sees('429') },
    attempt: ({ url }, transport, patienceMs) =>
      secondConnection(url, { transport, patienceMs }, ['203.0.113.1', '203.0.113.1']),
  },
  ipv6PrefixLength: {
    served: 'proxied',
    small: { connectionsPerAddressMax: 1, ipv6PrefixLength: 48 },
    large: { connectionsPerAddressMax: 1, ipv6PrefixLength: 64 },
    ...{ over: WAYS.streams, sees: sees('429') },
    attempt: ({ url }, transport, patienceMs) =>
      secondConnection(url, { transport, patienceMs }, ['2001:db8:0:1::1', '2001:db8:0:2::1']),
  },
  socketBufferedBytesMax: {
    served: 'endless',
    small: { socketBufferedBytesMax: BLOB_BYTES, socketsBufferedBytesMax: NO_LIMIT },
    large: { socketBufferedBytesMax: NO_LIMIT, socketsBufferedBytesMax: NO_LIMIT },
    ...{ over: WAYS.webSocket, sees: sees('nothing is produced') },
    async attempt({ url, source }) {
      const { socket, send } = await openRawSocket(url)
      socket.pause()
      send(subscribeMessage('1', `subscription { blobs(bytes: ${BLOB_BYTES}) }`))
      await untilStill(source)
      return source.pulled < ENDLESS ? 'nothing is produced' : NOTHING
    },
  },
  socketsBufferedBytesMax: {
    small: { socketsBufferedBytesMax: 3_000_000, pingIntervalMs: 60_000 },
    large: { socketsBufferedBytesMax: NO_LIMIT, pingIntervalMs: 60_000 },
    ...{ over: WAYS.webSocket, sees: sees('are cut') },
    async attempt({ url, contexts, server }, _transport, patienceMs) {
      // Only the clock of what is measured: five seconds pass at once.
      vi.useFakeTimers({ toFake: ['performance'] })
      onTestFinished(() => void vi.useRealTimers())
      const openUnread = async () => {
        const { socket, send, ended } = await openRawSocket(url)
        socket.pause()
        const before = contexts.length
        for (let id = 0; id < 40; id += 1)
          send(subscribeMessage(String(id), '{ viewer text(bytes: 500000) }'))
        await untilCalm(() => contexts.length, before)
        return { socket, ended }
      }
      const stalled = await openUnread()
      vi.advanceTimersByTime(10_000)
      await openUnread()
      await untilCalm(() => server.connections().unsentBytes, -1)
      vi.useRealTimers()
      stalled.socket.resume()
      return endOf(
        stalled.ended.then(({ code }) => (code === 1006 ? 'are cut' : code)),
        patienceMs,
      )
    },
  },
} satisfies Partial<Record<LimitName, ServerReach>>

/** Values that an endless source has: no client takes as many that does not read. */
export const ENDLESS = 100

function codeIn(payload: unknown): string {
  const [error] = payload as readonly { readonly extensions?: { readonly code?: string } }[]
  return String(error?.extensions?.code)
}

/** What the second of two clients is answered with. */
async function secondConnection(
  url: string,
  { transport, patienceMs }: { readonly transport: Transport; readonly patienceMs: number },
  [first, second]: readonly [string, string],
): Promise<string> {
  if (transport.kind === 'websocket') {
    const knock = (address: string) => openRawSocket(url, { headers: { 'x-forwarded-for': address } })
    await knock(first)
    return endOf(
      (await knock(second)).ended.then(({ code }) => code),
      patienceMs,
    )
  }
  const ticks = 'subscription { ticks }'
  await openStream(transport, url, ticks, { address: first })
  const stream = await openStream(transport, url, ticks, { address: second })
  return endOf(
    stream.next().then(({ status }) => String(status)),
    patienceMs,
  )
}

async function untilCalm(count: () => number, before: number): Promise<void> {
  let last = before
  await vi.waitUntil(
    () => {
      const now = count()
      const isCalm = now > before && now === last
      last = now
      return isCalm
    },
    { interval: 150, timeout: 30_000 },
  )
}

/** All of them. */
export const SERVER_REACHES = { ...documents, ...sizes, ...times, ...counts }

/** The source of a server whose subscriptions have much to say. */
export const endlessSource = () => createTickSource(ENDLESS)
