/** What a tap that comes next takes for safe, of entries and marks in a broker, on each engine. */
import { describe, expect, it } from 'vitest'
import type { LogWrite } from '../../src/broker/entry-log.ts'
import { formatMark } from '../../src/broker/mark.ts'
import { keysOf } from '../../src/broker/stream-keys.ts'
import { LSN_ZERO, type Lsn, toLsn } from '../../src/wire/lsn.ts'
import { TESTED_ENGINES, type TestBroker } from '../support/broker-engines.ts'
import { createEpoch, EPOCH, insertTag, writeBatch } from '../support/broker-stream.ts'

const FIRST = toLsn(200n)
const SECOND = toLsn(300n)
const END = toLsn(SECOND + 8n)

/** Two transactions and their mark, then a mark that comes late. @returns what counts as safe before and after it */
async function safeAround(
  broker: TestBroker,
  slot: string,
  late: { lsn: Lsn; last: { lsn: Lsn; sequence: number } },
  epochOfMark: string = EPOCH.id,
) {
  const connection = await broker.open(slot)
  try {
    const store = await createEpoch(connection, slot)
    await writeBatch(connection, store, [], [...insertTag(FIRST, 'a'), ...insertTag(SECOND, 'b')])
    const before = (await store.readState(connection))?.safeLsn
    const { marks } = store.keys.epoch(EPOCH.id)
    const written = store.keys.epoch(epochOfMark).marks
    const mark = formatMark({ ...late, writer: 'tap that has stood down', tables: null }, written)
    await broker.write({ kind: 'mark', stream: marks, text: mark })
    return [before, (await store.readState(connection))?.safeLsn]
  } finally {
    connection.destroy()
  }
}

describe.each(TESTED_ENGINES)('in $name, up to the end of the last entry there is no doubt', ({ start }) => {
  it('where a mark comes late that is older', async () => {
    await using broker = await start()
    const late = { lsn: FIRST, last: EPOCH.floor }
    expect(await safeAround(broker, 'older', late)).toEqual([END, END])
  })

  it('where a mark is a copy of another epoch’s', async () => {
    await using broker = await start()
    const [before, after] = await safeAround(
      broker,
      'copied',
      { lsn: toLsn(9_000n), last: EPOCH.floor },
      'another',
    )
    expect(before).toBe(END)
    expect(after).toBe(LSN_ZERO)
  })

  it('where a mark counts on an entry that is not there', async () => {
    await using broker = await start()
    const late = { lsn: toLsn(500n), last: { lsn: toLsn(400n), sequence: 0 } }
    expect(await safeAround(broker, 'absent', late)).toEqual([END, END])
  })
})

it.each(TESTED_ENGINES)(
  'in $name, a floor that somebody adds is not the end of what was written',
  async ({ start }) => {
    await using broker = await start()
    const connection = await broker.open('floors')
    const store = await createEpoch(connection, 'floors')
    await writeBatch(connection, store, [], insertTag(FIRST, 'a'))
    const id = { lsn: toLsn(9_000n), sequence: 0 }
    await broker.write({ kind: 'floor', stream: store.keys.epoch(EPOCH.id).changes, id })
    const state = await store.readState(connection)
    expect(state).toMatchObject({ safeLsn: FIRST + 8n, last: { lsn: FIRST }, isWritable: false })
    connection.destroy()
  },
)

describe.each(TESTED_ENGINES)('epochs in $name', ({ start }) => {
  it('that a gap has ended expire with the word of it: whoever begins next knows only the one that says so', async () => {
    await using broker = await start()
    const connection = await broker.open('ended')
    const store = await createEpoch(connection, 'ended')
    const update = connection.update.bind(connection)
    const written: LogWrite[] = []
    connection.update = (watched, decide) =>
      update(watched, async () => {
        const writes = await decide()
        written.push(...(writes ?? []))
        return writes
      })
    const ours = { epochId: EPOCH.id, writerId: 'tap' }
    await store.reportGap(connection, ours, { reason: 'so', newId: 'two', expireMinutes: 2 })
    const expiring = written.filter(({ kind }) => kind === 'expire')
    expect(expiring).toEqual(
      keysOf(store.keys.epoch(EPOCH.id)).map((name) => ({ kind: 'expire', name, seconds: 120 })),
    )
    expect((await store.readState(connection))?.epoch).toMatchObject({ id: 'two', isOpen: false })
    connection.destroy()
  })

  it('are read from the known one on, and all of them where it is not there any more', async () => {
    await using broker = await start()
    const connection = await broker.open('epochs')
    const asked: string[] = []
    const readEntries = connection.readEntries.bind(connection)
    connection.readEntries = (stream, range) => {
      asked.push(range.from === undefined ? '-' : 'known')
      return readEntries(stream, range)
    }
    const store = await createEpoch(connection, 'epochs')
    const begin = (id: string) => {
      const epoch = { ...EPOCH, id }
      const mark = { lsn: FIRST, last: EPOCH.floor, writer: 'tap', tables: null }
      return store.take(connection, 'tap', async () => store.beginning(epoch, mark, 1))
    }
    const idsFrom = async (known: string | null) => {
      asked.length = 0
      return (await store.readFrom(connection, known)).map(({ id }) => id)
    }
    await begin('two')
    expect([await idsFrom(null), asked]).toEqual([['one', 'two'], ['-']])
    await begin('three')
    expect(await idsFrom('two')).toEqual(['two', 'three'])
    expect(asked).not.toContain('-')
    expect(await idsFrom('three')).toEqual(['three'])
    expect(asked).not.toContain('-')
    // It asks about one that it has not entered.
    expect([await idsFrom('two'), asked]).toEqual([['one', 'two', 'three'], ['-']])
    await broker.trim(store.keys.epochs, null)
    expect(await idsFrom('three')).toEqual([])
    await begin('four')
    expect(await idsFrom('three')).toEqual(['four'])
    connection.destroy()
  })
})
