/**
 * Live lists and totals at two gateways behind a tap and Redis: what the oracle says of them while one gateway stops and another begins, and while
 * another tap takes over.
 */
import { describe, expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { playLists } from '../support/list-oracle.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'
import { openRole, type ScaledRowcast, startRole } from '../support/scaled-rowcast.ts'
import { until } from '../support/tags.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 22)
const ROUNDS = process.env['ROWCAST_LONG'] === undefined ? 24 : 300

function register(rowcast: ScaledRowcast['rowcast']): void {
  for (const model of ['User', 'Post', 'Tag'] as const) rowcast.register(model)
  rowcast.follow('_PostToTag')
}

describe.skipIf(NO_REDIS !== null)('live lists and totals at gateways', () => {
  it('are what findMany and aggregate give at every boundary, whoever stops', {
    timeout: 180_000,
  }, async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    const options = { redisUrl: redis.url, register }
    await using first = await openRole(database, 'tap', options)
    await using second = startRole(database, 'tap', options)
    const gateways = [
      await openRole(database, 'gateway', options),
      await openRole(database, 'gateway', options),
    ]
    const stopped = new Set<object>()
    const taps = [first, second]
    const onRound = async (round: number) => {
      if (round === Math.floor(ROUNDS / 3)) {
        const [, before] = gateways
        gateways[1] = await openRole(database, 'gateway', options)
        if (before === undefined) return
        stopped.add(before.rowcast)
        await before[Symbol.asyncDispose]()
      }
      if (round === Math.floor((2 * ROUNDS) / 3)) {
        const isActive = ({ rowcast }: ScaledRowcast) => rowcast.status().broker?.isActive === true
        await taps.find(isActive)?.rowcast.stop()
        await until(() => taps.some(isActive))
      }
    }
    const found = await playLists({
      ...{ database, prisma: first.prisma, seed: SEED, rounds: ROUNDS, onRound },
      faceOf: (number) => (gateways[number % 2] as ScaledRowcast).rowcast,
      isStopped: (face) => stopped.has(face),
    })
    expect(found.wrong.slice(0, 2)).toEqual([])
    expect(found.shownOf('byNumber')).toBeGreaterThan(ROUNDS / 4)
    for (const gateway of gateways) await gateway[Symbol.asyncDispose]()
  })

  it('are refused by a tap, which serves nobody', async () => {
    await using database = await openDatabase({ migrate: true })
    await using redis = await openRedis()
    await using tap = startRole(database, 'tap', { redisUrl: redis.url, register })
    expect(() => tap.rowcast.list('Post')).toThrow('BROKER_WRONG_ROLE')
    expect(() => tap.rowcast.totals('Post')).toThrow('BROKER_WRONG_ROLE')
  })
})
