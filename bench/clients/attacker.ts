/**
 * A hostile client in a process of its own. Each attack is one function that begins it and returns how it ends; what it
 * sends is counted.
 */
import { connect } from 'node:net'
import { turnCommands } from '../turns.ts'
import { type Attack, type AttackerKnows, subscribe } from './attack.ts'
import { LIVE_ATTACKS } from './live-attacks.ts'
import { openRawWebSocket, type RawWebSocket } from './raw-websocket.ts'

const REPLAY = (cursor: string): string =>
  `subscription { orderChanged(after: "${cursor}") { new { id reference customer details } } }`
const LARGE = 'subscription { orderChanged { new { id details } } }'

const FILTERED = 'subscription ($where: OrderWhere) { orderChanged(where: $where) { new { id } } }'
/** Each matches nothing, and finds that out at the end of the text. */
const COSTLY: readonly object[] = [
  { OR: Array.from({ length: 60 }, (_, n) => ({ customer: { contains: `zz${n}`, mode: 'INSENSITIVE' } })) },
  { customer: { contains: `${'_'.repeat(200)}zz`, mode: 'INSENSITIVE' } },
  { NOT: Array.from({ length: 60 }, (_, n) => ({ reference: { endsWith: `zz${n}` } })) },
]

/** The attacks by name. */
const ATTACKS = {
  ...LIVE_ATTACKS,
  /** The control: what the same minutes cost where nobody is hostile. */
  async nothing() {},
  /** Every subscription of every socket asks for all that is retained. */
  async replays(arena) {
    for (let sockets = 0; sockets < arena.count(10); sockets += 1) {
      const socket = await arena.connect()
      for (let id = 0; id < arena.count(100); id += 1) {
        arena.send(socket, subscribe(String(id), REPLAY(arena.request.cursor)))
      }
    }
  },
  /** The same, with as many positions as subscriptions. */
  async 'forged cursors'(arena) {
    const { cursor } = arena.request
    const lsn = BigInt(`0x${cursor.slice(26, 42)}`)
    for (let sockets = 0; sockets < arena.count(10); sockets += 1) {
      const socket = await arena.connect()
      for (let id = 0; id < arena.count(100); id += 1) {
        const forged = lsn + BigInt(sockets * 100_000 + id * 1_000)
        const text = `${cursor.slice(0, 26)}${forged.toString(16).padStart(16, '0')}00000000`
        arena.send(socket, subscribe(String(id), REPLAY(text)))
      }
    }
  },
  /** Sockets that ask for large rows and do not read; they say all the time that they live. */
  async 'sockets that do not read'(arena) {
    for (let sockets = 0; sockets < arena.count(50); sockets += 1) {
      const socket = await arena.connect()
      for (let id = 0; id < arena.count(20); id += 1) arena.send(socket, subscribe(String(id), LARGE))
      socket.stall()
      intervals.push(setInterval(() => socket.pong(), 1_000))
    }
  },
  /** Sockets that read a little of large rows. */
  async 'sockets that read slowly'(arena) {
    for (let sockets = 0; sockets < arena.count(20); sockets += 1) {
      const socket = await arena.connect()
      arena.send(socket, subscribe('1', LARGE))
      intervals.push(
        setInterval(() => {
          socket.resume()
          setTimeout(() => socket.stall(), 1)
        }, 60),
      )
    }
  },
  /** Filters that no index finds, as many as are let in. */
  async 'costly filters'(arena) {
    for (let sockets = 0; sockets < arena.count(10); sockets += 1) {
      const socket = await arena.connect()
      for (let id = 0; id < arena.count(90); id += 1) {
        const where = COSTLY[id % COSTLY.length]
        arena.send(socket, {
          ...{ id: String(id), type: 'subscribe' },
          payload: { query: FILTERED, variables: { where } },
        })
      }
    }
  },
  /** Documents of comments, each another one: what is kept of them. */
  async 'documents of comments'(arena) {
    const socket = await arena.connect()
    for (let id = 0; id < arena.count(2_000); id += 1) {
      const comments = '#\n'.repeat(id % 2 === 0 ? 400 : 15_000)
      arena.send(socket, subscribe(String(id), `${comments}{ changeCursor a${id}: __typename }`))
    }
  },
  /** The first of 200,000 related rows, again and again. */
  async 'nested lists'(arena) {
    const query = '{ posts(take: 5) { id comments(take: 1) { id body author { id } } } }'
    await again(arena, 1_000, (socket, id) => arena.send(socket, subscribe(id, query)))
  },
  /** What regular expressions and recursions choke on: as values, as names and as levels. */
  async 'long and deep texts'(arena) {
    const texts = [
      { price: { equals: '1'.repeat(90_000) } },
      { price: { equals: `${'1'.repeat(90_000)}x` } },
      { customer: { contains: ' '.repeat(90_000) } },
      { customer: { startsWith: '%_'.repeat(45_000) } },
      { reference: { equals: 'a'.repeat(90_000) } },
      JSON.parse(`${'{"AND":['.repeat(1_500)}{}${']}'.repeat(1_500)}`) as object,
    ]
    await again(arena, 1_000, (socket, id) => {
      const where = texts[Number(id) % texts.length]
      arena.send(socket, { id, type: 'subscribe', payload: { query: FILTERED, variables: { where } } })
      const name = 'Did you mean '.repeat(1_500)
      arena.send(socket, subscribe(`${id}n`, `{ ${name} }`))
    })
  },
  /** Subscriptions that begin and end in one piece. */
  async 'operations that come and go'(arena) {
    await again(arena, 200, (socket, id) => {
      arena.send(socket, subscribe(id, LARGE))
      arena.send(socket, { id, type: 'complete' })
    })
  },
  /** Upgrades of which each is refused, and whose client sends one more byte then. */
  async 'refused upgrades'(arena) {
    const one = (): void => {
      const socket = connect({ port: arena.request.port, host: '127.0.0.1', localAddress: '127.0.0.9' })
      const request = `GET /nowhere HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`
      socket.on('error', () => undefined).once('data', () => socket.write('x'))
      arena.write(socket, request)
    }
    intervals.push(setInterval(() => Array.from({ length: arena.count(20) }, one), 100))
  },
  /** The same as sockets that do not read, over HTTP. */
  async 'event streams that do not read'(arena) {
    const body = JSON.stringify({ query: LARGE })
    const head = `POST ${arena.request.path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\ncontent-type: application/json\r\n`
    for (let streams = 0; streams < arena.count(150); streams += 1) {
      const socket = connect({ port: arena.request.port, host: '127.0.0.1', localAddress: '127.0.0.9' })
      socket.on('error', () => undefined).pause()
      arena.write(socket, `${head}content-length: ${body.length}\r\n\r\n${body}`)
    }
  },
  /** Clients of whom nobody can say who they are. */
  async 'contexts that hang'(arena) {
    const knock = (): void => {
      for (let sockets = 0; sockets < arena.count(30); sockets += 1)
        arena.connect('hang').catch(() => undefined)
    }
    knock()
    intervals.push(setInterval(knock, 1_000))
  },
} satisfies Record<string, Attack>

