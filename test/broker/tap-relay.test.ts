/** The connections of a tap. */
import { describe, expect, it } from 'vitest'
import { createTapRelay } from '../../src/broker/tap-relay.ts'
import type { RowcastError } from '../../src/errors.ts'
import { silentLogger } from '../../src/log.ts'
import { toLsn } from '../../src/wire/lsn.ts'
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

  it('is fenced from its first batch on, also where it reports something as its stream begins', async () => {
    await using redis = await openRedis()
    const relay = createRelay(redis)
    await relay.connect()
    const failures: RowcastError[] = []
    let accepted = 0n
    const server = { systemId: '7', timeline: 1 }
    const begin = (lsn: bigint) => {
      const floorLsn = toLsn(lsn)
      relay.begin(
        {
          ...{ ...server, isFirst: false, floorLsn, serverLsn: floorLsn, gap: null },
          continuity: { kind: 'continuous', floorLsn },
        },
        {
          ...{ onBegin() {}, onOwnMessage() {}, onTable() {}, onPartialTruncate() {} },
          ...{ onHandedOver() {}, onWritten() {}, onPressure() {} },
          onAccepted: (reached) => {
            accepted = reached
          },
          onFailure: (error) => failures.push(error),
        },
      )
    }
    await relay.readPast(server)
    begin(100n)
    await expect.poll(() => accepted).toBe(100n)
    const { epoch } = relay.status()
    const root = `rowcast:7:{slot}:${epoch}`
    relay.end()
    await relay.readPast(server)
    const state = { model: 'Tag', schema: 'public', table: 'Tag', doesExist: true, isPublished: true }
    relay.tellTables([{ ...state, unpublishedColumns: [], published: null, standing: 'verified' }])
    begin(200n)
    await expect.poll(() => accepted).toBe(200n)
    // All that is on its way has come.
    await relay.connect()
    await relay.connect()
    const marks = () => redis.command('XRANGE', `${root}:marks`, '-', '+').then(String)
    await redis.command('SET', 'rowcast:{slot}:writer:7', 'another')
    const before = await marks()
    relay.keepalive(toLsn(300n))
    await expect.poll(() => failures[0]?.code ?? accepted).toBe('BROKER_STREAM_CONTESTED')
    expect(await marks()).toBe(before)
    await relay.close()
  })
})
