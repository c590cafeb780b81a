/** A Redis for the benchmarks: redis-server from PATH, in memory only. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { openRedisConnection } from '../src/broker/redis-connection.ts'
import { findFreePort } from '../src/embedded/free-port.ts'

/** A server that ends with the benchmark. */
export interface BenchRedis extends AsyncDisposable {
  readonly url: string
  /** User and system time of the server so far, in microseconds. */
  cpuMicros(): Promise<number>
  /** Bytes it has sent so far. */
  sentBytes(): Promise<number>
  flush(): Promise<void>
  /** Resolves when somebody is there for what comes: a gateway, or a subscriber of PUBLISH. */
  hasReader(): Promise<void>
}

/** Starts one; null where there is no redis-server. */
export async function openRedis(): Promise<BenchRedis | null> {
  const program = ['redis-server', 'valkey-server'].find(
    (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
  )
  if (program === undefined) return null
  const port = await findFreePort()
  const url = `redis://127.0.0.1:${port}`
  const child = spawn(program, ['--port', String(port), '--save', '', '--appendonly', 'no'], {
    stdio: 'ignore',
  })
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
    async flush() {
      await connection.send(['FLUSHALL'])
    },
    async hasReader() {
      for (;;) {
        // One that finds no stream yet looks again and again, and is not blocked.
        if (String(await connection.send(['CLIENT', 'LIST'])).includes('name=rowcast-gateway')) return
        if ((await info('stats', 'pubsub_channels')) > 0) return
        await delay(20)
      }
    },
    async [Symbol.asyncDispose]() {
      connection.destroy()
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}
