import { expect, test } from 'vitest'
import { ProgressWatch } from '../../src/source/slot/progress-watch.ts'
import { stalled } from '../../src/source/slot/slot-verdict.ts'
import { toLsn } from '../../src/wire/lsn.ts'

const reading = (nowMs: number, serverLsn: number, safeLsn: number, receivedBytes = 0) => ({
  ...{ nowMs, receivedBytes, isHeldBack: false },
  serverLsn: toLsn(BigInt(serverLsn)),
  safeLsn: toLsn(BigInt(safeLsn)),
})

test('time counts only while WAL waits and none of it comes', () => {
  const watch = new ProgressWatch()
  // Nothing waits.
  expect(watch.observe(reading(0, 10, 10))).toBe(0)
  expect(watch.observe(reading(1_000, 10, 10))).toBe(0)
  // Something waits, and comes.
  expect(watch.observe(reading(2_000, 20, 10))).toBe(0)
  expect(watch.observe(reading(3_000, 30, 20))).toBe(0)
  // It stands still.
  expect(watch.observe(reading(4_000, 40, 20))).toBe(1_000)
  expect(watch.observe(reading(9_000, 50, 20))).toBe(6_000)
  // A transaction that takes its time is no standstill.
  expect(watch.observe(reading(10_000, 50, 20, 1))).toBe(0)
  expect(watch.observe(reading(11_000, 50, 20, 1))).toBe(1_000)
  // Nor is one that nobody reads on purpose.
  expect(watch.observe({ ...reading(19_000, 50, 20, 1), isHeldBack: true })).toBe(0)
  expect(watch.observe(reading(20_000, 50, 20, 1))).toBe(1_000)
  watch.reset()
  expect(watch.observe(reading(21_000, 50, 20, 1))).toBe(0)
})

test('the error says since when, and what to look at', () => {
  const error = stalled({ slot: 'rowcast', publication: 'rowcast', tables: [] }, 61_200)
  expect(error).toMatchObject({ code: 'SOURCE_STALLED', retry: 'backoff', details: { stalledSeconds: 61 } })
  expect(error.message).toMatch(/61 seconds.*synchronized_standby_slots/s)
})
