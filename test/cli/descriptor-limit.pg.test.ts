/**
 * A process that has no file descriptor left, as clients have taken all of them: further ones are turned away, those it has go on, and the
 * replication connection that it loses then comes back once one is free. Nothing is lost.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { createDeferred } from '../support/deferred.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { createWsClient } from '../support/ws-client.ts'
import { openCliFolder, type RunningCli } from './run-cli.ts'

const FILES_MAX = 256
const NET = { timeout: 60_000 }
/** Nobody is sent away for anything else than a descriptor. */
const CONFIG =
  'models: { Tag: {} }, public: true, limits: { connectionsPerAddressMax: 10_000, pingIntervalMs: 600_000, idleTimeoutMs: 600_000 }'
const QUERY = 'subscription { tagChanged(action: INSERT) { new { name } } }'
/** So many in a row that are turned away: there is no room. */
const REFUSALS = 5
const KNOCK_MS = 5

interface TagChanged {
  readonly tagChanged: { readonly new: { readonly name: string } }
}

let database: TestDatabase
beforeAll(async () => {
  database = await openDatabase({ migrate: true })
})
afterAll(() => database[Symbol.asyncDispose]())

const insert = (name: string) => database.query('INSERT INTO "Tag" (name) VALUES ($1)', [name])

async function urlOf(process: RunningCli): Promise<string> {
  for (;;) {
    const { url } = JSON.parse(await process.nextLine()) as { readonly url?: string }
    if (url !== undefined) return url
  }
}

async function untilLogged(process: RunningCli, code: string): Promise<void> {
  while (!(await process.nextLine()).includes(code));
}

/** Clients that are let in and ask for nothing. */
class Crowd implements Disposable {
  readonly #url: string
  readonly #sockets: WebSocket[] = []
  #isKnocking = false

  constructor(url: string) {
    this.#url = `${url.replace(/^http/, 'ws')}/graphql`
  }

  get size(): number {
    return this.#sockets.length
  }

  /** They come until there is no room for any, and go on knocking. */
  async fill(): Promise<void> {
    this.#isKnocking = true
    const filled = createDeferred<void>()
    void this.#knock(filled.resolve)
    await filled.promise
  }

  async #knock(onFilled: () => void): Promise<void> {
    for (let inARow = 0; this.#isKnocking; ) {
      inARow = (await this.#come()) ? 0 : inARow + 1
      if (inARow >= REFUSALS) onFilled()
      if (inARow > 0) await new Promise((resolve) => setTimeout(resolve, KNOCK_MS))
    }
  }

  /** Half of them leave, and nobody comes any more. */
  leave(): void {
    this.#isKnocking = false
    for (const socket of this.#sockets.splice(this.size >> 1)) socket.terminate()
  }

  [Symbol.dispose](): void {
    this.#isKnocking = false
    for (const socket of this.#sockets) socket.terminate()
  }

  #come(): Promise<boolean> {
    const socket = new WebSocket(this.#url, 'graphql-transport-ws')
    return new Promise((resolve) => {
      socket.on('error', () => {
        resolve(false)
      })
      socket.on('open', () => {
        socket.send('{"type":"connection_init"}')
        this.#sockets.push(socket)
        resolve(true)
      })
    })
  }
}

/** Ends the walsender of the slot. */
const endStream = (slot: string) =>
  database.query(
    'SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = $1',
    [slot],
  )

async function isRead(slot: string): Promise<boolean> {
  const rows = await database.query('SELECT FROM pg_replication_slots WHERE slot_name = $1 AND active', [
    slot,
  ])
  return rows.length > 0
}

it('turns clients away, keeps those it has, and reads on once one is free: nothing is lost', {
  timeout: 240_000,
}, async () => {
  const env = { DATABASE_URL: database.url, ROWCAST_SLOT: slotOf(database) }
  await using folder = await openCliFolder(env, CONFIG)
  const served = folder.start(['serve', '--port', '0'], {}, { filesMax: FILES_MAX })
  const url = await urlOf(served)
  await expect.poll(async () => (await fetch(`${url}/health/ready`)).ok, NET).toBe(true)
  const client = createWsClient(url)
  const reader = client.subscribe<TagChanged>(QUERY)
  const next = async () => (await reader.nextData(NET.timeout)).tagChanged.new.name
  using crowd = new Crowd(url)
  try {
    await client.connected()
    // It is subscribed once it has a first row.
    let [hasBegun, probes] = [false, 0]
    const first = next().then(() => {
      hasBegun = true
    })
    await expect
      .poll(async () => {
        probes += 1
        if (!hasBegun) await insert(`probe ${probes}`)
        return hasBegun
      }, NET)
      .toBe(true)
    await first
    await crowd.fill()
    expect(crowd.size).toBeGreaterThan(FILES_MAX / 3)
    // Who is there already has what comes.
    await insert('meanwhile')
    let got = await next()
    while (got.startsWith('probe')) got = await next()
    expect(got).toBe('meanwhile')
    // What its stream leaves behind is taken by the next who comes, sooner or later.
    let isSaid = false
    const said = untilLogged(served, 'SOURCE_NO_DESCRIPTOR').then(() => {
      isSaid = true
    })
    await expect
      .poll(async () => {
        if (!isSaid) await endStream(env.ROWCAST_SLOT)
        return isSaid && !(await isRead(env.ROWCAST_SLOT))
      }, NET)
      .toBe(true)
    await said
    await insert('unread')
    crowd.leave()
    expect(await next()).toBe('unread')
    await expect.poll(async () => (await fetch(`${url}/health/ready`)).ok, NET).toBe(true)
    await insert('after')
    expect(await next()).toBe('after')
  } finally {
    await client.close()
    await served.stop()
  }
})
