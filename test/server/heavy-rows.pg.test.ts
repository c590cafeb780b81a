/** A transaction that is far larger than the log, though its WAL is small: PostgreSQL is read no faster than whoever reads as fast as it can. */
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { createWsClient } from '../support/ws-client.ts'

const ROWS = 150
/** Of a row; in the WAL it takes a hundredth. */
const ROW_BYTES = 200_000

interface UserChanged {
  readonly userChanged: {
    readonly new: { readonly settings: unknown }
    readonly transaction: { readonly index: number }
  }
}

it('reaches every client that reads as fast as it can, the next one too, and is not held up by one that reads nothing', {
  timeout: 120_000,
}, async () => {
  await using database = await openDatabase({ migrate: true })
  // The log keeps 12 MiB while somebody reads it, of 30 MB.
  await using running = await openService(database, {
    config: { retain: { bytes: 16 * 1024 * 1024, minutes: 10 } },
  })
  await running.service.rowcast.ready()
  const query = 'subscription { userChanged(action: INSERT) { new { settings } transaction { index } } }'
  const clients = [1, 2, 3].map(() => createWsClient(running.url))
  const [stalled, ...reading] = clients.map((client) => client.subscribe<UserChanged>(query))
  await expect.poll(() => running.service.rowcast.status().subscriptions.get('User')).toBe(clients.length)
  const [socket] = await Promise.all(clients.map((client) => client.connected()))
  socket?.pause()
  // One right behind the other: who still reads the first is waited for as well.
  for (const batch of [1, 2]) {
    await database.query(
      `INSERT INTO users (email, settings)
     SELECT n || '@' || $3::int || '.example.com', jsonb_build_object('text', repeat('x', $2::int)) FROM generate_series(1, $1::int) n`,
      [ROWS, ROW_BYTES, batch],
    )
  }
  for (const subscription of reading) {
    for (let count = 0; count < 2 * ROWS; count += 1) {
      const { userChanged } = await subscription.nextData(60_000)
      expect(userChanged.transaction.index).toBe(count % ROWS)
    }
  }
  socket?.resume()
  expect(stalled).toBeDefined()
  for (const client of clients) await client.close()
})
