/**
 * An honest client in a process of its own: commits a row, and notes when its subscription reports it; asks whether the
 * server is alive, and notes how long that takes.
 */
import { request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { insertSql } from '../orders.ts'
import { turnCommands } from '../turns.ts'
import { openRawWebSocket } from './raw-websocket.ts'

/** Where the server is. */
export interface HonestRequest {
  readonly url: string
  readonly port: number
  readonly path: string
  readonly firstId: number
}

/** What was noted, in milliseconds. */
export interface Experience {
  readonly deliveryP99Ms: number
  readonly healthP99Ms: number
  /** Rows that never came. */
  readonly missed: number
  /** Rows that were committed. */
  readonly committed: number
}

/** Between two commits, and between two questions. */
const INTERVAL_MS = 20
/** How long the last rows are waited for. */
const PATIENCE_MS = 30_000

let here: { readonly client: pg.Client; readonly at: HonestRequest } | null = null
const arrivals = new Map<number, number>()
let nextId = 0

/** Subscribes; the cursor of the first change that came. */
async function open(at: HonestRequest): Promise<string> {
  let cursor = ''

  const client = new pg.Client({ connectionString: at.url })
  await client.connect()
  here = { client, at }
  nextId = at.firstId
  let onAcknowledged = () => {}
  const acknowledged = new Promise<void>((resolve) => {
    onAcknowledged = resolve
  })
  const socket = await openRawWebSocket({
    ...{ port: at.port, path: at.path, protocol: 'graphql-transport-ws', localAddress: '127.0.0.1' },
    onText(bytes, start, end) {
      const text = bytes.toString('latin1', start, end)
      if (text.includes('connection_ack')) return onAcknowledged()
      if (text.includes('"type":"error"')) throw new Error(`The honest client's subscription ended: ${text}`)
      const id = Number(/"new":\{"id":"?(\d+)/.exec(text)?.[1])
      if (Number.isNaN(id)) return
      cursor ||= /"cursor":"(\w+)"/.exec(text)?.[1] ?? ''
      if (!arrivals.has(id)) arrivals.set(id, performance.now())
    },
    onLost() {
      throw new Error('The honest client lost its connection.')
    },
  })
  socket.send(JSON.stringify({ type: 'connection_init' }))
  await acknowledged
  const query = `subscription { orderChanged(action: INSERT, where: { id: { gte: ${at.firstId} } }) { cursor new { id } } }`
  socket.send(JSON.stringify({ id: 'honest', type: 'subscribe', payload: { query } }))
  // The subscription has begun once a row of it has come.
  for (let attempt = 0; attempt < 100 && arrivals.size === 0; attempt += 1) {
    await commit()
    await delay(INTERVAL_MS)
  }
  return cursor
}

async function commit(): Promise<{ readonly id: number; readonly atMs: number }> {
  if (here === null) throw new Error('Nothing is open.')
  const id = nextId
  nextId += 1
  await here.client.query(insertSql(id, id))
  return { id, atMs: performance.now() }
}

/** Lives for a while. */
async function live({ ms }: { readonly ms: number }): Promise<Experience> {
  const commits: { readonly id: number; readonly atMs: number }[] = []
  const healths: number[] = []
  const untilMs = performance.now() + ms
  const asking = (async () => {
    while (performance.now() < untilMs) {
      healths.push(await askHealth())
      await delay(INTERVAL_MS)
    }
  })()
  while (performance.now() < untilMs) {
    commits.push(await commit())
    await delay(INTERVAL_MS)
  }
  await asking
  const waitUntilMs = performance.now() + PATIENCE_MS
  const isMissing = ({ id }: { readonly id: number }): boolean => !arrivals.has(id)
  while (commits.some(isMissing) && performance.now() < waitUntilMs) await delay(INTERVAL_MS)
  const latencies = commits.flatMap(({ id, atMs }) => {
    const arrivedMs = arrivals.get(id)
    return arrivedMs === undefined ? [] : [Math.max(0, arrivedMs - atMs)]
  })
  arrivals.clear()
  return {
    deliveryP99Ms: percentile99(latencies),
    healthP99Ms: percentile99(healths),
    missed: commits.length - latencies.length,
    committed: commits.length,
  }
}

function askHealth(): Promise<number> {
  const startedMs = performance.now()
  return new Promise((resolve, reject) => {
    const asked = request({ port: here?.at.port, path: '/health/live', agent: false }, (response) => {
      response.resume()
      response.once('end', () => resolve(performance.now() - startedMs))
    })
    asked.once('error', reject)
    asked.end()
  })
}

function percentile99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? Number.NaN
}

export const commands = { open, live, ...turnCommands }
