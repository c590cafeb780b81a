/** A Redis for the benchmarks, in memory only; it ends with them. */
import { tmpdir } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { openRedisConnection } from '../src/broker/redis/redis-connection.ts'
import { findFreePort } from '../src/embedded/free-port.ts'
import { findRedis } from '../test/support/redis-runner.ts'

/** A server that ends with the benchmark. */
export interface BenchRedis extends AsyncDisposable {
  readonly url: string
  /** User and system time of the server so far, in microseconds. */
  cpuMicros(): Promise<number>
  /** Bytes it has sent so far. */
  sentBytes(): Promise<number>
  /** Commands that read or write keys, so far. */
  calls(): Promise<number>
  flush(): Promise<void>
  /** Resolves when somebody is there for what comes: a gateway, or a subscriber of PUBLISH. */
  hasReader(): Promise<void>
}

/** Starts one; null where there is no Redis. */
export async function openRedis(): Promise<BenchRedis | null> {
  const found = await findRedis()
  if ('fault' in found) return null
  const port = await findFreePort()
  const url = `redis://127.0.0.1:${port}`
  const running = await found.run(['--port', String(port), '--save', '', '--appendonly', 'no'], tmpdir())
  const connect = async () => {
    for (;;) {
      const connection = await openRedisConnection({ url, name: 'bench' }).catch(() => null)
      if (connection !== null) return connection
      await delay(20)
    }
  }
  const connection = await connect()
  const info = async (section: string, name: string) => {
    const text = String(await connection.send(['INFO', section]))
    return Number(new RegExp(`^${name}:([0-9.]+)`, 'm').exec(text)?.[1] ?? 0)
  }
  return {
    url,
    async cpuMicros() {
      return ((await info('cpu', 'used_cpu_user')) + (await info('cpu', 'used_cpu_sys'))) * 1e6
    },
    sentBytes: () => info('stats', 'total_net_output_bytes'),
    async calls() {
      const text = String(await connection.send(['INFO', 'commandstats']))
      const counts = [...text.matchAll(/^cmdstat_(?!info)[^:]+:calls=(\d+)/gm)]
      return counts.reduce((sum, [, count]) => sum + Number(count), 0)
    },
    async flush() {
      await connection.send(['FLUSHALL'])
    },
    async hasReader() {
      for (;;) {
        const clients = String(await connection.send(['CLIENT', 'LIST']))
        if (/ name=rowcast-gateway/.test(clients) || / sub=[1-9]/.test(clients)) return
        await delay(20)
      }
    },
    async [Symbol.asyncDispose]() {
      connection.destroy()
      await running.kill()
    },
  }
}
