/** Waiting for cursors that are ahead: a thousand cost as many looks as one. */
import { expect, it } from 'vitest'
import { systemRuntime } from '../../src/broker/broker-runtime.ts'
import { ReachedWatch } from '../../src/broker/reached-watch.ts'

it('asks once for all who wait, and not at all for what cannot be', async () => {
  let looks = 0
  let newest = 100n
  let nowMs = 0
  const watch = new ReachedWatch({
    safeNow: () => 100n,
    async askNewest() {
      looks += 1
      // The third look is beyond all patience.
      if (looks === 3) nowMs = 60_000
      if (looks === 2) newest = 200n
      return newest
    },
    runtime: { ...systemRuntime, monotonicMs: () => nowMs },
  })
  expect(await watch.hasReached(99n)).toBe(true)
  expect(await watch.hasReached(1n << 62n)).toBe(false)
  expect(looks).toBe(0)
  const near = Array.from({ length: 500 }, () => watch.hasReached(150n))
  const far = Array.from({ length: 500 }, (_, n) => watch.hasReached(300n + BigInt(n)))
  expect(new Set(await Promise.all(near))).toEqual(new Set([true]))
  expect(new Set(await Promise.all(far))).toEqual(new Set([false]))
  expect(looks).toBe(3)
})

it('fails those who wait when nobody can be asked, and begins again with the next', async () => {
  let isAway = true
  const watch = new ReachedWatch({
    safeNow: () => 0n,
    askNewest: () => (isAway ? Promise.reject(new Error('away')) : Promise.resolve(5n)),
    runtime: { ...systemRuntime, monotonicMs: () => 0 },
  })
  await expect(watch.hasReached(5n)).rejects.toThrow('away')
  isAway = false
  expect(await watch.hasReached(5n)).toBe(true)
})

it('fails those who wait when waiting itself fails, and begins again with the next', async () => {
  let failures = 1
  let newest = 0n
  const watch = new ReachedWatch({
    safeNow: () => 0n,
    askNewest: async () => newest,
    runtime: {
      ...systemRuntime,
      monotonicMs: () => 0,
      async delay() {
        if (failures-- > 0) throw new TypeError('delay is not there')
      },
    },
  })
  await expect(watch.hasReached(5n)).rejects.toThrow('delay is not there')
  newest = 5n
  expect(await watch.hasReached(5n)).toBe(true)
})
