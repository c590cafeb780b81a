/**
 * Real Redis for tests: `await using redis = await openRedis()` is a redis-server of the test's own, from PATH, to be
 * stopped and killed at will. Tests that need one are `describe.skipIf(NO_REDIS !== null)`.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  openRedisConnection,
  type RedisConnection,
  type RedisReply,
} from '../../src/broker/redis-connection.ts'
import { findFreePort } from '../../src/embedded/free-port.ts'
import { openFolder } from './postgres.ts'

const PROGRAM = ['redis-server', 'valkey-server'].find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0,
)

/** Why tests with Redis are left out; null: they run. */
export const NO_REDIS: string | null =
  PROGRAM === undefined ? 'There is no redis-server on PATH: tests of the broker are skipped.' : null
if (NO_REDIS !== null) process.stderr.write(`${NO_REDIS}\n`)

/** A server of the test's own. */
export interface TestRedis extends AsyncDisposable {
  readonly port: number
  readonly url: string
  /** Sends one command over a connection of its own. */
  command(...args: string[]): Promise<RedisReply>
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
  let child: ChildProcess | null = null
  const onExit = () => void child?.kill('SIGKILL')
  process.on('exit', onExit)

  async function start(): Promise<void> {
    const durability = isDurable ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no']
    child = spawn(
      PROGRAM ?? 'redis-server',
      [
        '--port',
        String(port),
        '--bind',
        '127.0.0.1',
        '--dir',
        folder.path,
        '--save',
        '',
        '--repl-diskless-sync-delay',
        '0',
        ...durability,
        ...settings,
      ],
      { stdio: 'ignore' },
    )
    for (;;) {
      const isUp = await command('PING').then(
        () => true,
        () => false,
      )
      if (isUp) return
      if (child.exitCode !== null) throw new Error(`redis-server ended: ${child.exitCode}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async function command(...args: string[]): Promise<RedisReply> {
    const connection: RedisConnection = await openRedisConnection({ url, name: 'test' })
    try {
      return await connection.send(args)
    } finally {
      connection.destroy()
    }
  }

  async function kill(): Promise<void> {
    const dying = child
    child = null
    if (dying === null) return
    const gone = once(dying, 'exit')
    dying.kill('SIGKILL')
    await gone
  }

  await start()
  return {
    ...{ port, url, command, start, kill },
    forget: () => rm(join(folder.path, 'appendonlydir'), { recursive: true, force: true }),
    signal: (name) => void child?.kill(name),
    async [Symbol.asyncDispose]() {
      process.off('exit', onExit)
      await kill()
      await folder[Symbol.asyncDispose]()
    },
  }
}
