/** Whom the source waits for: those who read a transaction that is still coming, and have not been left behind for reading next to nothing. */
import { expect, it } from 'vitest'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { SliceTimers } from '../../src/bus/time-slices.ts'
import { toLsn } from '../../src/wire/lsn.ts'
import { PLAIN_ORIGIN, plainChange, plainTransaction } from '../support/plain-change.ts'

const START = { ...PLAIN_ORIGIN, isFirst: true, floorLsn: toLsn(1n), serverLsn: toLsn(1n) }
const PART_BYTES = 1_000_000

/** A bus whose subscribers' queues have room for two changes, each of a part of its own. */
function openBus(timers?: SliceTimers) {
  const bus = createMemoryBus({
    timers,
    queueLengthMax: 2,
    log: { bytesMax: 4 * PART_BYTES, bytesReadMax: 10.5 * PART_BYTES, ageMaxMs: 60_000 },
  })
  bus.open(START)
  const publish = (commit: number, index: number, isFinal = false): void => {
    const transaction = plainTransaction(commit)
    const change = plainChange({ transaction, index, action: 'INSERT', key: { id: index } })
    const changes = Object.assign([change], { bytesAt: () => 100 })
    bus.publish({ transaction, changes, isFinal, byteLength: PART_BYTES })
  }
  return { bus, publish }
}

const partsBehind = (bytes: number | undefined): number => Math.floor((bytes ?? 0) / PART_BYTES)

it('are as far behind as the hindmost of them, while the transaction that it reads is coming', async () => {
  const { bus, publish } = openBus()
  const slow = bus.subscribe({ model: 'User' })
  for (let index = 0; index < 8; index += 1) publish(10, index)
  expect(bus.awaited.lag?.bytesMax).toBe(10.5 * PART_BYTES)
  const before = partsBehind(bus.awaited.lag?.bytes)
  expect(before).toBeGreaterThan(4)
  for (let taken = 0; taken < 4; taken += 1) await slow.next()
  expect(partsBehind(bus.awaited.lag?.bytes)).toBeLessThan(before)
  publish(10, 8, true)
  expect(bus.awaited.lag).toBeNull()
  // Who still reads the one before is no reason to hold up the next.
  publish(20, 0)
  expect(bus.awaited.lag).toBeNull()
})

it('are those, too, who still read the large one before, once as much of the next has come', () => {
  const { bus, publish } = openBus()
  bus.subscribe({ model: 'User' })
  for (let index = 0; index < 6; index += 1) publish(10, index, index === 5)
  for (let index = 0; index < 2; index += 1) publish(20, index)
  expect(bus.awaited.lag).toBeNull()
  publish(20, 2)
  expect(partsBehind(bus.awaited.lag?.bytes)).toBeGreaterThan(4)
})

it('are not fewer for one that the log has left behind already', async () => {
  const { bus, publish } = openBus()
  const gone = bus.subscribe({ model: 'User' })
  const reading = bus.subscribe({ model: 'User' })
  for (let index = 0; index < 14; index += 1) {
    publish(10, index)
    if (index >= 4) await reading.next()
  }
  expect(bus.awaited.lag).not.toBeNull()
  await gone.return()
})

it('are no longer those that have read too little in a round', async () => {
  const { bus, publish } = openBus()
  const [stalled, reading] = [bus.subscribe({ model: 'User' }), bus.subscribe({ model: 'User' })]
  for (let index = 0; index < 9; index += 1) publish(10, index)
  const all = bus.awaited.lag?.bytes
  bus.awaited.beginRound()
  for (let taken = 0; taken < 5; taken += 1) await reading.next()
  expect(bus.awaited.lag?.bytes).toBe(all)
  bus.awaited.leaveSlow({ bytes: PART_BYTES, changes: 1 })
  expect(bus.awaited.lag?.bytes).toBeLessThan(all ?? 0)
  await stalled.return()
})

it('are those, too, whose consumers take what waits for them while nothing can be read for them', () => {
  let nowMs = 0
  const { bus, publish } = openBus({ soon() {}, later() {}, nowMs: () => nowMs })
  const subscriptions = [bus.subscribe({ model: 'User' }), bus.subscribe({ model: 'User' })]
  for (let index = 0; index < 4; index += 1) publish(10, index)
  nowMs = 5_000
  // One takes something after all that time, and the other nothing.
  publish(10, 4)
  expect(subscriptions[0]?.pull?.take()).toBeDefined()
  publish(10, 5)
  expect(bus.awaited.lag).not.toBeNull()
  nowMs = 10_000
  publish(10, 6)
  expect(bus.awaited.lag).toBeNull()
})

it('are all who wait for what this process has not read for them yet, however little each was given', async () => {
  let nowMs = 0
  const { bus, publish } = openBus({ soon() {}, later() {}, nowMs: () => nowMs })
  const subscriptions = Array.from({ length: 300 }, () => bus.subscribe({ model: 'User' }))
  for (let index = 0; index < 6; index += 1) publish(10, index)
  const taking = subscriptions.map(async (subscription) => {
    for (;;) if ((await subscription.next()).done === true) return
  })
  await new Promise((resolve) => void setImmediate(resolve))
  const { lag } = bus.awaited
  expect(lag).not.toBeNull()
  bus.awaited.beginRound()
  nowMs = 2_000
  bus.awaited.leaveSlow({ bytes: PART_BYTES, changes: 1 })
  expect(bus.awaited.lag).toEqual(lag)
  for (const subscription of subscriptions) await subscription.return()
  await Promise.all(taking)
})
