/**
 * Who has to wait for something other than its own consumer goes on once that has come; and who comes back in the middle of
 * what is read for others misses nothing of it.
 */
import { expect, it } from 'vitest'
import type { BusSubscription, Delivery, OlderLog } from '../../src/bus/bus.ts'
import { Account } from '../../src/bus/holdings.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { TransactionPart } from '../../src/changes/change.ts'
import { endOfPart } from '../../src/changes/change-views.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const START = { ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) }
/** What one change of these takes in a queue. */
const HELD_BYTES = 288

function partOf(commit: number, count: number): TransactionPart {
  const transaction = plainTransaction(commit)
  const changes = Array.from({ length: count }, (_, index) =>
    plainChange({ transaction, index, action: 'INSERT', key: { id: commit * 100 + index } }),
  )
  return { transaction, changes, isFinal: true, byteLength: 0 }
}

const cursorsOf = (parts: readonly TransactionPart[]): string[] =>
  parts.flatMap(({ changes }) =>
    Array.from({ length: changes.length }, (_, at) => changes.at(at)?.cursor ?? ''),
  )

/** Takes whatever comes, at once or a microtask later as a socket does; `stop` lets it wait. */
function consume(subscription: BusSubscription) {
  const { pull } = subscription
  const got: string[] = []
  const drain = (): void => {
    for (let next: Delivery | undefined = pull?.take(); next !== undefined; next = pull?.take())
      got.push(next.change.cursor)
  }
  if (pull !== undefined) pull.reader = { onReadable: () => queueMicrotask(drain) }
  drain()
  return got
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1))
}

it.each(['end', 'conflate'] as const)(
  'who waits for a client’s other subscription to make room goes on once it has (%s)',
  async (overflow) => {
    const bus = createMemoryBus({ overflow })
    bus.open(START)
    const account = new Account({ bytesMax: HELD_BYTES })
    const stalled = bus.subscribe({ model: 'User', account })
    const waiting = consume(bus.subscribe({ model: 'User', account }))
    const parts = [partOf(10, 3), partOf(20, 1)]
    for (const part of parts) bus.publish(part)
    await turns(20)
    expect(waiting.length).toBeLessThan(4)
    const other = consume(stalled)
    await turns(40)
    expect(other).toEqual(cursorsOf(parts))
    expect(waiting).toEqual(cursorsOf(parts))
  },
)

it('who has no room in the middle of a part goes on there, and not with the next part', async () => {
  const parts = [partOf(10, 1), partOf(20, 5), partOf(30, 1)]
  const older: OlderLog = {
    hasReached: () => Promise.resolve(true),
    read(_model, after) {
      let rest = parts.filter(({ transaction }) => after === null || transaction.commitLsn >= after.commitLsn)
      let position = after ?? { commitLsn: toLsn(0n), index: 0 }
      return {
        async next() {
          const read = rest
          rest = []
          const last = read.at(-1)
          if (last !== undefined) position = endOfPart(last)
          return read
        },
        get position() {
          return position
        },
      }
    },
  }
  const bus = createMemoryBus({ older, queueLengthMax: 2, log: { bytesMax: 1 } })
  bus.open(START)
  for (const part of parts) bus.publish(part)
  const got = consume(bus.subscribe({ model: 'User', after: parts[0]?.changes.at(0)?.cursor }))
  await turns(20)
  expect(got).toEqual(cursorsOf(parts).slice(1))
})

it('who is ahead of this process, but not of the database, waits without keeping the process from reading on', async () => {
  let asked = 0
  const older: OlderLog = {
    hasReached() {
      asked += 1
      return asked > 1_000 ? Promise.reject(new Error('Asked without end.')) : Promise.resolve(true)
    },
    read: () => ({ next: () => Promise.resolve([]), position: { commitLsn: toLsn(0n), index: 0 } }),
  }
  const bus = createMemoryBus({ older })
  bus.open(START)
  const parts = [partOf(10, 1), partOf(20, 3), partOf(30, 1)]
  const [first, second, third] = parts as [TransactionPart, TransactionPart, TransactionPart]
  bus.publish(first)
  const ahead = consume(bus.subscribe({ model: 'User', after: second.changes.at(1)?.cursor }))
  const left = bus.subscribe({ model: 'User', after: second.changes.at(2)?.cursor })
  await turns(5)
  await left.return()
  bus.publish(second)
  bus.publish(third)
  await turns(40)
  expect(ahead).toEqual(cursorsOf(parts).slice(3))
  expect(asked).toBe(2)
})

it('who was ahead, and has been caught up with, needs no broker that says so', async () => {
  let fail: (error: Error) => void = () => undefined
  const older: OlderLog = {
    hasReached: () =>
      new Promise((_resolve, reject) => {
        fail = reject
      }),
    read: () => ({ next: () => Promise.resolve([]), position: { commitLsn: toLsn(0n), index: 0 } }),
  }
  const bus = createMemoryBus({ older })
  bus.open(START)
  const parts = [partOf(10, 1), partOf(20, 2), partOf(30, 1), partOf(40, 1)]
  const [first, second, third, fourth] = parts as [
    TransactionPart,
    TransactionPart,
    TransactionPart,
    TransactionPart,
  ]
  bus.publish(first)
  const subscription = bus.subscribe({ model: 'User', after: second.changes.at(0)?.cursor })
  const got = consume(subscription)
  bus.publish(second)
  bus.publish(third)
  await expect.poll(() => got).toEqual(cursorsOf(parts).slice(2, 4))
  fail(new Error('The broker is away.'))
  await turns(3)
  bus.publish(fourth)
  await turns(3)
  expect(subscription.pull?.isEnded).toBe(false)
  expect(got).toEqual(cursorsOf(parts).slice(2))
})
