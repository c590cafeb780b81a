/**
 * A process with a heap of 64 MB, and five clients that do not read what many rows bring: it is not exhausted. A client
 * that reads gets all of it; those that do not find the code that ended them once they read again, or get the rest: on a fast
 * machine the log still has it.
 */
import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { createWsClient } from '../support/ws-client.ts'
import { openCliFolder, type RunningCli } from './run-cli.ts'

/** What takes a minute elsewhere: `SMALL_HEAP_ROWS=300000`. */
const ROWS = Number(process.env['SMALL_HEAP_ROWS'] ?? 40_000)
/** Each transaction is read to its end before the next one begins. */
const ROWS_AT_ONCE = 10_000
const PAUSED = 5
const SMALL_HEAP = { NODE_OPTIONS: '--max-old-space-size=64' }
const NET = { timeout: 60_000 }
/** The log holds less than what comes, so that those who do not read end; pings would end them sooner, without a word. */
const CONFIG =
  'models: { Tag: {} }, public: true, retain: { bytes: 4_194_304, minutes: 10 }, limits: { pingIntervalMs: 600_000 }'
const QUERY = 'subscription { tagChanged(action: INSERT) { cursor new { id name } } }'

const ALL_OF_IT = 'all of it'

interface TagChanged {
  readonly tagChanged: { readonly new: { readonly id: string } }
}

let database: TestDatabase
beforeAll(async () => {
  database = await openDatabase({ migrate: true })
})
afterAll(() => database[Symbol.asyncDispose]())

async function urlOf(process: RunningCli): Promise<string> {
  for (;;) {
    const { url } = JSON.parse(await process.nextLine()) as { readonly url?: string }
    if (url !== undefined) return url
  }
}

/** A client that subscribes, and stops reading when it is asked to. */
async function openPaused(url: string) {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/graphql`, 'graphql-transport-ws')
  let received = 0
  let newest = 0
  let awaited = Number.POSITIVE_INFINITY
  const ended = new Promise<string>((resolve) => {
    socket.on('error', () => {})
    socket.on('close', (code) => resolve(`closed with ${code}`))
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as { type: string; payload?: unknown }
      if (message.type === 'next') {
        received += 1
        newest = Number((message.payload as { data: TagChanged }).data.tagChanged.new.id)
        if (newest >= awaited) resolve(ALL_OF_IT)
      }
      if (message.type !== 'error') return
      const [error] = message.payload as readonly { readonly extensions: { readonly code: string } }[]
      resolve(String(error?.extensions.code))
    })
  })
  await new Promise<void>((resolve) => socket.once('open', resolve))
  socket.send('{"type":"connection_init"}')
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: QUERY } }))
  const raw = () => (socket as unknown as { _socket: Socket })._socket
  return {
    ended,
    get received() {
      return received
    },
    pause: () => raw().pause(),
    /** Reads on, up to the row with this id. */
    resume(id: number) {
      awaited = id
      raw().resume()
    },
    [Symbol.dispose]: () => socket.terminate(),
  }
}

function insert(count: number) {
  return database.query(
    `INSERT INTO "Tag" (name) SELECT gen_random_uuid()::text FROM generate_series(1, $1::int)`,
    [count],
  )
}

/** Writes all rows past five who do not read; one who does gets each once and in order. Returns how the others ended. */
async function feed(url: string): Promise<readonly string[]> {
  const client = createWsClient(url)
  const reader = client.subscribe<TagChanged>(QUERY)
  const paused = await Promise.all(Array.from({ length: PAUSED }, () => openPaused(url)))
  try {
    // Everybody is subscribed once everybody has a first row.
    let probes = 0
    await expect
      .poll(async () => {
        await insert(1)
        probes += 1
        return paused.every(({ received }) => received > 0)
      }, NET)
      .toBe(true)
    let latest = 0
    while (latest < probes) latest = Number((await reader.nextData(NET.timeout)).tagChanged.new.id)
    for (const each of paused) each.pause()
    for (let written = 0; written < ROWS; written += ROWS_AT_ONCE) {
      await insert(ROWS_AT_ONCE)
      for (let n = 0; n < ROWS_AT_ONCE; n += 1) {
        const id = Number((await reader.nextData(NET.timeout)).tagChanged.new.id)
        if (id !== latest + 1) throw new Error(`${id} came after ${latest}`)
        latest = id
      }
    }
    for (const each of paused) each.resume(latest)
    return await Promise.all(paused.map(({ ended }) => ended))
  } finally {
    for (const each of paused) each[Symbol.dispose]()
    await client.close()
  }
}

/** Of a process that is dead, and may not be for PostgreSQL yet. */
async function dropSlot(slot: string): Promise<void> {
  await database.query(
    'SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = $1 AND active',
    [slot],
  )
  await database.query(
    'SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1',
    [slot],
  )
}

/** What a process said at last, where it did not do as it should. */
async function explained(processes: readonly RunningCli[], work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    const ended = await Promise.all(processes.map((each) => each.stop('SIGKILL')))
    const said = ended.map(
      ({ code, stdout, stderr }) => `${code}\n${stdout.slice(-2_000)}\n${stderr.slice(-2_000)}`,
    )
    throw new Error(said.join('\n'), { cause: error })
  }
}

async function expectToLive(url: string): Promise<void> {
  await expect.poll(() => isReady(url), NET).toBe(true)
  const ends = await feed(url)
  expect(ends.filter((end) => end !== 'RESYNC_REQUIRED' && end !== ALL_OF_IT)).toEqual([])
  expect(await isReady(url)).toBe(true)
}

async function isReady(url: string): Promise<boolean> {
  return (await fetch(`${url}/health/ready`)).ok
}

/** Serves from the folder, whatever comes of it; `gateway` is the process that has the clients. */
async function expectServedToLive(served: readonly RunningCli[], gateway: RunningCli, slot: string) {
  try {
    await explained(served, async () => expectToLive(await urlOf(gateway)))
  } finally {
    await Promise.all(served.map((each) => each.stop('SIGKILL')))
    await dropSlot(slot)
  }
}

describe('a heap of 64 MB outlives five clients that do not read', () => {
  it('in one process', { timeout: 900_000 }, async () => {
    const env = { ...SMALL_HEAP, DATABASE_URL: database.url, ROWCAST_SLOT: slotOf(database) }
    await using folder = await openCliFolder(env, CONFIG)
    const served = folder.start(['serve', '--port', '0'])
    await expectServedToLive([served], served, env.ROWCAST_SLOT)
  })

  it.skipIf(NO_REDIS !== null)('in a gateway and in a tap', { timeout: 900_000 }, async () => {
    await using redis = await openRedis()
    const slot = slotOf(database)
    const env = { ...SMALL_HEAP, DATABASE_URL: database.url, REDIS_URL: redis.url, ROWCAST_SLOT: slot }
    await using folder = await openCliFolder(env, CONFIG)
    const tap = folder.start(['serve', '--role', 'tap', '--port', '0'])
    const gateway = folder.start(['serve', '--role', 'gateway', '--port', '0'])
    await expectServedToLive([tap, gateway], gateway, slot)
  })
})
