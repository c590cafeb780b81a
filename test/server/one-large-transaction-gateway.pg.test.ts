/** One statement by way of a tap, Redis and a gateway, larger than the gateway's queues, sockets and log: whoever reads gets all of it. */
import { describe, expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { openRole } from '../support/scaled-rowcast.ts'
import { createWsClient } from '../support/ws-client.ts'

/** What takes minutes elsewhere: `LARGE_ROWS=400000`. */
const ROWS = Number(process.env['LARGE_ROWS'] ?? 100_000)

interface TagChanged {
  readonly tagChanged: {
    readonly new: { readonly id: string }
    readonly transaction: { readonly last: boolean }
  }
}

describe.skipIf(NO_REDIS !== null)('a statement of very many rows', () => {
  it('reaches every client of a gateway that reads as fast as it can, in order and whole', {
    timeout: 600_000,
  }, async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using _tap = await openRole(database, 'tap', { redisUrl: redis.url })
    await using gateway = await openService(database, {
      config: {
        ...{ role: 'gateway', broker: redis.url },
        // The log of the gateway does not hold the rows: Redis does.
        retain: { bytes: 6 * 1024 * 1024, minutes: 10 },
        slowSubscribers: { queueLengthMax: 500, heldBytesMax: 1_000_000 },
      },
      limits: { socketBufferedBytesMax: 65_536 },
    })
    const { rowcast } = gateway.service
    await rowcast.ready()
    const clients = [1, 2].map(() => createWsClient(gateway.url))
    const query = 'subscription { tagChanged(action: INSERT) { new { id } transaction { last } } }'
    const subscriptions = clients.map((client) => client.subscribe<TagChanged>(query))
    await expect.poll(() => rowcast.status().subscriptions.get('Tag')).toBe(clients.length)
    await database.query(
      `INSERT INTO "Tag" (name) SELECT 'a tag with number ' || n FROM generate_series(1, $1::int) AS n`,
      [ROWS],
    )
    const [written] = await database.query<{ rows: number; first: number }>(
      'SELECT count(*)::int AS rows, min(id)::int AS first FROM "Tag"',
    )
    for (const subscription of subscriptions) {
      for (let n = 0; n < (written?.rows ?? 0); n += 1) {
        const { tagChanged } = await subscription.nextData(60_000)
        if (
          Number(tagChanged.new.id) !== (written?.first ?? 0) + n ||
          tagChanged.transaction.last !== (n === ROWS - 1)
        )
          expect.fail(`Row ${n} came as ${JSON.stringify(tagChanged)}.`)
      }
    }
    expect(written?.rows).toBe(ROWS)
    for (const client of clients) await client.close()
  })
})
