/** What is older than the log is read for whoever waits for it, however much others leave waiting, and for nobody else. */
import { expect, it } from 'vitest'
import type { BusSubscription, Delivery, OlderLog } from '../../src/bus/bus.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { SliceTimers } from '../../src/bus/time-slices.ts'
import type { TransactionPart } from '../../src/changes/change.ts'
import { endOfPart } from '../../src/changes/change-views.ts'
import { comparePositions } from '../../src/changes/cursor.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const START = { ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) }
/** What one change of these takes in a queue. */
const HELD_BYTES = 288
/** Parts that one step reads. */
const STEP = 3

function partOf(commit: number, count: number, model = 'User'): TransactionPart {
  const transaction = plainTransaction(commit)
  const changes = Array.from({ length: count }, (_, index) =>
    plainChange({ model, transaction, index, action: 'INSERT', key: { id: commit * 100 + index } }),
  )
  return { transaction, changes, isFinal: true, byteLength: 0 }
}

const cursorsOf = (parts: readonly TransactionPart[]): string[] =>
  parts.flatMap(({ changes }) =>
    Array.from({ length: changes.length }, (_, n) => changes.at(n)?.cursor ?? ''),
  )

/** Time stands still: whatever is left waiting has been left only now. */
const TIMERS: SliceTimers = {
  soon: (run) => void setImmediate(run),
  later: (run) => void setTimeout(run, 1),
  nowMs: () => 0,
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setTimeout(resolve, 1))
}

/** Takes `count` deliveries, and what follows as `more` says. */
function consume({ pull }: BusSubscription, countMax = Number.POSITIVE_INFINITY) {
  const got: string[] = []
  const drain = (): void => {
    while (got.length < countMax) {
      const next: Delivery | undefined = pull?.take()
      if (next === undefined) return
      got.push(next.change.cursor)
    }
  }
  if (pull !== undefined) pull.reader = { onReadable: () => queueMicrotask(drain) }
  drain()
  return got
}

/** A bus whose log keeps nothing of `parts`, which the broker has. */
function openBus(parts: readonly TransactionPart[]) {
  let reads = 0
  const older: OlderLog = {
    hasReached: () => Promise.resolve(true),
    read(_model, after) {
      let position = after ?? { commitLsn: toLsn(0n), index: 0 }
      return {
        async next() {
          reads += 1
          const read = parts.filter((part) => comparePositions(endOfPart(part), position) > 0).slice(0, STEP)
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
  const bus = createMemoryBus({
    older,
    timers: TIMERS,
    heldBytesMax: 8 * HELD_BYTES,
    queueBytesMax: 8 * HELD_BYTES,
    log: { bytesMax: 1 },
  })
  bus.open(START)
  for (const part of parts) bus.publish(part)
  return { bus, readsNow: () => reads }
}

/** Somebody leaves so much waiting that whatever can wait elsewhere does. */
function leaveMuchWaiting({ bus }: ReturnType<typeof openBus>): void {
  bus.subscribe({ model: 'Post' })
  bus.publish(partOf(10_000, 6, 'Post'))
  expect(bus.heldBytes).toBeGreaterThanOrEqual(6 * HELD_BYTES)
}

const PARTS = Array.from({ length: 10 }, (_, n) => partOf(10 * (n + 1), n % 3 === 0 ? 4 : 1))
const [first, ...others] = cursorsOf(PARTS)

it('who has taken all it was given gets everything, in order, while others leave much waiting', async () => {
  const opened = openBus(PARTS)
  leaveMuchWaiting(opened)
  const readers = [1, 2, 3].map(() => consume(opened.bus.subscribe({ model: 'User', after: first })))
  await turns(200)
  for (const got of readers) expect(got).toEqual(others)
})

it('is not read again for each change that is taken', async () => {
  const opened = openBus(PARTS)
  leaveMuchWaiting(opened)
  const got = consume(opened.bus.subscribe({ model: 'User', after: first }))
  await turns(200)
  expect(got).toEqual(others)
  expect(opened.readsNow()).toBeLessThanOrEqual(Math.ceil(PARTS.length / STEP) + 1)
})

it('is not read for those who have something left to take', async () => {
  const opened = openBus(PARTS)
  const stalled = [1, 2, 3].map(() => consume(opened.bus.subscribe({ model: 'User', after: first }), 1))
  await turns(20)
  leaveMuchWaiting(opened)
  const readsBefore = opened.readsNow()
  const { pull } = opened.bus.subscribe({ model: 'User', after: first })
  await turns(50)
  expect(stalled.map((got) => got.length)).toEqual([1, 1, 1])
  expect(opened.readsNow()).toBe(readsBefore)
  expect(pull?.take()).toBeUndefined()
  await turns(20)
  // It waits now: one change is read for it, and nothing more until it has taken that.
  const readsForOne = opened.readsNow()
  expect(readsForOne).toBeGreaterThan(readsBefore)
  await turns(50)
  expect(opened.readsNow()).toBe(readsForOne)
  expect(pull?.take()?.change.cursor).toBe(others[0])
})
