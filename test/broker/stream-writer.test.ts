/** What leaves for Redis in which batch. */
import { Buffer } from 'node:buffer'
import { expect, it } from 'vitest'
import type { EntryId } from '../../src/broker/entry-id.ts'
import { parseMark } from '../../src/broker/mark.ts'
import type { RedisConnection, RedisReply } from '../../src/broker/redis/redis-connection.ts'
import { RedisLog } from '../../src/broker/redis/redis-log.ts'
import { streamKeys } from '../../src/broker/stream-keys.ts'
import { StreamWriter } from '../../src/broker/stream-writer.ts'
import { LSN_ZERO, type Lsn, toLsn } from '../../src/wire/lsn.ts'

const KEYS = streamKeys('rowcast', 'slot').epoch('one')

/** Redis, as far as a writer sees it: each EXEC is a batch of commands. */
function createServer() {
  const batches: string[][][] = []
  let open: string[][] = []
  let answers = Promise.resolve()
  const connection: RedisConnection = {
    isOpen: true,
    address: 'here',
    destroy() {},
    async send(args): Promise<RedisReply> {
      const command = args.map(String)
      if (command[0] === 'WATCH') return 'OK'
      if (command[0] === 'GET') return 'tap'
      if (command[0] === 'MULTI') open = []
      else if (command[0] !== 'EXEC') open.push(command)
      if (command[0] !== 'EXEC') return 'QUEUED'
      const batch = open
      // What is tried with each WATCH.
      if (batch.length === 0) return []
      batches.push(batch)
      await answers
      return batch.map(() => 'OK')
    },
  }
  /** Nothing is answered until what it returns is called. */
  function stall(): () => void {
    let goOn = () => {}
    answers = new Promise((resolve) => {
      goOn = resolve
    })
    return () => goOn()
  }
  return { batches, connection, stall }
}

/** A writer whose stream ends with `last`. */
function openWriter(
  connection: RedisConnection,
  last: EntryId,
  onAccepted: (lsn: Lsn) => void,
): StreamWriter {
  return new StreamWriter({
    ...{ log: new RedisLog(connection), keys: KEYS, writerKey: 'writer', writerId: 'tap' },
    ...{ last, onAccepted },
    onPressure() {},
    onFailure: (error) => expect.fail(error.message),
  })
}

it('a mark names the document about the tables that has been sent, not one that still waits', async () => {
  const { batches, connection } = createServer()
  let accepted = LSN_ZERO
  const writer = openWriter(connection, { lsn: LSN_ZERO, sequence: 0 }, (lsn) => {
    accepted = lsn
  })
  const end = 1_500
  writer.addTables('one')
  for (let lsn = 1; lsn <= end; lsn += 1) {
    writer.addEntry({ id: { lsn: toLsn(BigInt(lsn)), sequence: 0 }, payload: Buffer.from('entry') })
    writer.addMark(toLsn(BigInt(lsn + 1)))
  }
  writer.addTables('two')
  writer.addMark(toLsn(BigInt(end + 2)))
  writer.release(null)
  await expect.poll(() => accepted).toBe(BigInt(end + 2))
  let document: string | undefined
  const named = new Map<string | null | undefined, Set<string | undefined>>()
  for (const batch of batches) {
    for (const [name, key, ...rest] of batch) {
      if (name === 'SET' && key === KEYS.tables) document = rest[0]
      if (key !== KEYS.marks) continue
      const digest = parseMark(rest.at(-1) ?? '', key)?.tables
      named.set(digest, (named.get(digest) ?? new Set()).add(document))
    }
  }
  expect(batches.length).toBeGreaterThan(1)
  // Each digest stands for one document: a gateway that has read by it knows what it has read.
  expect([...named.values()].map((documents) => [...documents])).toEqual([['one'], ['two']])
})

/** A writer whose mark at 10 was accepted, and whose entry at 20 waits for a server that says nothing. */
async function openStalled() {
  const { batches, connection, stall } = createServer()
  const accepted: bigint[] = []
  const writer = openWriter(connection, { lsn: LSN_ZERO, sequence: 0 }, (lsn) => accepted.push(lsn))
  writer.addMark(toLsn(10n))
  writer.release(null)
  await expect.poll(() => accepted).toEqual([10n])
  const goOn = stall()
  writer.addEntry({ id: { lsn: toLsn(20n), sequence: 0 }, payload: Buffer.from('entry') })
  return { batches, accepted, writer, goOn }
}

it('what says again where the stream stands says no less than what waits', async () => {
  const { batches, accepted, writer, goOn } = await openStalled()
  await expect.poll(() => batches.length).toBe(2)
  writer.addMark(toLsn(30n))
  writer.beat(0)
  goOn()
  await expect.poll(() => accepted.at(-1)).toBe(30n)
})

it('nothing counts as accepted before Redis has answered', async () => {
  const { batches, accepted, writer, goOn } = await openStalled()
  writer.addMark(toLsn(21n))
  await expect.poll(() => batches.length).toBe(2)
  expect(accepted).toEqual([10n])
  goOn()
  await expect.poll(() => accepted.at(-1)).toBe(21n)
})

it('where a model was cut is not noted again, once what came after it is in the stream', async () => {
  const { batches, connection } = createServer()
  let accepted = LSN_ZERO
  const writer = openWriter(connection, { lsn: toLsn(30n), sequence: 0 }, (lsn) => {
    accepted = lsn
  })
  const models = new Map([['Post', 0]])
  const payload = Buffer.from('entry')
  // The slot sends again from the barrier on: both are there, and the entry was noted when it was written.
  writer.addLasts(new Map([['Post', { commitLsn: toLsn(21n), index: 0 }]]))
  writer.addEntry({ id: { lsn: toLsn(20n), sequence: 0 }, payload })
  writer.addEntry({ id: { lsn: toLsn(30n), sequence: 0 }, payload, models })
  // One that is news is noted.
  writer.addLasts(new Map([['Tag', { commitLsn: toLsn(41n), index: 0 }]]))
  writer.addEntry({ id: { lsn: toLsn(40n), sequence: 0 }, payload })
  writer.addMark(toLsn(42n))
  writer.release(null)
  await expect.poll(() => accepted).toBe(42n)
  const noted = batches.flat().filter(([name, key]) => name === 'HSET' && key === KEYS.lasts)
  expect(noted.map(([, , model, text]) => [model, String(text).slice(9)])).toEqual([['Tag', '41-0']])
})
