/** Many clients of WebSockets or event streams in a process of their own: they subscribe, count what comes, and note when. */
import { randomUUID } from 'node:crypto'
import { openRawEventStream } from './raw-event-stream.ts'
import { openRawWebSocket, type RawWebSocket } from './raw-websocket.ts'

/** Clients to open. */
export interface SwarmRequest {
  /** Name of the group, for later calls. */
  readonly group: string
  readonly port: number
  readonly path: string
  readonly clients: number
  /** The document of client number `n` is `documents[n % documents.length]`; none for bare sockets. */
  readonly documents: readonly string[]
  /** Over event streams instead of WebSockets. @default false */
  readonly isEventStream?: boolean
}

interface Group {
  readonly sockets: Pick<RawWebSocket, 'stall' | 'destroy'>[]
  /** Deliveries since the last reset. */
  count: number
  /** Anything that is neither a delivery nor part of the greeting. */
  faults: string[]
  lastText: string
  /** When each order came first; kept while `isTimed`. */
  readonly arrivals: Map<number, number>
  isTimed: boolean
  onCount: (() => void) | null
}

/** Loopback addresses, one for each group: ports of closed connections stay taken for a minute. */
let lastAddress = 1
const groups = new Map<string, Group>()
const BATCH = 100
/** As many kinds of viewers there are, for a server that asks. */
const AUDIENCES = 50
/** The beginning of a message says what it is. */
const HEAD_BYTES = 120

function groupOf({ group }: { readonly group: string }): Group {
  const found = groups.get(group)
  if (found === undefined) throw new Error(`There is no group ${group}.`)
  return found
}

async function open(request: SwarmRequest): Promise<void> {
  const { group: name, port, path, clients, documents, isEventStream = false } = request
  const openOne = isEventStream ? openStream : openClient
  lastAddress += 1
  const group: Group = {
    ...{
      sockets: [],
      count: 0,
      faults: [],
      lastText: '',
      arrivals: new Map(),
      isTimed: false,
      onCount: null,
    },
  }
  groups.set(name, group)
  for (let first = 0; first < clients; first += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, clients - first) }, (_, index) => first + index)
    const localAddress = `127.0.0.${lastAddress}`
    await Promise.all(
      numbers.map((number) =>
        openOne(group, number, {
          port,
          path,
          localAddress,
          document: documents[number % documents.length],
        }),
      ),
    )
  }
}

interface OneClient {
  readonly port: number
  readonly path: string
  readonly localAddress: string
  readonly document: string | undefined
}

async function openStream(
  group: Group,
  _number: number,
  { document = '', ...address }: OneClient,
): Promise<void> {
  const stream = await openRawEventStream({
    ...{ ...address, document },
    onResult: (bytes, start, end) => takeDelivery(group, bytes, start, end),
    onLost: () => group.faults.push('a connection was lost'),
  })
  group.sockets.push(stream)
}

async function openClient(group: Group, number: number, client: OneClient): Promise<void> {
  const { document, ...address } = client
  const isGraphql = document !== undefined
  let onAcknowledged = () => {}
  const acknowledged = new Promise<void>((resolve) => {
    onAcknowledged = resolve
  })
  const socket = await openRawWebSocket({
    ...address,
    protocol: isGraphql ? 'graphql-transport-ws' : undefined,
    onText(bytes, start, end) {
      const head = bytes.toString('latin1', start, Math.min(end, start + HEAD_BYTES))
      if (!isGraphql || head.includes('"type":"next"')) takeDelivery(group, bytes, start, end)
      else if (head.includes('"connection_ack"')) onAcknowledged()
      else if (!head.includes('"type":"p')) group.faults.push(head)
    },
    onLost: () => group.faults.push('a connection was lost'),
  })
  group.sockets.push(socket)
  if (!isGraphql) return
  const audience = 1 + (number % AUDIENCES)
  socket.send(JSON.stringify({ type: 'connection_init', payload: { audience } }))
  await acknowledged
  // An id as graphql-ws's client makes them.
  socket.send(JSON.stringify({ id: randomUUID(), type: 'subscribe', payload: { query: document } }))
}

function takeDelivery(group: Group, bytes: Buffer, start: number, end: number): void {
  group.count += 1
  if (group.isTimed) {
    const id = Number(/"new":\{"id":"?(\d+)/.exec(bytes.toString('latin1', start, end))?.[1])
    if (!group.arrivals.has(id)) group.arrivals.set(id, performance.timeOrigin + performance.now())
  } else if (group.lastText === '') group.lastText = bytes.toString('utf8', start, end)
  group.onCount?.()
}

/** Resolves once the group has got so many deliveries since the last reset; false when the time is over. */
async function reach(request: { group: string; count: number; timeoutMs: number }): Promise<boolean> {
  const group = groupOf(request)
  const isReached = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), request.timeoutMs)
    group.onCount = () => {
      if (group.count < request.count) return
      clearTimeout(timer)
      resolve(true)
    }
    group.onCount()
  })
  group.onCount = null
  if (group.faults.length > 0) throw new Error(`${group.faults.length} faults, first: ${group.faults[0]}`)
  return isReached
}

export const commands = {
  open,
  reach,
  reset(request: { group: string; isTimed?: boolean }) {
    const group = groupOf(request)
    group.count = 0
    group.isTimed = request.isTimed ?? false
    group.arrivals.clear()
  },
  count: (request: { group: string }) => groupOf(request).count,
  /** The text of a delivery, so that a bare server can send the same. */
  text: (request: { group: string }) => groupOf(request).lastText,
  /** Order → milliseconds since 1970. */
  arrivals: (request: { group: string }) => [...groupOf(request).arrivals],
  stall(request: { group: string }) {
    for (const socket of groupOf(request).sockets) socket.stall()
  },
  close(request: { group: string }) {
    for (const socket of groupOf(request).sockets) socket.destroy()
    groups.delete(request.group)
  },
}
