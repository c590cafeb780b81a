/** Where attacks happen: the server, honest subscribers beside the attacker, and an eye on every byte that comes back. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, vi } from 'vitest'
import { WebSocket } from 'ws'
import type { TestDatabase } from '../../support/database.ts'
import { subscribeSse } from '../../support/sse-client.ts'
import { createWsClient } from '../../support/ws-client.ts'
import { type Ask, TRANSPORTS } from '../transports.ts'
import { CANARY } from './attacked-config.ts'
import type { ServedPackage } from './served-package.ts'

/** What an attack works with. Everything that the server says is looked at. */
export interface Arena {
  readonly server: ServedPackage
  readonly database: TestDatabase
  /** Position of an old change. */
  readonly cursor: string
  /** Writes the pieces to a connection of its own, and gives what came until it was closed, or nothing has come for a while. */
  raw(pieces: readonly (string | Buffer)[], options?: RawOptions): Promise<string>
  /**
   * Writes `first` at once and `slow` a little at a time, and gives what came until the server closed the connection, which it has to.
   * @param step bytes of a little; 1 by default
   */
  trickle(first: string | readonly (string | Buffer)[], slow: string | Buffer, step?: number): Promise<string>
  /** The same operation by each transport; the answers by its name, as text. */
  ask(query: string, options?: Ask): Promise<Readonly<Record<string, string>>>
  /** A WebSocket that sends what it is given; what it got, as text. */
  socket(options?: SocketOptions): Promise<AttackSocket>
}

export interface RawOptions {
  /** How long to wait for something more. @default 300 */
  readonly idleMs?: number
  /** Whether to send one more byte once the server has ended its half. @default false */
  readonly isTrailing?: boolean
}

export interface SocketOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly params?: unknown
  /** Whether to introduce itself, and wait until that was answered. @default true */
  readonly isInitialized?: boolean
}

export interface AttackSocket {
  readonly socket: WebSocket
  readonly received: readonly string[]
  send(message: unknown): void
  subscribe(id: string, query: string, variables?: unknown): void
  /** Waits until so many messages have come, or the socket is closed. */
  got(count: number): Promise<readonly string[]>
  /** Close code, or status of the refusal. */
  readonly ended: Promise<number>
}

/** The answer of a transport that refuses without a body. */
export const NO_BODY = 'no body'

/** Stack traces, paths of files, and what nobody may see. */
const FORBIDDEN = new RegExp(`${CANARY}|\\n\\s+at \\S+ ?\\(|node_modules|file://|/dist/|rowcast-attacked`)

function inspect(text: string): string {
  const found = FORBIDDEN.exec(text)
  if (found !== null)
    expect.fail(`The server said ${text.slice(Math.max(0, found.index - 200), found.index + 200)}`)
  return text
}

/** Opens the arena. */
export function openArena(server: ServedPackage, database: TestDatabase, cursor: string): Arena & Disposable {
  const sockets = new Set<WebSocket>()
  return {
    ...{ server, database, cursor },
    raw: (pieces, options) => sayRaw(server.port, pieces, options),
    trickle: (first, slow, step) => saySlowly(server.port, first, slow, step),
    async ask(query, options) {
      const answers = TRANSPORTS.map(async (transport) => {
        // What does not fit into a URL is refused without a body, by Node.js itself: 431.
        const answer = await transport.ask(server.url, query, options).catch((error: unknown) => {
          if (transport.name.endsWith('GET')) return NO_BODY
          throw error
        })
        return [transport.name, inspect(JSON.stringify(answer))] as const
      })
      return Object.fromEntries(await Promise.all(answers))
    },
    async socket(options = {}) {
      const opened = await openSocket(server.url, options)
      sockets.add(opened.socket)
      return opened
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.terminate()
      sockets.clear()
    },
  }
}

function sayRaw(
  port: number,
  pieces: readonly (string | Buffer)[],
  options: RawOptions = {},
): Promise<string> {
  const { idleMs = 300, isTrailing = false } = options
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: isTrailing })
  let said = ''
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(timer)
      socket.destroy()
      try {
        resolve(inspect(said))
      } catch (error) {
        reject(error)
      }
    }
    let timer = setTimeout(settle, 10 * idleMs)
    socket.on('data', (bytes) => {
      said += bytes.toString('latin1')
      clearTimeout(timer)
      timer = setTimeout(settle, idleMs)
    })
    socket.on('error', settle).once('close', settle)
    socket.once('end', () => {
      if (isTrailing) socket.write('x')
    })
    for (const piece of pieces) socket.write(piece)
  })
}

/** Between two writes of one that sends as slowly as it can. */
const TRICKLE_MS = 25

