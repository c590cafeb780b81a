/** One connection to Redis: how it is lost, and that nothing waits for ever. */
import { describe, expect, it, vi } from 'vitest'
import { openRedisConnection } from '../../../src/broker/redis/redis-connection.ts'
import { isRowcastError, type RowcastError } from '../../../src/errors.ts'
import { NO_REDIS, openRedis } from '../../support/redis.ts'
import { openTcpProxy } from '../../support/tcp-proxy.ts'

async function failureOf(work: Promise<unknown>): Promise<RowcastError | null> {
  return work.then(
    () => null,
    (error: unknown) => (isRowcastError(error) ? error : null),
  )
}

describe.skipIf(NO_REDIS !== null)('a connection to Redis', () => {
  it('fails what it has sent when the server is killed, and says once that it ended', async () => {
    await using redis = await openRedis()
    let ends = 0
    const connection = await openRedisConnection({
      ...{ url: redis.url, name: 'test' },
      onEnd: () => {
        ends += 1
      },
    })
    const waiting = failureOf(connection.send(['XREAD', 'BLOCK', '0', 'STREAMS', 'none', '$']))
    await redis.kill()
    expect((await waiting)?.code).toBe('BROKER_LOST')
    expect((await failureOf(connection.send(['PING'])))?.code).toBe('BROKER_LOST')
    expect([connection.isOpen, ends]).toEqual([false, 1])
    expect((await failureOf(openRedisConnection({ url: redis.url, name: 'test' })))?.code).toBe(
      'BROKER_UNREACHABLE',
    )
  })

  it('gives up on a server that does not answer, connecting or connected', async () => {
    await using redis = await openRedis()
    await using link = await openTcpProxy(redis.port)
    const url = `redis://127.0.0.1:${link.port}`
    // A busy machine may not answer in time.
    const connection = await vi.waitFor(() =>
      openRedisConnection({ url, name: 'test', answerTimeoutMs: 300 }),
    )
    link.stall()
    expect((await failureOf(connection.send(['PING'])))?.code).toBe('BROKER_LOST')
    const connecting = openRedisConnection({ url, name: 'test', answerTimeoutMs: 300 })
    expect((await failureOf(connecting))?.code).toBe('BROKER_UNREACHABLE')
  })

  it('waits for no answer that the network swallows, from whichever byte on', async () => {
    await using redis = await openRedis()
    const ask = (port: number) =>
      openRedisConnection({
        ...{ url: `redis://127.0.0.1:${port}`, name: 'test', answerTimeoutMs: 500 },
      }).then(async (connection) => {
        await connection.send(['PING'])
        await connection.send(['SET', 'key', 'x'.repeat(50)])
        await connection.send(['GET', 'key'])
        connection.destroy()
      })
    let total = 0
    await using counted = await openTcpProxy(redis.port, {
      intercept(bytes, { direction }) {
        if (direction === 'toClient') total += bytes.length
        return bytes
      },
    })
    // All of one exchange that came in time.
    await vi.waitFor(() => {
      total = 0
      return ask(counted.port)
    })
    const outcomes = await Promise.all(
      // The client needs no last byte.
      Array.from({ length: total - 1 }, async (_, afterBytes) => {
        let brought = 0
        await using link = await openTcpProxy(redis.port, {
          intercept(bytes, { direction }) {
            const left = Math.max(0, afterBytes - brought)
            if (direction === 'toServer') return left === 0 ? bytes.subarray(0, 0) : bytes
            brought += bytes.length
            return bytes.subarray(0, left)
          },
        })
        return (await failureOf(ask(link.port)))?.code
      }),
    )
    expect(total).toBeGreaterThan(50)
    expect(new Set(outcomes)).toEqual(new Set(['BROKER_UNREACHABLE', 'BROKER_LOST']))
  })

  it('names a wrong password without repeating it', async () => {
    await using redis = await openRedis()
    await redis.command('CONFIG', 'SET', 'requirepass', 'right')
    const wrong = redis.url.replace('redis://', 'redis://default:wr0ng@')
    const failure = await failureOf(openRedisConnection({ url: wrong, name: 'test' }))
    expect(failure?.code).toBe('BROKER_REFUSED')
    expect(failure?.message).not.toContain('wr0ng')
  })
})
