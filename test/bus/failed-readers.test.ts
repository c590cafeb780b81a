/** What cannot be read ends those who were to read it, and what has ended is not read for any more. */
import { expect, it } from 'vitest'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import { NODE_TIMERS, type SliceTimers } from '../../src/bus/time-slices.ts'
import type { TransactionPart } from '../../src/changes/change.ts'
import { formatCursor } from '../../src/changes/cursor.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_EPOCH, plainChange, plainTransaction } from '../support/plain-change.ts'

const START = { ...PLAIN_EPOCH, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) }
const BEFORE_ALL = formatCursor(PLAIN_EPOCH, toLsn(5n), 0)

function partOf(commit: number, count: number, model = 'User', isFinal = true): TransactionPart {
  const transaction = plainTransaction(commit)
  const changes = Array.from({ length: count }, (_, index) =>
    plainChange({ model, transaction, index, action: 'INSERT', key: { id: commit * 100 + index } }),
  )
  return { transaction, changes, isFinal, byteLength: 0 }
}

it('a part that cannot be decoded ends who reads it, and those of other models go on', async () => {
  const thrown: unknown[] = []
  const timers: SliceTimers = {
    ...NODE_TIMERS,
    soon: (run) =>
      setImmediate(() => {
        try {
          run()
        } catch (error) {
          thrown.push(error)
        }
      }),
  }
  const bus = createMemoryBus({ timers })
  bus.open(START)
  const part = partOf(10, 3)
  bus.publish(part)
  bus.publish(partOf(20, 2, 'Post'))
  const { changes } = part
  const at = changes.at.bind(changes)
  changes.at = (offset) => {
    if (offset === 1) throw new Error('These bytes are none.')
    return at(offset)
  }
  const reading = bus.subscribe({ model: 'User', after: BEFORE_ALL })
  const other = bus.subscribe({ model: 'Post', after: BEFORE_ALL })
  const first = expect(reading.next()).rejects.toThrow('These bytes are none.')
  const others = [await other.next(), await other.next()]
  expect(others.map(({ value }) => value?.change.index)).toEqual([0, 1])
  await first
  expect(bus.subscriptionCounts.get('User')).toBe(0)
  expect(thrown).toEqual([])
})

it('one that has ended in the middle of a transaction, and loses what waited for it, is not read for', async () => {
  let nowMs = 0
  let readings = 0
  const timers: SliceTimers = {
    soon: () => {
      readings += 1
    },
    later: () => undefined,
    nowMs: () => nowMs,
  }
  const bus = createMemoryBus({ timers, heldBytesMax: 1_000, queueBytesMax: 10_000 })
  bus.open(START)
  const abort = new AbortController()
  const ended = bus.subscribe({ model: 'User', signal: abort.signal })
  // Two wait in its queue, and the third may be the last of its transaction.
  bus.publish(partOf(10, 3, 'User', false))
  abort.abort()
  nowMs = 1_000
  bus.subscribe({ model: 'Post' })
  bus.publish(partOf(20, 5, 'Post', false))
  expect(ended.pull?.take()).toBeUndefined()
  expect(readings).toBe(0)
  await expect(ended.next()).rejects.toMatchObject({ code: 'SUBSCRIBER_TOO_SLOW' })
})
