/** How long an operation may take is not shorter than what it may read. */
import { expect, test } from 'vitest'
import { limitsOf } from '../../src/server/limits/limits.ts'

test.each([
  [{}, 30_000],
  [{ queryTimeoutMs: 60_000 }, 60_000],
  [{ queryTimeoutMs: 5_000 }, 30_000],
  [{ queryTimeoutMs: 60_000, operationTimeoutMs: 100 }, 100],
])('%j: %i ms', (limits, expected) => {
  expect(limitsOf(limits).operationTimeoutMs).toBe(expected)
})
