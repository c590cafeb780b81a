/** Live lists whose rows are shown with related ones, at two gateways behind a tap and Redis. */
import { expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { openRole, type ScaledRowcast } from '../support/scaled-rowcast.ts'
import { FOLLOWED_MODELS, playShownRelations, SHOWN_MODELS } from '../support/shown-relations-oracle.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 4)
const TRANSACTIONS = process.env['ROWCAST_LONG'] === undefined ? 40 : 1_000

function register(rowcast: ScaledRowcast['rowcast']): void {
  for (const model of SHOWN_MODELS) rowcast.register(model)
  for (const table of FOLLOWED_MODELS) rowcast.follow(table as '_PostToTag')
}

it.skipIf(NO_REDIS !== null)(
  'are what the query gives once a transaction has come',
  {
    timeout: 300_000,
  },
  async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    const options = { redisUrl: redis.url, register }
    await using tap = await openRole(database, 'tap', options)
    await using first = await openRole(database, 'gateway', options)
    await using second = await openRole(database, 'gateway', options)
    const patches = await playShownRelations({
      ...{ database, prisma: tap.prisma, seed: SEED, transactions: TRANSACTIONS },
      faceOf: (number) => [first, second][number % 2]?.rowcast ?? first.rowcast,
    })
    // Of a list that is whole at each boundary a viewer may see no change at all: all of them together say that there were some.
    expect([...patches.values()].reduce((sum, each) => sum + each, 0)).toBeGreaterThan(100)
  },
)
