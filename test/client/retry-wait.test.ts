/** How long a client waits before it tries again: bounded, and everywhere where it tries for ever. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { retryWait } from '../../src/client/client.ts'
import { listBlocks } from '../support/doc-blocks.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

it.each([
  [0, 100, 200],
  [1, 200, 400],
  [4, 1_600, 3_200],
  [5, 2_500, 5_000],
  [2_000, 2_500, 5_000],
])('after %i failures between %i and %i ms', async (retries, leastMs, mostMs) => {
  const done = vi.fn()
  void retryWait(retries).then(done)
  await vi.advanceTimersByTimeAsync(leastMs - 1)
  expect(done).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(mostMs - leastMs + 1)
  expect(done).toHaveBeenCalledOnce()
})

it('examples that try for ever wait so', () => {
  const files = ['examples/web/src/clients.ts', 'examples/issues/src/clients.ts'].map((place) => ({
    place,
    text: readFileSync(join(import.meta.dirname, '../..', place), 'utf8'),
  }))
  const forEver = [...listBlocks(), ...files].filter(({ text }) =>
    /retryAttempts: (Number\.POSITIVE_INFINITY|Infinity)/.test(text),
  )
  expect(forEver.length).toBeGreaterThan(5)
  expect(forEver.filter(({ text }) => !/\bretryWait,/.test(text)).map(({ place }) => place)).toEqual([])
})
