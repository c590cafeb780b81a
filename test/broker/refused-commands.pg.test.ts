/**
 * Each command that is sent to Redis is refused for a while, one at a time, as Redis itself refuses it; and all of them, for each reason that
 * Redis has. Whoever is refused says so with a code, and afterwards everything has come, once and in order.
 */
import { rm } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { describe, expect, it } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { NO_REDIS, openRedis, type TestRedis } from '../support/redis.ts'
import { openRole } from '../support/scaled-rowcast.ts'
import { insertTags, takeNames, until } from '../support/tags.ts'

/** All that src/broker/redis sends. */
const COMMANDS = [
  ...['set', 'get', 'strlen', 'exists', 'expire', 'hset', 'hmget', 'hgetall', 'time', 'info', 'memory|usage'],
  ...['xadd', 'xtrim', 'xlen', 'xrange', 'xrevrange', 'xread', 'xinfo|stream'],
  ...['multi', 'exec', 'watch', 'unwatch', 'client|setname'],
]
const ROWS = 3
/** Worlds of their own that share the commands: most of the time each of them waits until somebody tries again. */
const WORLDS = 4

interface Refusal {
  readonly name: string
  readonly begin: (redis: TestRedis) => Promise<unknown>
  readonly end: (redis: TestRedis) => Promise<unknown>
}

/** Says one line over a connection that asks for nothing else: one with a name may be refused as well. */
function say({ port }: TestRedis, line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, '127.0.0.1', () => socket.write(`${line}\r\n`))
    socket.once('error', reject)
    socket.once('data', (answer) => {
      socket.destroy()
      if (answer.toString().startsWith('-')) reject(new Error(`${line}: ${answer}`))
      else resolve()
    })
  })
}

const ofCommand = (command: string): Refusal => ({
  name: command,
  async begin(redis) {
    await say(redis, `ACL SETUSER default -${command}`)
    // What is asked only as a connection begins is asked again.
    await say(redis, 'CLIENT KILL TYPE normal SKIPME yes')
  },
  end: (redis) => say(redis, 'ACL SETUSER default +@all'),
})

const isRefused = (redis: TestRedis, ...command: string[]): Promise<boolean> =>
  redis.command(...command).then(
    () => false,
    () => true,
  )

const REASONS: readonly Refusal[] = [
  {
    name: 'OOM',
    begin: (redis) => redis.command('CONFIG', 'SET', 'maxmemory', '1'),
    end: (redis) => redis.command('CONFIG', 'SET', 'maxmemory', '0'),
  },
  {
    name: 'READONLY',
    begin: (redis) => redis.command('REPLICAOF', '127.0.0.1', '1'),
    end: (redis) => redis.command('REPLICAOF', 'NO', 'ONE'),
  },
  {
    name: 'MASTERDOWN',
    async begin(redis) {
      await redis.command('CONFIG', 'SET', 'replica-serve-stale-data', 'no')
      await redis.command('REPLICAOF', '127.0.0.1', '1')
    },
    end: (redis) => redis.command('REPLICAOF', 'NO', 'ONE'),
  },
  {
    name: 'NOREPLICAS',
    begin: (redis) => redis.command('CONFIG', 'SET', 'min-replicas-to-write', '1'),
    end: (redis) => redis.command('CONFIG', 'SET', 'min-replicas-to-write', '0'),
  },
  {
    name: 'BUSY',
    async begin(redis) {
      await redis.command('CONFIG', 'SET', 'busy-reply-threshold', '20')
      redis.command('EVAL', 'while true do end', '0').catch(() => {})
      await until(() => isRefused(redis, 'PING'))
    },
    end: (redis) => say(redis, 'SCRIPT KILL'),
  },
  {
    name: 'LOADING',
    async begin(redis) {
      // Key by key, and with answers in between: a second or two.
      await redis.command('CONFIG', 'SET', 'key-load-delay', '4000')
      await redis.command('CONFIG', 'SET', 'loading-process-events-interval-bytes', '1024')
      const fill = "for n = 1, 500 do redis.call('SET', 'filler:' .. n, string.rep('x', 1024)) end"
      await redis.command('EVAL', fill, '0')
      say(redis, 'DEBUG RELOAD').catch(() => {})
      await until(() => isRefused(redis, 'PING'))
    },
    async end(redis) {
      await until(async () => !(await isRefused(redis, 'PING')))
      await redis.command('EVAL', "for n = 1, 500 do redis.call('DEL', 'filler:' .. n) end", '0')
    },
  },
  // Last: the folder that it saves to is gone for good.
  {
    name: 'MISCONF',
    async begin(redis) {
      await redis.command('CONFIG', 'SET', 'save', '3600 1', 'stop-writes-on-bgsave-error', 'yes')
      const [, folder] = (await redis.command('CONFIG', 'GET', 'dir')) as readonly unknown[]
      await rm(String(folder), { recursive: true, force: true })
      await redis.command('BGSAVE')
      await until(() => isRefused(redis, 'SET', 'any', 'text'))
    },
    end: (redis) => redis.command('CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no'),
  },
]

async function outlive(refusals: readonly Refusal[]): Promise<readonly string[]> {
  await using database = await openDatabase({ migrate: true })
  await using redis = await openRedis({ settings: ['--enable-debug-command', 'local'] })
  const options = { redisUrl: redis.url, watchIntervalMs: 200 }
  await using tap = await openRole(database, 'tap', options)
  await using gateway = await openRole(database, 'gateway', options)
  const live = gateway.rowcast.subscribe('Tag')
  const codes = new Set<string>()
  for (const { name, begin, end } of refusals) {
    await begin(redis)
    const early = await insertTags(database, ROWS)
    let hasCome = false
    const coming = takeNames(live, ROWS).then((names) => {
      hasCome = true
      return names
    })
    await until(() => {
      const errors = [tap, gateway].map(({ rowcast }) => rowcast.status().lastError)
      for (const error of errors) if (error !== null) codes.add(error.code)
      // That the connection was cut says nothing of what is refused.
      return hasCome || errors.some((error) => error !== null && error.code !== 'BROKER_LOST')
    })
    await end(redis)
    expect([name, await coming]).toEqual([name, early])
    const later = await insertTags(database, ROWS)
    expect([name, await takeNames(live, ROWS)]).toEqual([name, later])
    // The next one meets processes that have recovered.
    await until(() => tap.rowcast.status().isReady && gateway.rowcast.status().isReady)
  }
  return [...codes].sort()
}

const NAMED = expect.stringMatching(
  /^BROKER_(LOST|REFUSED|OUT_OF_MEMORY|UNREACHABLE|NO_TAP|STREAM_CONTESTED)$/,
)

describe.skipIf(NO_REDIS !== null)('while Redis refuses', () => {
  it('one command, whichever it is, nothing is lost and nothing comes twice', {
    timeout: 900_000,
  }, async () => {
    const worlds = Array.from({ length: WORLDS }, (_, world) =>
      COMMANDS.filter((_, place) => place % WORLDS === world).map(ofCommand),
    )
    const codes = (await Promise.all(worlds.map(outlive))).flat()
    expect(codes).toContain('BROKER_REFUSED')
    for (const code of codes) expect(code).toEqual(NAMED)
  })

  it('for any reason of its own, nothing is lost and nothing comes twice', { timeout: 600_000 }, async () => {
    const codes = await outlive(REASONS)
    expect(codes).toEqual(expect.arrayContaining(['BROKER_OUT_OF_MEMORY', 'BROKER_REFUSED']))
    for (const code of codes) expect(code).toEqual(NAMED)
  })
})
