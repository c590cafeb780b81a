/** What the images of one result may read together. */
import { expect, it } from 'vitest'
import { ReadPool } from '../../../src/graphql/reading/read-pool.ts'
import { beginResult, budgetOfImage, noteImage } from '../../../src/graphql/reading/result-budgets.ts'

const KIB = 1024
const codeOf = (error: { readonly extensions?: unknown }) => Object(error.extensions).code

it('is one budget, also of those that are over; another result, and another context, has its own', async () => {
  const pool = new ReadPool({ operationBytesMax: 1_000 * KIB })
  const [context, event, other] = [{}, {}, {}]
  const [first, second, ofOther] = [{}, {}, {}]
  const end = beginResult(context, event)
  beginResult(context, other)
  for (const row of [first, second]) noteImage(context, event, row)
  noteImage(context, other, ofOther)
  const read = async (row: object, kib: number, of: object = context) => {
    const reads = pool.open(budgetOfImage(of, row))
    try {
      await reads.reserve(kib * KIB)
      reads.settle((kib / 2) * KIB, kib * KIB)
    } finally {
      reads.end()
    }
  }
  await read(first, 800) // 400 have come
  expect(pool.bytes).toBe(0)
  await read(second, 600) // and 300
  expect(await read(second, 301).catch(codeOf)).toBe('QUERY_OVER_LIMIT')
  // Nothing is read for it any more.
  expect(await read(first, 1).catch(codeOf)).toBe('QUERY_OVER_LIMIT')
  await read(ofOther, 900)
  await read(first, 900, {})
  end()
  await read(first, 900)
  expect(pool.bytes).toBe(0)
})
