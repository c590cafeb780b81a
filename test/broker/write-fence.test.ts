/** A tap that was stopped in the middle of writing, for longer than another one needs to take over. */
import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { StreamWriter } from '../../src/broker/stream-writer.ts'
import type { RowcastError } from '../../src/errors.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { createEpoch, EPOCH } from '../support/broker-stream.ts'
import { NO_REDIS, openLog, openRedis } from '../support/redis.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'

/** A tap that writes through a link of its own, and another one that may take the stream. */
async function openWriters(slot: string) {
  const redis = await openRedis()
  const link = await openTcpProxy(redis.port)
  const url = `redis://127.0.0.1:${link.port}`
  const connection = await openLog(url, 'first', 60_000)
  const other = await openLog(redis.url, 'second')
  const store = await createEpoch(other, slot)
  await store.take(connection, 'first', async () => [])
  const failures: RowcastError[] = []
  let accepted = 0n
  const keys = store.keys.epoch(EPOCH.id)
  const writer = new StreamWriter({
    ...{
      log: connection,
      keys,
      writerKey: store.writerKey,
      writerId: 'first',
      last: EPOCH.floor,
      onPressure() {},
    },
    onAccepted: (lsn) => {
      accepted = lsn
    },
    onFailure: (error) => failures.push(error),
  })
  writer.release(null)
  const write = (lsn: bigint) => {
    writer.addTables(`tables at ${lsn}`)
    writer.addEntry({ id: { lsn: toLsn(lsn), sequence: 0 }, payload: Buffer.from('entry') })
    writer.addMark(toLsn(lsn + 1n))
  }
  write(200n)
  await expect.poll(() => accepted).toBe(201n)
  return {
    ...{ redis, link, store, failures, write },
    takeOver: () => store.take(other, 'second', async () => []),
    /** Entries, marks and the document about the tables. */
    async stored() {
      const of = (...command: string[]) => redis.command(...command).then(String)
      return [
        await of('XRANGE', keys.changes, '-', '+'),
        await of('XRANGE', keys.marks, '-', '+'),
        await of('GET', keys.tables),
      ]
    },
    async [Symbol.asyncDispose]() {
      connection.destroy()
      other.destroy()
      await link[Symbol.asyncDispose]()
      await redis[Symbol.asyncDispose]()
    },
  }
}

describe.skipIf(NO_REDIS !== null)('a tap that has been taken over from', () => {
  it.each([
    ['with a batch on its way', true],
    ['and goes on writing', false],
  ])('changes nothing, %s, and stands down', async (_, isOnItsWay) => {
    await using writers = await openWriters('fenced')
    const before = await writers.stored()
    if (isOnItsWay) {
      writers.link.stall()
      writers.write(300n)
    }
    await writers.takeOver()
    if (isOnItsWay) writers.link.resume()
    else writers.write(300n)
    await expect.poll(() => writers.failures[0]?.code).toBe('BROKER_STREAM_CONTESTED')
    expect(await writers.stored()).toEqual(before)
  })

  it('is distinguished from one whose stream is gone', async () => {
    await using writers = await openWriters('gone')
    await writers.redis.command('FLUSHALL')
    writers.write(300n)
    await expect.poll(() => writers.failures[0]?.code).toBe('BROKER_STREAM_LOST')
  })

  it('begins no epoch, and reports no gap', async () => {
    await using writers = await openWriters('late')
    const { store, redis } = writers
    const connection = await openLog(redis.url, 'late')
    const epochs = () => redis.command('XLEN', store.keys.epochs)
    const epoch = { ...EPOCH, id: 'two' }
    const mark = { lsn: toLsn(300n), last: EPOCH.floor, writer: 'second', tables: null }
    const other = await openLog(redis.url, 'other')
    const taking = store.take(connection, 'first', async () => {
      // It has looked, and is stopped before it writes.
      await store.take(other, 'second', async () => store.beginning(epoch, mark, 1))
      return store.beginning({ ...EPOCH, id: 'three' }, mark, 1)
    })
    await expect(taking).rejects.toMatchObject({ code: 'BROKER_STREAM_CONTESTED' })
    await store.reportGap(
      connection,
      { epochId: 'two', writerId: 'first' },
      { reason: 'slot-lost', newId: 'gap', expireMinutes: 1 },
    )
    expect(await epochs()).toBe(2)
    await store.reportGap(
      other,
      { epochId: 'two', writerId: 'second' },
      { reason: 'slot-lost', newId: 'gap', expireMinutes: 1 },
    )
    expect(await epochs()).toBe(3)
    connection.destroy()
    other.destroy()
  })
})

it.skipIf(NO_REDIS !== null)('a tap to which MULTI alone is refused changes nothing', async () => {
  await using writers = await openWriters('refused')
  const { redis, store } = writers
  const connection = await openLog(redis.url, 'late')
  const before = await writers.stored()
  await redis.command('ACL', 'SETUSER', 'default', '-multi')
  const refused = { code: 'BROKER_REFUSED' }
  await expect(store.take(connection, 'late', async () => [])).rejects.toMatchObject(refused)
  expect(String(await redis.command('GET', store.writerKey))).toBe('first')
  await expect(connection.openWriter(store.writerKey, 'first').ready()).rejects.toMatchObject(refused)
  expect(await writers.stored()).toEqual(before)
  connection.destroy()
})
