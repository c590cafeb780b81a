/**
 * Everybody comes at once, each with a subscription: all are let in, each gets each change once and in order, and the server answers others
 * meanwhile. The server is a process of its own: either has as many files open as there are clients.
 */
import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { openCliFolder, type RunningCli } from './run-cli.ts'

/** Ten thousand take a minute elsewhere: `CROWD=10000`. */
const CLIENTS = Number(process.env['CROWD'] ?? 2_000)
const SPARE_FILES = 500
const FILES = Number(
  execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).replace('unlimited', '1e9'),
)
const NET = { timeout: 240_000 }
const CONFIG = 'models: { Tag: {} }, public: true, limits: { connectionsPerAddressMax: 100_000 }'
const QUERY = 'subscription { tagChanged(action: INSERT) { new { id } } }'
const CHANGES = 3

let database: TestDatabase
beforeAll(async () => {
  database = await openDatabase({ migrate: true })
})
afterAll(() => database[Symbol.asyncDispose]())

const insert = () => database.query('INSERT INTO "Tag" (name) VALUES (gen_random_uuid()::text)')

async function urlOf(process: RunningCli): Promise<string> {
  for (;;) {
    const { url } = JSON.parse(await process.nextLine()) as { readonly url?: string }
    if (url !== undefined) return url
  }
}

/** One of them: what it has got, and what became of it. */
class Visitor {
  readonly ids: number[] = []
  isAdmitted = false
  end: string | null = null
  readonly #socket: WebSocket

  constructor(url: string) {
    const socket = new WebSocket(url, 'graphql-transport-ws', { perMessageDeflate: false })
    this.#socket = socket
    socket.on('error', (error) => {
      this.end ??= error.message
    })
    socket.on('close', (code, reason) => {
      this.end ??= `${code} ${String(reason)}`
    })
    socket.on('open', () => socket.send('{"type":"connection_init"}'))
    socket.on('message', (data) => this.#take(JSON.parse(String(data))))
  }

  leave(): void {
    this.#socket.terminate()
  }

  #take({ type, payload }: { readonly type: string; readonly payload?: unknown }): void {
    if (type === 'connection_ack') {
      this.isAdmitted = true
      this.#socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: QUERY } }))
    } else if (type === 'next') this.ids.push(Number(Object(payload).data.tagChanged.new.id))
    else if (type !== 'ping') this.end ??= `${type} ${JSON.stringify(payload)}`
  }
}

it.skipIf(FILES < CLIENTS + SPARE_FILES)(
  'so many at once are all let in, and each has each change once',
  { timeout: 600_000 },
  async () => {
    const env = { DATABASE_URL: database.url, ROWCAST_SLOT: slotOf(database) }
    await using folder = await openCliFolder(env, CONFIG)
    const served = folder.start(['serve', '--port', '0'])
    const url = await urlOf(served)
    const isReady = async () => (await fetch(`${url}/health/ready`)).ok
    await expect.poll(isReady, NET).toBe(true)
    const socketUrl = `${url.replace(/^http/, 'ws')}/graphql`
    const visitors = Array.from({ length: CLIENTS }, () => new Visitor(socketUrl))
    const ends = () => [...new Set(visitors.flatMap(({ end }) => end ?? []))]
    try {
      await expect
        .poll(() => ends().length > 0 || visitors.every(({ isAdmitted }) => isAdmitted), NET)
        .toBe(true)
      // Everybody is subscribed once everybody has a first row.
      await expect
        .poll(
          async () => {
            await insert()
            return ends().length > 0 || visitors.every(({ ids }) => ids.length > 0)
          },
          { ...NET, interval: 500 },
        )
        .toBe(true)
      for (let count = 0; count < CHANGES; count += 1) await insert()
      const [{ newest } = { newest: 0 }] = await database.query<{ newest: number }>(
        'SELECT max(id)::int AS newest FROM "Tag"',
      )
      await expect
        .poll(() => ends().length > 0 || visitors.every(({ ids }) => ids.at(-1) === newest), NET)
        .toBe(true)
      expect(ends()).toEqual([])
      const broken = visitors.filter(({ ids: [first = 0, ...rest] }) =>
        rest.some((id, index) => id !== first + index + 1),
      )
      expect(broken.map(({ ids }) => ids)).toEqual([])
      expect(await isReady()).toBe(true)
    } finally {
      for (const visitor of visitors) visitor.leave()
      await served.stop()
    }
  },
)
