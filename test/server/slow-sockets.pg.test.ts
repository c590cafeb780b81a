/** A thousand sockets of which a hundred stop reading: the others miss nothing, and memory stays bounded. */
import type { Socket } from 'node:net'
import { expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { openDatabase } from '../support/database.ts'
import { liveBytes } from '../support/live-memory.ts'
import { openService } from '../support/live-service.ts'

const HEALTHY = 900
const STALLED = 100
const CHANGES = 150
/** Of the column that the stalled ones select: what they leave unread would be 450 MB. */
const BODY_BYTES = 30_000
const BUFFERED_BYTES_MAX = 65_536
/** Their buffers, and what the log retains; the stalled ones' unread changes would be 450 MB. */
const GROWTH_BYTES_MAX = 100 * 1024 * 1024

const next = (name: string) =>
  `subscription { postChanged(action: UPDATE) { transaction { index } new { ${name} } } }`

interface RawSubscription {
  readonly socket: WebSocket
  /** How many results have come. */
  readonly received: () => number
}

/** A socket that speaks just enough of graphql-transport-ws to subscribe, and counts what comes. */
async function subscribeRaw(url: string, query: string): Promise<RawSubscription> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/graphql`, 'graphql-transport-ws')
  let received = 0
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('open', () => socket.send('{"type":"connection_init"}'))
    socket.on('message', (data: Buffer) => {
      if (data.includes('"connection_ack"')) {
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }))
        resolve()
      } else if (data.includes('"next"')) {
        received += 1
      }
    })
  })
  return { socket, received: () => received }
}

it('delays nobody and keeps memory bounded', { timeout: 180_000 }, async () => {
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database, {
    limits: { socketBufferedBytesMax: BUFFERED_BYTES_MAX, pingIntervalMs: 600_000, closeTimeoutMs: 500 },
  })
  await running.service.rowcast.ready()
  const [user] = await database.query<{ id: string }>(
    `INSERT INTO users (email) VALUES ('a@example.com') RETURNING id`,
  )
  await database.query(`INSERT INTO "Post" (id, "authorId", title) VALUES (1, $1, 'x')`, [user?.id])

  const sockets: RawSubscription[] = []
  for (let i = 0; i < HEALTHY; i += 1) sockets.push(await subscribeRaw(running.url, next('title')))
  const stalled: RawSubscription[] = []
  for (let i = 0; i < STALLED; i += 1) stalled.push(await subscribeRaw(running.url, next('body')))
  // Everybody is subscribed when everybody has seen a first change.
  let probes = 0
  await expect
    .poll(
      async () => {
        await database.query(`UPDATE "Post" SET "viewCount" = "viewCount" + 1`)
        probes += 1
        return [...sockets, ...stalled].every(({ received }) => received() > 0)
      },
      { timeout: 60_000, interval: 200 },
    )
    .toBe(true)
  for (const { socket } of stalled) (socket as unknown as { _socket: Socket })._socket.pause()
  const before = sockets.map(({ received }) => received())

  const rssBefore = process.memoryUsage.rss()
  const heldBefore = await liveBytes()
  for (let i = 0; i < CHANGES; i += 1) {
    await database.query(
      `UPDATE "Post" SET title = $1::text, body = repeat(md5($1::text), ${Math.floor(BODY_BYTES / 32)})`,
      [String(i)],
    )
  }
  const isComplete = () => sockets.every(({ received }, i) => received() >= (before[i] ?? 0) + CHANGES)
  await expect.poll(isComplete, { timeout: 120_000, interval: 100 }).toBe(true)
  const rssGrowth = process.memoryUsage.rss() - rssBefore
  const growth = (await liveBytes()) - heldBefore
  process.stdout.write(
    `${HEALTHY} sockets got ${CHANGES} changes each beside ${STALLED} that stopped reading ` +
      `${Math.round((STALLED * CHANGES * BODY_BYTES) / 1e6)} MB: ` +
      `${Math.round(growth / 1e6)} MB more are held; RSS grew by ${Math.round(rssGrowth / 1e6)} MB.\n`,
  )
  expect(growth).toBeLessThan(GROWTH_BYTES_MAX)
  expect(probes).toBeGreaterThan(0)
  for (const { socket } of [...sockets, ...stalled]) socket.terminate()
})
