/** What operations may hold, each of them and together: who waits, who does not, and what becomes of whoever asks for too much. */
import type { GraphQLError } from 'graphql'
import { expect, it } from 'vitest'
import { abandonOperation, beginOperation, ReadPool, readAs } from '../../../src/graphql/reading/read-pool.ts'
import { readLimitsOf } from '../../../src/server/limits/limits.ts'

const KIB = 1024
const codeOf = (error: GraphQLError) => error.extensions['code']
const createPool = (timeoutMs = 60_000) =>
  new ReadPool({ timeoutMs, operationBytesMax: 4_000 * KIB, totalBytesMax: 4_000 * KIB })

it('an operation that asks for too much gets nothing more, whatever it has begun beside', async () => {
  const pool = createPool()
  const reads = pool.open()
  await reads.reserve(1_000 * KIB)
  expect(await reads.reserve(3_001 * KIB).catch(codeOf)).toBe('QUERY_OVER_LIMIT')
  expect(await reads.reserve(1).catch(codeOf)).toBe('QUERY_OVER_LIMIT')
  expect(pool.bytes).toBe(1_000 * KIB)
  reads.end()
  expect(pool.bytes).toBe(0)
})

it('what has come counts in the place of what was reserved', async () => {
  const pool = createPool()
  const reads = pool.open()
  await reads.reserve(100 * KIB)
  reads.settle(2_000 * KIB, 100 * KIB)
  expect(pool.bytes).toBe(2_000 * KIB)
  expect(() => reads.settle(2_001 * KIB)).toThrow('reads more than')
  reads.end()
  reads.end()
  expect(pool.bytes).toBe(0)
})

it('large reads wait for room, in their order, and small ones go on beside them', async () => {
  const pool = createPool()
  const [first, second, third, small] = [pool.open(), pool.open(), pool.open(), pool.open()]
  await first.reserve(3_000 * KIB)
  const order: string[] = []
  const waiting = [
    second.reserve(2_000 * KIB).then(() => order.push('second')),
    third.reserve(2_500 * KIB).then(() => order.push('third')),
  ]
  await small.reserve(200 * KIB)
  order.push('small')
  first.end()
  await waiting[0]
  expect(order).toEqual(['small', 'second'])
  second.end()
  await waiting[1]
  for (const reads of [third, small]) reads.end()
  expect(pool.bytes).toBe(0)
})

it('who gets no room in time, or waits when its operation is over, holds nothing', async () => {
  const pool = createPool(50)
  const [first, late] = [pool.open(), pool.open()]
  await first.reserve(4_000 * KIB)
  expect(await late.reserve(2_000 * KIB).catch(codeOf)).toBe('QUERY_TOO_SLOW')
  const gone = pool.open()
  const waiting = gone.reserve(2_000 * KIB).catch(codeOf)
  gone.end()
  expect(await gone.reserve(1).catch(codeOf)).toBe('QUERY_TOO_SLOW')
  first.end()
  await waiting
  expect(pool.bytes).toBe(0)
})

it('one deadline holds for all that an operation reads', async () => {
  const pool = createPool(50)
  const context = {}
  const end = beginOperation(context)
  const never = readAs(pool, context, () => new Promise(() => undefined)).catch(codeOf)
  expect(await never).toBe('QUERY_TOO_SLOW')
  // Nothing is left for what follows in the same operation.
  const next = readAs(pool, context, async (reads) => {
    expect(reads.leftMs).toBeLessThan(25)
    return new Promise(() => undefined)
  })
  expect(await next.catch(codeOf)).toBe('QUERY_TOO_SLOW')
  end()
  const other = readAs(pool, {}, async (reads) => reads.leftMs)
  expect(await other).toBeGreaterThan(0)
})

it('what is read with one context is one operation until it has its result; without one, each read is', async () => {
  const pool = createPool()
  const context = {}
  const end = beginOperation(context)
  const read = (given: unknown) => readAs(pool, given, (reads) => reads.reserve(1_500 * KIB))
  await read(context)
  await read(context)
  expect(pool.bytes).toBe(3_000 * KIB)
  expect(await read(context).catch(codeOf)).toBe('QUERY_OVER_LIMIT')
  end()
  expect(pool.bytes).toBe(0)
  for (const given of [{}, {}, undefined]) await read(given)
  expect(pool.bytes).toBe(0)
})

it('what goes on after nobody waits for its operation reads nothing, not as one of its own either', async () => {
  const pool = createPool()
  const context = {}
  const end = beginOperation(context)
  abandonOperation(context)
  const read = () => readAs(pool, context, (reads) => reads.reserve(KIB)).catch(codeOf)
  expect(await read()).toBe('QUERY_TOO_SLOW')
  end()
  expect(await read()).toBe('QUERY_TOO_SLOW')
})

it('has the bounds that the limits of a server say', async () => {
  const limits = readLimitsOf({
    queriesReadBytesMax: 1_000 * KIB,
    queryReadBytesMax: 900 * KIB,
    queryTimeoutMs: 20,
  })
  const pool = new ReadPool(limits)
  const [first, second] = [pool.open(), pool.open()]
  await first.reserve(700 * KIB)
  expect(await second.reserve(800 * KIB).catch(codeOf)).toBe('QUERY_TOO_SLOW')
  first.end()
  expect(
    await pool
      .open()
      .reserve(901 * KIB)
      .catch(codeOf),
  ).toBe('QUERY_OVER_LIMIT')
})
