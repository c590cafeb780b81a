/** Role and broker: what a library and a service are given, and what they make of it. */
import { describe, expect, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { resolveScaling, type ScalingOptions } from '../../src/broker/broker-options.ts'
import { describeRefusal } from '../../src/broker/redis/redis-connection.ts'
import { type Environment, resolveConfig } from '../../src/config/resolve-config.ts'

const url = 'redis://user:secret@example.com:6380/2'

describe('role and broker', () => {
  it('are one process alone unless something else is said', () => {
    expect(resolveScaling({})).toEqual({ role: 'all', broker: null })
    const broker = {
      url,
      ...{ answerTimeoutMs: 10_000, replicas: 0 },
      prefix: null,
      retention: { bytes: 256 * 1024 * 1024, minutes: 60 },
    }
    expect(resolveScaling({ role: 'tap', broker: url })).toEqual({ role: 'tap', broker })
    const detailed = { url, replicas: 2, prefix: 'shop', retain: { minutes: 5 } }
    expect(resolveScaling({ broker: detailed }).broker).toMatchObject({
      ...{ answerTimeoutMs: 10_000, replicas: 2 },
      prefix: 'shop',
      retention: { minutes: 5 },
    })
  })

  it.each<[string, object]>([
    ['a tap without a broker', { role: 'tap' }],
    ['a gateway without a broker', { role: 'gateway', broker: 'memory' }],
    ['an unknown role', { role: 'leader', broker: url }],
    ['an address of something else', { broker: 'http://example.com' }],
    ['an address of several hosts', { broker: 'redis://user:secret@one:6379,two:6379' }],
    ['half a replica', { broker: { url, replicas: 0.5 } }],
    ['a prefix with braces', { broker: { url, prefix: '{x}' } }],
    ['a stream that keeps nothing', { broker: { url, retain: { bytes: 0 } } }],
  ])('refuse %s, without repeating a password', (_, options) => {
    const resolve = () => resolveScaling(options as ScalingOptions)
    expect(resolve).toThrow('CONFIG_BAD_BROKER')
    expect(resolve).not.toThrow('secret')
  })

  it('come from the command line before the environment, and from that before the file', () => {
    const createPrisma = () => ({ async $connect() {}, async $disconnect() {} })
    const env: Environment = { DATABASE_URL: 'postgresql://app@localhost/app' }
    const scalingOf = (file: object, more: Environment, role?: string) =>
      resolveConfig({ catalog, createPrisma, ...file }, { ...env, ...more }, { role }).scaling
    expect(scalingOf({}, {})).toEqual({ role: undefined, broker: undefined })
    expect(scalingOf({ role: 'tap', broker: 'redis://a' }, {})).toEqual({ role: 'tap', broker: 'redis://a' })
    const fromEnv = { REDIS_URL: 'redis://b', ROWCAST_ROLE: 'gateway' }
    expect(scalingOf({ role: 'tap', broker: { url: 'redis://a', prefix: 'p' } }, fromEnv)).toEqual({
      ...{ role: 'gateway', broker: { url: 'redis://b', prefix: 'p' } },
    })
    expect(scalingOf({}, fromEnv, 'all')).toEqual({ role: 'all', broker: 'redis://b' })
    expect(() => scalingOf({}, {}, 'tap')).toThrow('CONFIG_BAD_BROKER')
  })
})

describe('what Redis refuses', () => {
  it.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", 'BROKER_OUT_OF_MEMORY'],
    ['WRONGPASS invalid username-password pair', 'BROKER_REFUSED'],
    ["READONLY You can't write against a read only replica.", 'BROKER_REFUSED'],
    ['NOAUTH Authentication required.', 'BROKER_REFUSED'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'BROKER_REFUSED'],
  ])('%s', (message, code) => {
    const refusal = describeRefusal(new Error(message), 'example.com:6379')
    expect(refusal?.code).toBe(code)
    expect(refusal?.message).not.toContain('invalid username')
  })

  it.each([
    ['WRONGTYPE Operation against a key', 'delete that key'],
    ['LOADING Redis is loading the dataset in memory', 'Nothing if it passes'],
    ['BUSY Redis is busy running a script.', 'Nothing if it passes'],
    ['MISCONF Redis is configured to save RDB snapshots', 'own log'],
    ['NOREPLICAS Not enough good replicas to write.', 'own log'],
    ['MOVED 3999 127.0.0.1:6381', 'Cluster'],
    ['ERR The stream has exhausted the last possible ID, unable to add more items', 'the last id'],
    ['NOPERM this user has no permissions to run the command', 'ACL SETUSER'],
  ])('names what helps: %s', (message, hint) => {
    expect(describeRefusal(new Error(message), 'x')?.hint).toContain(hint)
  })

  it('is distinguished from a connection that broke', () => {
    expect(describeRefusal(new Error('read ECONNRESET'), 'x')).toBeNull()
  })
})