function saySlowly(
  port: number,
  first: string | readonly (string | Buffer)[],
  slow: string | Buffer,
  step = 1,
): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1' })
  const rest = Buffer.from(slow)
  let said = ''
  let at = 0
  const timer = setInterval(() => {
    if (at < rest.length) socket.write(rest.subarray(at, at + step))
    at += step
  }, TRICKLE_MS)
  socket.on('data', (bytes) => {
    said += bytes.toString('latin1')
  })
  socket.on('error', () => undefined)
  for (const piece of typeof first === 'string' ? [first] : first) if (piece !== '') socket.write(piece)
  return new Promise((resolve, reject) => {
    socket.once('close', () => {
      clearInterval(timer)
      try {
        resolve(inspect(said))
      } catch (error) {
        reject(error)
      }
    })
  })
}

async function openSocket(url: string, options: SocketOptions): Promise<AttackSocket> {
  const { headers = {}, params = { token: 'attacker' }, isInitialized = true } = options
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { headers })
  const received: string[] = []
  let onMessage = () => {}
  socket.on('message', (data) => {
    received.push(inspect(String(data)))
    onMessage()
  })
  const ended = new Promise<number>((resolve) => {
    socket.once('unexpected-response', (_request, response) => {
      response.destroy()
      resolve(response.statusCode ?? 0)
    })
    socket.once('close', (code, reason) => {
      inspect(String(reason))
      resolve(code)
      onMessage()
    })
  })
  socket.on('error', () => undefined)
  await Promise.race([new Promise((resolve) => socket.once('open', resolve)), ended])
  const send = (message: unknown): void =>
    socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  const got = async (count: number): Promise<readonly string[]> => {
    while (received.length < count && socket.readyState < WebSocket.CLOSED)
      await new Promise<void>((resolve) => {
        onMessage = resolve
      })
    return received
  }
  if (isInitialized && socket.readyState === WebSocket.OPEN) {
    send({ type: 'connection_init', payload: params })
    await got(1)
  }
  return {
    ...{ socket, received, ended, send, got },
    subscribe: (id, query, variables) => send({ id, type: 'subscribe', payload: { query, variables } }),
  }
}

/** Subscribers who get every change, whoever is beside them. */
export interface Honest extends AsyncDisposable {
  /** Commits some changes; resolves once everyone has got them, in order. */
  expectAll(): Promise<void>
}

const HONEST = `subscription { userChanged(action: UPDATE, where: { email: { equals: "honest@example.com" } }) { new { signInCount } } }`

/** Opens one over WebSocket and one over SSE. */
export async function openHonest({ url }: ServedPackage, database: TestDatabase): Promise<Honest> {
  const client = createWsClient(url, { token: 'honest' })
  const overSse = await subscribeSse<HonestData>(url, HONEST, {}, 'POST', { authorization: 'Bearer honest' })
  const queues = [client.subscribe<HonestData>(HONEST), overSse]
  let count = 0
  const write = () =>
    database.query(`UPDATE users SET sign_in_count = $1 WHERE email = 'honest@example.com'`, [++count])
  // A subscription is live a moment after it was sent.
  await vi.waitUntil(
    async () => {
      await write()
      return queues.every(({ length }) => length > 0)
    },
    { timeout: 30_000, interval: 100 },
  )
  const until = async (queue: (typeof queues)[number], last: number): Promise<readonly number[]> => {
    const seen: number[] = []
    while (seen.at(-1) !== last) seen.push((await queue.nextData()).userChanged.new?.signInCount ?? -1)
    return seen
  }
  for (const queue of queues) await until(queue, count)
  return {
    async expectAll() {
      const first = count + 1
      for (let n = 0; n < 5; n += 1) await write()
      const wanted = Array.from({ length: 5 }, (_, n) => first + n)
      for (const queue of queues) expect(await until(queue, count)).toEqual(wanted)
    },
    async [Symbol.asyncDispose]() {
      overSse.unsubscribe()
      await client.close()
    },
  }
}

interface HonestData {
  readonly userChanged: { readonly new: { readonly signInCount: number } | null }
}

/**
 * Descriptors of the process that are sockets, but for those to PostgreSQL: the application's pool opens and closes as it
 * likes. One whose connection the system has forgotten counts.
 */
export function socketsOf({ pid }: ServedPackage, postgresPort: number): number {
  const isPostgres = new Set<string>()
  for (const file of ['tcp', 'tcp6']) {
    for (const line of readFileSync(`/proc/${pid}/net/${file}`, 'utf8').split('\n').slice(1)) {
      const columns = line.trim().split(/\s+/)
      const remotePort = Number.parseInt(columns[2]?.split(':').at(-1) ?? '', 16)
      if (remotePort === postgresPort) isPostgres.add(columns[9] ?? '')
    }
  }
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => linkOf(`/proc/${pid}/fd/${fd}`))
  return links.filter((link) => link.startsWith('socket:') && !isPostgres.has(link.slice(8, -1))).length
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** Lets a moment pass: for attacks that do nothing but last. */
export const moment = (ms: number): Promise<void> => delay(ms)
