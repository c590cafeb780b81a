/**
 * A connection that falls silent at any byte that it brings: within the header of a frame, after half of its length, in the exchange of
 * passwords, between two answers. It is given up in time, and at once where nobody wants it any more. ROWCAST_LONG=1 tries each frame.
 */
import { Buffer } from 'node:buffer'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { withDatabaseSession } from '../../src/source/db/sql.ts'
import { openReplicationConnection } from '../../src/wire/connection.ts'
import type { DriverTarget, WaitBounds } from '../../src/wire/driver-target.ts'
import { openDatabase, type TestDatabase } from '../support/database.ts'
import { Swallower } from '../support/swallower.ts'
import { failureOf } from '../support/tags.ts'
import { openTcpProxy, type ProxyFlow } from '../support/tcp-proxy.ts'

const LANES = 30
const FRAMES_LEFT_OUT = process.env['ROWCAST_LONG'] === '1' ? 1 : 4
const HOUR_MS = 3_600_000

type Ask = (target: DriverTarget, bounds: WaitBounds) => Promise<unknown>

const askSql: Ask = (target, bounds) => withDatabaseSession(target, (sql) => sql.query('SELECT 1'), bounds)

/** As a source does, whose `stop()` ends the connection that it has. */
const askWalsender: Ask = async (target, bounds) => {
  const connection = await openReplicationConnection(target, { applicationName: 'test', ...bounds })
  const end = (): void => connection.abort(new Error('It is not wanted any more.'))
  bounds.signal?.addEventListener('abort', end)
  if (bounds.signal?.aborted) end()
  try {
    return await connection.identify()
  } finally {
    bounds.signal?.removeEventListener('abort', end)
    await connection.close()
  }
}

let database: TestDatabase
beforeAll(async () => {
  database = await openDatabase()
})
afterAll(() => database[Symbol.asyncDispose]())

/** Asks through a proxy that sees the bytes. */
async function askThrough(ask: Ask, see: (bytes: Buffer, flow: ProxyFlow) => Buffer, bounds: WaitBounds) {
  await using proxy = await openTcpProxy(database.target.port, { intercept: see })
  return await ask({ ...database.target, port: proxy.port }, bounds)
}

/** Where a link may fall silent: before each frame that the server sends, behind its tag, half of its length, its header, and before its end. */
async function placesOf(ask: Ask): Promise<number[]> {
  const pieces: Buffer[] = []
  const see = (bytes: Buffer, { direction }: ProxyFlow): Buffer => {
    if (direction === 'toClient') pieces.push(Buffer.from(bytes))
    return bytes
  }
  await askThrough(ask, see, {})
  const all = Buffer.concat(pieces)
  const places: number[] = []
  let frame = 0
  for (let start = 0; start < all.length; frame += 1) {
    const end = start + 1 + all.readInt32BE(start + 1)
    if (frame % FRAMES_LEFT_OUT === 0) places.push(start, start + 1, start + 3, start + 5, end - 1)
    start = end
  }
  expect(frame).toBeGreaterThan(15)
  return [...new Set(places)]
}

/** Asks once for each place, some at a time. @returns the codes of the failures */
async function fallSilent(ask: Ask, bounds: (silent: AbortSignal) => WaitBounds): Promise<unknown[]> {
  const places = await placesOf(ask)
  const codes: unknown[] = []
  const next = async (): Promise<void> => {
    for (let afterBytes = places.pop(); afterBytes !== undefined; afterBytes = places.pop()) {
      const swallower = new Swallower()
      swallower.silence = { from: 1, to: 1, afterBytes }
      const fallen = new AbortController()
      const see = (bytes: Buffer, flow: ProxyFlow): Buffer => {
        const passing = swallower.intercept(bytes, flow)
        if ((swallower.brought.get(1) ?? 0) >= (afterBytes ?? 0)) setTimeout(() => fallen.abort(), 5)
        return passing
      }
      const failure = await failureOf(askThrough(ask, see, bounds(fallen.signal)))
      codes.push(Reflect.get(failure ?? {}, 'code') ?? `${afterBytes}: ${String(failure)}`)
    }
  }
  await Promise.all(Array.from({ length: LANES }, next))
  return codes
}

describe.each([
  ['of plain SQL', askSql],
  ['to a walsender', askWalsender],
])('a session %s that falls silent, at whichever byte,', (_name, ask) => {
  it('is given up in time', async () => {
    const codes = await fallSilent(ask, () => ({ answerTimeoutMs: 250 }))
    const known = new Set(['SOURCE_HOST_UNREACHABLE', 'WIRE_ANSWER_TIMEOUT'])
    expect(codes.filter((code) => !known.has(String(code)))).toEqual([])
  })

  it('ends at once where nobody wants it any more, however long an answer may take', async () => {
    const codes = await fallSilent(ask, (signal) => ({ answerTimeoutMs: HOUR_MS, signal }))
    expect(codes.length).toBeGreaterThan(15)
  })
})
