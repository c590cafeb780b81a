/** When operations get what was read for many of them: as much as there is room for, and a bounded piece in each turn. */
import { expect, it } from 'vitest'
import { HandOuts } from '../../../src/graphql/reading/hand-outs.ts'
import { type OperationReads, ReadPool } from '../../../src/graphql/reading/read-pool.ts'
import { RelationBatches } from '../../../src/graphql/reading/relation-batches.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
/** Each wait ends in a turn of the event loop of its own. */
function createTurns() {
  let last = Promise.resolve()
  return {
    wait() {
      last = last.then(turn)
      return last
    },
  }
}
const KIB = 1024

/** What reads rows of one author, and counts the copies that are made of them. */
function authorOf(rowCount: number) {
  let copied = 0
  const countCopies: ProxyHandler<object> = {
    ownKeys(target) {
      copied += 1
      return Reflect.ownKeys(target)
    },
  }
  const rows = Array.from({ length: rowCount }, (_, n) => new Proxy({ n }, countCopies))
  const delegate = { findMany: () => Promise.resolve([]), count: () => Promise.resolve(0) }
  const batches = new RelationBatches(new HandOuts(createTurns()))
  const read = (reads: OperationReads) =>
    batches.read({
      ...{ delegate, key: { authorId: 'a' }, query: {}, kind: 'list', reads },
      readAlone: () => Promise.resolve(rows),
    })
  return { rows, read, copies: () => copied }
}

it('copies are made piece by piece: in no turn more than a few hundred rows', async () => {
  const { rows, read, copies } = authorOf(1_000)
  const pool = new ReadPool()
  let isDone = false
  const answers = Promise.all(Array.from({ length: 10 }, () => read(pool.open()))).finally(() => {
    isDone = true
  })
  const steps: number[] = []
  for (let before = copies(); !isDone; before = copies()) {
    await turn()
    steps.push(copies() - before)
  }
  const given = await answers
  expect(new Set(given).size).toBe(10)
  expect(given.every((each) => Array.isArray(each) && each.length === rows.length)).toBe(true)
  // What they weigh is counted once, and they are copied for nine at the least: 1,024 values are 512 rows.
  const [weighed, ...pieces] = steps.filter((step) => step > 0)
  expect(weighed).toBe(1_000)
  expect(Math.max(...pieces)).toBeLessThanOrEqual(512)
  expect(pieces.reduce((sum, piece) => sum + piece, 0)).toBeGreaterThanOrEqual(9 * 1_000)
})

it('what an operation gets has room before it is copied, and is not copied where there is none', async () => {
  const { rows, read, copies } = authorOf(100)
  const pool = new ReadPool({ totalBytesMax: 600 * KIB, timeoutMs: 600_000 })
  const other = pool.open()
  await other.reserve(599 * KIB)
  const [first, second, over] = [pool.open(), pool.open(), pool.open()]
  // Who reads has the rows already, and counts for them; the others wait.
  const asked = [first, second, over].map((reads) => read(reads))
  const refused = expect(asked[2]).rejects.toMatchObject({ extensions: { code: 'QUERY_TOO_SLOW' } })
  await asked[0]
  const before = copies()
  for (let n = 0; n < 20; n += 1) await turn()
  expect(copies()).toBe(before)
  over.end()
  other.end()
  await refused
  expect(await asked[1]).toHaveLength(rows.length)
  for (const reads of [first, second]) reads.end()
  expect(pool.bytes).toBe(0)
})

it('rows that are no copies come in pieces as well', async () => {
  const reads = new ReadPool().open()
  const handOuts = new HandOuts(createTurns())
  const order: (number | 'turn')[] = []
  let given = 0
  for (let n = 0; n < 5; n += 1)
    handOuts.add(reads, {
      ...{ bytes: 80 * KIB, isCharged: true, refuse: (error) => expect.unreachable(String(error)) },
      async give() {
        order.push(n)
        given += 1
      },
    })
  while (given < 5) {
    await turn()
    order.push('turn')
  }
  expect(order.filter((each) => each !== 'turn')).toEqual([0, 1, 2, 3, 4])
  expect(order.lastIndexOf('turn', order.indexOf(2))).toBeGreaterThan(order.indexOf(1))
  expect(order.indexOf(4) - order.indexOf(3)).toBeGreaterThan(1)
})
