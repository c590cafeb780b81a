/** Whom the watch of Redis' replicas answers. */
import { describe, expect, it } from 'vitest'
import { systemRuntime } from '../../src/broker/broker-runtime.ts'
import { createRedisEngine } from '../../src/broker/redis/redis-log.ts'
import { ReplicaWatch } from '../../src/broker/replica-watch.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'

describe.skipIf(NO_REDIS !== null)('the watch of replicas', () => {
  it('answers the stream that waits now, and not one that was over before the answer came', async () => {
    await using redis = await openRedis()
    const kept: string[] = []
    const failures: unknown[] = []
    const watch = new ReplicaWatch({
      // None is wanted: every answer says that enough have it.
      ...{ wanted: 0, name: 'watch', probeKey: 'probe' },
      engine: createRedisEngine({ url: redis.url, answerTimeoutMs: 10_000 }),
      ...{ runtime: systemRuntime, onFailure: (error) => failures.push(error) },
    })
    watch.accepted(() => kept.push('of the stream that ends'))
    watch.forget()
    await new Promise<void>((resolve) => {
      watch.accepted(() => {
        kept.push('of the next stream')
        resolve()
      })
    })
    watch.close()
    expect([kept, failures]).toEqual([['of the next stream'], []])
  })
})
