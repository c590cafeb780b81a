/** Copies of what was read are equal to it, and nobody else's; made piece by piece, and never of what somebody has already. */
import { expect, it } from 'vitest'
import { Decimal } from '../../../src/catalog/prisma-runtime.ts'
import type { HandOutPace } from '../../../src/graphql/reading/hand-outs.ts'
import { SharedRows } from '../../../src/graphql/reading/shared-rows.ts'
import { createDeferred } from '../../support/deferred.ts'

const AT_ONCE: HandOutPace = { pause: () => null }

it('are of values of all kinds, and the last one gets the rows themselves', async () => {
  const row = {
    ...{ id: 1n, price: new Decimal('1.50'), at: new Date(5), bytes: new Uint8Array([1, 2]), none: null },
    ...{ tags: ['a'], profile: JSON.parse('{"__proto__": {"a": [1]}}') as object, author: { name: 'ada' } },
  }
  const rows = [row]
  const shared = new SharedRows(rows, 3)
  const given = (await Promise.all([0, 1].map(() => shared.take(AT_ONCE)))) as (typeof rows)[]
  const last = (await shared.take(AT_ONCE)) as typeof rows
  expect(last).toBe(rows)
  expect(given).toEqual([[row], [row]])
  for (const part of ['at', 'bytes', 'tags', 'profile', 'author'] as const)
    expect(new Set([...given, last].map(([each]) => each?.[part])).size).toBe(3)
  expect(Object.getPrototypeOf(given[0]?.[0]?.profile)).toBe(Object.prototype)
})

it('pause after so many values, and nobody gets the rows themselves meanwhile', async () => {
  const rows = Array.from({ length: 1_200 }, (_, n) => ({ n, in: { n } }))
  const shared = new SharedRows(rows, 2)
  const goOn = createDeferred<void>()
  let pauses = 0
  const slow = shared.take({
    pause() {
      pauses += 1
      return goOn.promise
    },
  })
  const quick = (await shared.take(AT_ONCE)) as typeof rows
  expect(quick).not.toBe(rows)
  for (const row of quick) row.in.n = -1
  goOn.resolve()
  expect(await slow).toEqual(rows)
  // The list, 1,200 rows with two values each, and one value in one of these.
  expect(pauses).toBe(4)
})

it('are not made of what is computed when it is read, or has itself in it', async () => {
  const computed = {
    get value() {
      throw new Error('Nobody selected it.')
    },
  }
  const endless: Record<string, unknown> = {}
  endless['self'] = endless
  for (const rows of [computed, [endless]]) {
    const shared = new SharedRows(rows, 2)
    await expect(shared.take(AT_ONCE)).rejects.toThrow()
    expect(await shared.take(AT_ONCE)).toBe(rows)
  }
})
