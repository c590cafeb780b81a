/** Long lists are made a slice at a time, and no answer shows it. */
import { buildSchema, execute, parse } from 'graphql'
import { expect, test } from 'vitest'
import { inSlices, SLICE_ITEMS, slicedList } from '../../../src/graphql/reading/sliced-list.ts'
import { sliceLists } from '../../../src/server/execution/slice-lists.ts'

const numbers = (length: number) => Array.from({ length }, (_, n) => n)

test.each([0, 1, SLICE_ITEMS, SLICE_ITEMS + 1, 3 * SLICE_ITEMS, 1_000])(
  '%i items: all, in order',
  async (length) => {
    const made = await Promise.all(slicedList(numbers(length), (n) => n * 2))
    expect(made).toEqual(numbers(length).map((n) => n * 2))
  },
)

test('between two turns no more than a slice is made', async () => {
  const counts: number[] = []
  let made = 0
  const begins: (() => void)[] = []
  const wait = () => new Promise<void>((resolve) => void begins.push(resolve))
  const items = Promise.all(
    slicedList(
      numbers(5 * SLICE_ITEMS),
      (n) => {
        made += 1
        return n
      },
      wait,
    ),
  )
  for (let turn = 0; turn < 5; turn += 1) {
    await new Promise<void>((resolve) => void setImmediate(resolve))
    counts.push(made)
    expect(begins.length).toBeLessThanOrEqual(1)
    begins.shift()?.()
  }
  expect(counts).toEqual([1, 2, 3, 4, 5].map((turn) => turn * SLICE_ITEMS))
  expect(await items).toHaveLength(5 * SLICE_ITEMS)
})

test('what throws in one item is of that item', async () => {
  const settled = await Promise.allSettled(
    slicedList(numbers(2 * SLICE_ITEMS), (n) => {
      if (n === SLICE_ITEMS + 9) throw new Error('no')
      return n
    }),
  )
  expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(1)
})

test('short lists, and whatever is no list, stay as they are', () => {
  const short = numbers(SLICE_ITEMS)
  for (const value of [null, undefined, 'x', {}, short]) expect(inSlices(value)).toBe(value)
  const promised = numbers(2 * SLICE_ITEMS).map((n) => Promise.resolve(n))
  expect(inSlices(promised)).toBe(promised)
  // Some are known already, the others are loaded, and may fail before their turn comes.
  const mixed = numbers(2 * SLICE_ITEMS).map((n) => (n % 2 === 0 ? n : Promise.resolve(n)))
  expect(inSlices(mixed)).toBe(mixed)
})

const SDL = `
  interface Named { name: String! }
  type Row implements Named { name: String! n: Int rows: [Row!]! }
  type Query { rows: [Row!]! later: [Row] named: [Named!]! twice: [[Row!]!]! names: [String!]! }
`
const DOCUMENT = parse('{ rows { n rows { n } } later { name } named { __typename name } twice { n } names }')

test('the answer is the same as without', async () => {
  const list = numbers(300).map((n) => ({ __typename: 'Row', name: `row ${n}`, n, rows: [{ n: -n }] }))
  const rootValue = {
    ...{ rows: list, later: async () => [...list, null], named: list },
    ...{ twice: () => [list, list], names: list.map(({ name }) => name) },
  }
  const run = async (isSliced: boolean) => {
    const schema = buildSchema(SDL)
    if (isSliced) {
      sliceLists(schema)
      // Two servers may have it.
      sliceLists(schema)
    }
    return JSON.stringify(await execute({ schema, document: DOCUMENT, rootValue }))
  }
  expect(await run(true)).toBe(await run(false))
})

test('an error in the middle of a list is where it would be', async () => {
  const at = SLICE_ITEMS + 20
  const rows = numbers(2 * SLICE_ITEMS).map((n) => ({ n, name: n === at ? null : 'x' }))
  const document = parse('{ rows { name } }')
  const run = (isSliced: boolean) => {
    const schema = buildSchema(SDL)
    if (isSliced) sliceLists(schema)
    return execute({ schema, document, rootValue: { rows } })
  }
  const [sliced, whole] = [await run(true), await run(false)]
  expect(JSON.stringify(sliced)).toBe(JSON.stringify(whole))
  expect(sliced.errors?.[0]?.path).toEqual(['rows', at, 'name'])
})

test('a DataLoader asks once for each slice', async () => {
  const batches: number[] = []
  const schema = buildSchema(SDL)
  sliceLists(schema)
  const loader = createGatherer((keys) => batches.push(keys))
  const rows = numbers(1_000).map((n) => ({ n, name: () => loader(`row ${n}`) }))
  const document = parse('{ rows { name } }')
  const { errors, data } = await execute({ schema, document, rootValue: { rows } })
  expect(errors).toBeUndefined()
  expect(data?.['rows']).toHaveLength(1_000)
  expect(batches).toEqual([256, 256, 256, 232])
})

/** Gathers what is asked for as DataLoader does: until the promises of the turn have run. */
function createGatherer(onBatch: (keys: number) => void) {
  let waiting: (() => void)[] = []
  return <Key>(key: Key) =>
    new Promise<Key>((resolve) => {
      if (waiting.length === 0) void Promise.resolve().then(() => process.nextTick(dispatch))
      waiting.push(() => resolve(key))
    })

  function dispatch(): void {
    const batch = waiting
    waiting = []
    onBatch(batch.length)
    for (const each of batch) each()
  }
}
