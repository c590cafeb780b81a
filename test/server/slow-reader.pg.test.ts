/**
 * A client that takes large rows more slowly than they are written: what is beyond the bounds of its socket and its queue
 * waits in the retained log, is read from there as the socket drains, and none of it is missing. Asserted on what the server counts.
 */
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'

const CHANGES = 80
const BODY_BYTES = 200_000
/** Old and new row of an UPDATE, decoded, by the server's own estimate. */
const CHANGE_BYTES_MAX = 8 * BODY_BYTES
const UNSENT_BYTES_MAX = 1_048_576
const HELD_BYTES_MAX = 4_194_304

it('holds no more than its bounds, and gets all of it', { timeout: 120_000 }, async () => {
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database, {
    config: {
      slowSubscribers: { heldBytesMax: HELD_BYTES_MAX },
      // More than all of it, also for one who has taken nothing for long.
      retain: { bytes: 268_435_456, minutes: 10 },
    },
    limits: {
      ...{ socketBufferedBytesMax: 262_144, socketsBufferedBytesMax: UNSENT_BYTES_MAX },
      ...{ queuedBytesPerSocketMax: HELD_BYTES_MAX, pingIntervalMs: 600_000 },
    },
  })
  const { rowcast } = running.service
  await rowcast.ready()
  const [user] = await database.query<{ id: string }>(
    `INSERT INTO users (email) VALUES ('a@example.com') RETURNING id`,
  )
  await database.query('ALTER TABLE "Post" ALTER COLUMN body SET STORAGE EXTERNAL')
  await database.query(`INSERT INTO "Post" (id, "authorId", title) VALUES (1, $1, '0')`, [user?.id])

  const socket = new WebSocket(`${running.url.replace(/^http/, 'ws')}/graphql`, 'graphql-transport-ws')
  const titles: number[] = []
  const ends: string[] = []
  socket.on('error', () => {})
  socket.on('close', (code) => ends.push(String(code)))
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString())
    const title = Number(message.payload?.data?.postChanged.new.title)
    // The row itself may come, too: it was written before.
    if (message.type === 'next') titles.push(...(title === 0 ? [] : [title]))
    else if (message.type !== 'connection_ack') ends.push(data.toString())
  })
  await new Promise<void>((resolve) => socket.once('open', resolve))
  const query = 'subscription { postChanged { new { title body } } }'
  socket.send('{"type":"connection_init"}')
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }))
  await expect.poll(() => rowcast.status().subscriptions.get('Post') ?? 0).toBe(1)

  const most = { unsentBytes: 0, waiting: 0 }
  async function look(): Promise<void> {
    const metrics = await (await fetch(`${running.url}/metrics`)).text()
    const unsent = /^rowcast_unsent_bytes (\d+)/m.exec(metrics)?.[1]
    most.unsentBytes = Math.max(most.unsentBytes, Number(unsent))
    most.waiting = Math.max(most.waiting, rowcast.backlogs().get('Post')?.waiting ?? 0)
  }

  const raw = (socket as unknown as { _socket: Socket })._socket
  raw.pause()
  for (let n = 1; n <= CHANGES; n += 1) {
    await database.query(
      `UPDATE "Post" SET title = $1::text, body = repeat(md5($1::text), ${BODY_BYTES / 32})`,
      [String(n)],
    )
    await look()
  }
  while (titles.length < CHANGES && ends.length === 0) {
    // One chunk at a time.
    raw.once('data', () => raw.pause())
    raw.resume()
    await delay(1)
    if (titles.length % 10 === 0) await look()
  }
  expect(ends).toEqual([])
  expect(titles).toEqual(Array.from({ length: CHANGES }, (_, n) => n + 1))
  // Far less than what was written while it did not read.
  expect(most.unsentBytes).toBeLessThanOrEqual(2 * UNSENT_BYTES_MAX)
  expect(most.waiting * BODY_BYTES).toBeLessThanOrEqual(HELD_BYTES_MAX + CHANGE_BYTES_MAX)
  expect(most.unsentBytes).toBeGreaterThan(0)
  socket.terminate()
})
