/**
 * Real Redis for tests: `await using redis = await openRedis()` is a redis-server of the test's own, to be stopped and
 * killed at will. Tests that need one are `describe.skipIf(NO_REDIS !== null)`.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { EntryLog } from '../../src/broker/entry-log.ts'
import {
  openRedisConnection,
  type RedisConnection,
  type RedisReply,
} from '../../src/broker/redis/redis-connection.ts'
import { createRedisEngine } from '../../src/broker/redis/redis-log.ts'
import { findFreePort } from '../../src/embedded/free-port.ts'
import { openFolder } from './postgres.ts'
import { findRedis, type RunningRedis } from './redis-runner.ts'

const found = await findRedis()

/** Why tests with Redis are left out; null: they run. */
export const NO_REDIS: string | null = 'fault' in found ? found.fault : null
if (NO_REDIS !== null) process.stderr.write(`${NO_REDIS}\n`)

/** The broker's log there. */
export function openLog(url: string, name: string, answerTimeoutMs = 10_000): Promise<EntryLog> {
  return createRedisEngine({ url, answerTimeoutMs }).open({ name })
}

/** A server of the test's own. */
export interface TestRedis extends AsyncDisposable {
  readonly port: number
  readonly url: string
  /** Of the server; null while it does not run, and in a container. */
  readonly pid: number | null
  /** Sends one command over a connection of its own. */
  command(...args: (string | Buffer)[]): Promise<RedisReply>
  /** Starts it again on the same port, with what it had saved. */
  start(): Promise<void>
  /** Deletes what it has saved; while it does not run. */
  forget(): Promise<void>
  /** Ends it at once; what was not saved is gone. */
  kill(): Promise<void>
  signal(name: NodeJS.Signals): void
}

/** How to run it. */
export interface TestRedisOptions {
  /** Whether it keeps its data across restarts. @default false */
  readonly isDurable?: boolean | undefined
  /** More settings, as on the command line. */
  readonly settings?: readonly string[] | undefined
}

/** Starts one on a free port, with its data in a fresh folder. */
export async function openRedis({
  isDurable = false,
  settings = [],
}: TestRedisOptions = {}): Promise<TestRedis> {
  const folder = await openFolder()
  const port = await findFreePort()
  const url = `redis://127.0.0.1:${port}`
  let running: RunningRedis | null = null

  async function start(): Promise<void> {
    if ('fault' in found) throw new Error(found.fault)
    const durability = isDurable ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no']
    const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder.path]
    running = await found.run(
      [...place, '--save', '', '--repl-diskless-sync-delay', '0', ...durability, ...settings],
      folder.path,
    )
    for (;;) {
      const isUp = await command('PING').then(
        () => true,
        () => false,
      )
      if (isUp) return
      if (running.hasEnded) throw new Error('redis-server ended while it started.')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async function command(...args: (string | Buffer)[]): Promise<RedisReply> {
    const connection: RedisConnection = await openRedisConnection({ url, name: 'test' })
    try {
      return await connection.send(args)
    } finally {
      connection.destroy()
    }
  }

  async function kill(): Promise<void> {
    const dying = running
    running = null
    await dying?.kill()
  }

  await start()
  return {
    ...{ port, url, command, start, kill },
    get pid() {
      return running?.pid ?? null
    },
    forget: () => rm(join(folder.path, 'appendonlydir'), { recursive: true, force: true }),
    signal: (name) => running?.signal(name),
    async [Symbol.asyncDispose]() {
      await kill()
      await folder[Symbol.asyncDispose]()
    },
  }
}
