/** When a stream counts as well. */
import { expect, it } from 'vitest'
import { Attempts } from '../../src/source/session/attempts.ts'

const at = (nowMs: number, hasDelivered = false) => ({ nowMs, hasDelivered })

it('counts failures on until a stream has delivered a transaction, or has lasted', () => {
  const attempts = new Attempts()
  const failAtOnce = (nowMs: number) => {
    attempts.begin(at(nowMs))
    return attempts.fail(at(nowMs + 500))
  }
  expect([0, 1_000, 2_000].map(failAtOnce)).toEqual([1, 2, 3])
  attempts.begin(at(3_000))
  expect(attempts.failures(at(3_500))).toBe(3)
  expect(attempts.failures(at(3_500, true))).toBe(0)
  expect(attempts.failures(at(13_000))).toBe(0)
  expect(attempts.fail(at(3_500, true))).toBe(1)
})

it('doubts the third of streams that die at once, and none after a server that was away', () => {
  const attempts = new Attempts()
  for (let nowMs = 0; nowMs < 5_000; nowMs += 1_000) attempts.fail(at(nowMs))
  attempts.begin(at(5_000))
  expect(attempts.isInDoubt(at(5_000))).toBe(false)
  attempts.fail(at(5_100))
  attempts.begin(at(5_200))
  expect(attempts.isInDoubt(at(5_200))).toBe(false)
  attempts.fail(at(5_300))
  attempts.begin(at(5_400))
  expect(attempts.isInDoubt(at(5_400))).toBe(true)
  expect(attempts.isInDoubt(at(5_500, true))).toBe(false)
  expect(attempts.isInDoubt(at(15_400))).toBe(false)
})