/** Name of an attack. */
export type AttackName = keyof typeof ATTACKS

/** Which, and what its attacker knows. */
export interface AttackRequest extends AttackerKnows {
  readonly attack: AttackName
}

const intervals: NodeJS.Timeout[] = []
const sockets: { destroy(): unknown }[] = []
let sentBytes = 0

/** Ten sockets, each of which does something twenty times, and once more after each interval. */
async function again(
  { connect: open, count }: Parameters<Attack>[0],
  everyMs: number,
  act: (socket: RawWebSocket, id: string) => void,
): Promise<void> {
  const all = await Promise.all(Array.from({ length: count(10) }, () => open()))
  let id = 0
  const actAll = (): void => {
    for (const socket of all) {
      for (let n = 0; n < count(20); n += 1) {
        id += 1
        act(socket, String(id))
      }
    }
  }
  actAll()
  intervals.push(setInterval(actAll, everyMs))
}

async function start(request: AttackRequest): Promise<void> {
  const send = (socket: RawWebSocket, message: object): void => {
    const text = JSON.stringify(message)
    sentBytes += Buffer.byteLength(text)
    socket.send(text)
  }
  await ATTACKS[request.attack]({
    request,
    send,
    write(socket, text) {
      sentBytes += Buffer.byteLength(text)
      sockets.push(socket)
      socket.write(text)
    },
    count: (full) => Math.max(1, Math.round(full * request.scale)),
    async connect(token) {
      let onAcknowledged = () => {}
      const acknowledged = new Promise<void>((resolve) => {
        onAcknowledged = resolve
      })
      const socket = await openRawWebSocket({
        ...{
          port: request.port,
          path: request.path,
          protocol: 'graphql-transport-ws',
          localAddress: '127.0.0.9',
        },
        onText: () => onAcknowledged(),
        // Whom the server sends away has been sent away.
        onLost: () => undefined,
      })
      sockets.push(socket)
      send(socket, { type: 'connection_init', payload: { token } })
      await acknowledged
      return socket
    },
  })
}

/** Leaves; the bytes that were sent. */
function stop(): number {
  for (const interval of intervals) clearInterval(interval)
  for (const socket of sockets) socket.destroy()
  return sentBytes
}

export const commands = { start, stop, ...turnCommands }
