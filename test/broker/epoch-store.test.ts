/** What a tap that comes next takes for safe, of entries and marks in a real Redis. */
import { describe, expect, it } from 'vitest'
import { formatMark } from '../../src/broker/mark.ts'
import { openRedisConnection } from '../../src/broker/redis-connection.ts'
import { type Lsn, toLsn } from '../../src/wire/lsn.ts'
import { createEpoch, EPOCH, insertTag, writeBatch } from '../support/broker-stream.ts'
import { NO_REDIS, openRedis } from '../support/redis.ts'

const FIRST = toLsn(200n)
const SECOND = toLsn(300n)
const END = toLsn(SECOND + 8n)

/** Two transactions and their mark, then a mark that comes late. @returns what counts as safe before and after it */
async function safeAround(slot: string, late: { lsn: Lsn; last: { lsn: Lsn; sequence: number } }) {
  await using redis = await openRedis()
  const connection = await openRedisConnection({ url: redis.url, name: slot })
  try {
    const store = await createEpoch(connection, slot)
    await writeBatch(connection, store, [], [...insertTag(FIRST, 'a'), ...insertTag(SECOND, 'b')])
    const before = (await store.readState(connection))?.safeLsn
    const mark = formatMark({ ...late, writer: 'tap that has stood down', tables: null })
    const { marks } = store.keys.epoch(EPOCH.id)
    await connection.send(['XADD', marks, 'MAXLEN', '1', '*', 'm', mark])
    return [before, (await store.readState(connection))?.safeLsn]
  } finally {
    connection.destroy()
  }
}

describe.skipIf(NO_REDIS !== null)('up to the last entry there is no doubt', () => {
  it('where a mark comes late that is older', async () => {
    const late = { lsn: FIRST, last: EPOCH.floor }
    expect(await safeAround('older', late)).toEqual([END, SECOND])
  })

  it('where a mark counts on an entry that is not there', async () => {
    const late = { lsn: toLsn(500n), last: { lsn: toLsn(400n), sequence: 0 } }
    expect(await safeAround('absent', late)).toEqual([END, SECOND])
  })
})
