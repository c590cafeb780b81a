/** The connections of a tap. */
import { describe, expect, it } from 'vitest'
import { createTapRelay } from '../../src/broker/tap-relay.ts'
import { silentLogger } from '../../src/log.ts'
import { newTagRegistry } from '../support/broker-stream.ts'
import { NO_REDIS, openRedis, type TestRedis } from '../support/redis.ts'

function createRelay({ url }: TestRedis) {
  return createTapRelay({
    broker: {
      url,
      answerTimeoutMs: 10_000,
      prefix: null,
      replicas: 0,
      retention: { bytes: 1_000_000, minutes: 1 },
    },
    ...{ slot: 'slot', registry: newTagRegistry(), logger: silentLogger, onDrift() {}, onRecovery() {} },
  })
}

async function countTaps(redis: TestRedis): Promise<number> {
  return String(await redis.command('CLIENT', 'LIST')).split('name=rowcast-tap:').length - 1
}

describe.skipIf(NO_REDIS !== null)('a tap', () => {
  it('has one connection, however many wait for it', async () => {
    await using redis = await openRedis()
    const relay = createRelay(redis)
    await Promise.all([relay.connect(), relay.connect()])
    expect(await countTaps(redis)).toBe(1)
    await relay.close()
  })

  it('has none once it is closed, also where one was on its way', async () => {
    await using redis = await openRedis()
    const relay = createRelay(redis)
    const connecting = relay.connect().catch(() => {})
    await relay.close()
    await connecting
    await expect.poll(() => countTaps(redis)).toBe(0)
  })
})
