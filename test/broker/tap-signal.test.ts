/** Whether a tap lives: a first mark by Redis' clock, each later one by when it was read. No wall clock has a say. */
import { expect, it, vi } from 'vitest'
import type { Mark } from '../../src/broker/stream-reader.ts'
import { TapSignal } from '../../src/broker/tap-signal.ts'
import { toLsn } from '../../src/wire/lsn.ts'

const markAt = (writtenAtMs: number, lsn = 7n): Mark => ({
  ...{ lsn: toLsn(lsn), last: { lsn: toLsn(5n), sequence: 0 }, writer: 'tap', tables: null, seen: undefined },
  writtenAtMs,
})

it('hears a first mark that is fresh by Redis’ clock, whatever this machine’s clock says', async () => {
  vi.spyOn(Date, 'now').mockReturnValue(0)
  let nowMs = 100
  const [fresh, old] = [new TapSignal(() => nowMs), new TapSignal(() => nowMs)]
  await fresh.hear(markAt(50_000), async () => 59_000)
  await old.hear(markAt(50_000), async () => 60_000)
  nowMs = 150
  expect([fresh.silentMs, old.silentMs]).toEqual([50, null])
  // Where the stream is whole is good to know, however old it is.
  expect(old.safeLsn).toBe(7n)
})

it('hears each later mark as it is read, though Redis, or a tap that has taken over, is behind in time', async () => {
  let nowMs = 0
  const signal = new TapSignal(() => nowMs)
  await signal.hear(markAt(50_000), async () => 90_000)
  expect(signal.silentMs).toBeNull()
  nowMs = 1_000
  await signal.hear(markAt(40_000, 9n), () => Promise.reject(new Error('Nobody asks for the time again.')))
  nowMs = 3_000
  expect(signal.silentMs).toBe(2_000)
  // The next epoch's first mark may be old again.
  signal.reset()
  await signal.hear(markAt(1, 11n), async () => 90_000)
  expect([signal.silentMs, signal.safeLsn]).toEqual([2_000, 11n])
})
