/** One statement that is larger than queues, sockets and the log, and fits what is retained: whoever reads gets all of it. */
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { createWsClient } from '../support/ws-client.ts'

const ROWS = 30_000
/** Of a table with a key and an index; the log keeps 3/8 of it, which the rows do not fit. */
const RETAINED_BYTES = 6 * 1024 * 1024

interface TagChanged {
  readonly tagChanged: {
    readonly new: { readonly id: string }
    readonly transaction: { readonly last: boolean }
  }
}

it('reaches every client that reads as fast as it can, in order and whole', {
  timeout: 120_000,
}, async () => {
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database, {
    config: {
      retain: { bytes: RETAINED_BYTES, minutes: 10 },
      slowSubscribers: { queueLengthMax: 500, heldBytesMax: 1_000_000 },
    },
    limits: { socketBufferedBytesMax: 65_536 },
  })
  await running.service.rowcast.ready()
  const open = () => running.service.rowcast.status().subscriptions.get('Tag') ?? 0
  const clients = [1, 2, 3].map(() => createWsClient(running.url))
  const query = 'subscription { tagChanged(action: INSERT) { new { id } transaction { last } } }'
  const subscriptions = clients.map((client) => client.subscribe<TagChanged>(query))
  await expect.poll(open).toBe(clients.length)
  await database.query(
    `INSERT INTO "Tag" (name) SELECT 'a tag with number ' || n FROM generate_series(1, $1::int) AS n`,
    [ROWS],
  )
  const got = await Promise.all(
    subscriptions.map(async (subscription) => {
      const seen: TagChanged['tagChanged'][] = []
      while (seen.length < ROWS) seen.push((await subscription.nextData()).tagChanged)
      return seen
    }),
  )
  for (const seen of got) {
    const [first] = seen
    expect(seen.every((each, n) => Number(each.new.id) === Number(first?.new.id) + n)).toBe(true)
    expect(seen.findIndex(({ transaction }) => transaction.last)).toBe(ROWS - 1)
  }
  for (const client of clients) await client.close()
})
