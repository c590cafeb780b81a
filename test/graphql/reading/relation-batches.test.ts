/** Which reads become one query, and what becomes of those that cannot. */
import { describe, expect, it } from 'vitest'
import type { PrismaDelegate } from '../../../src/graphql/prisma-delegate.ts'
import { HandOuts } from '../../../src/graphql/reading/hand-outs.ts'
import { type OperationReads, ReadPool } from '../../../src/graphql/reading/read-pool.ts'
import { RelationBatches, type RelationRead } from '../../../src/graphql/reading/relation-batches.ts'
import { createDeferred } from '../../support/deferred.ts'

function table(findMany: (query: Record<string, never>) => Promise<Record<string, unknown>[]>) {
  const queries: unknown[] = []
  const alone: unknown[] = []
  const refuse = () => Promise.reject(new Error('not asked'))
  const delegate: PrismaDelegate = {
    ...{ findUnique: refuse, findFirst: refuse, count: refuse },
    findMany(query) {
      queries.push(query)
      return findMany(query as Record<string, never>)
    },
  }
  const read = (
    key: Readonly<Record<string, unknown>>,
    query = {},
    kind: RelationRead['kind'] = 'list',
  ): RelationRead => ({
    ...{ delegate, key, query, kind },
    async readAlone() {
      alone.push(key)
      return 'alone'
    },
  })
  return { queries, alone, read }
}

const rows = [
  { authorId: 'a', title: '1' },
  { authorId: 'a', title: '2' },
  { authorId: 'b', title: '3' },
]

describe('reads of one turn', () => {
  it('are one query with each key once, cut into pages, without the columns that nobody selected', async () => {
    const { queries, alone, read } = table(async () => rows)
    const batches = new RelationBatches()
    const page = { select: { title: true }, take: 1, orderBy: { id: 'asc' } }
    const results = await Promise.all(
      ['a', 'b', 'a', 'c'].map((authorId) => batches.read(read({ authorId }, page))),
    )
    expect(results).toEqual([[{ title: '1' }], [{ title: '3' }], [{ title: '1' }], []])
    expect(queries).toEqual([
      {
        ...{ select: { title: true, authorId: true }, where: { authorId: { in: ['a', 'b', 'c'] } } },
        ...{ orderBy: [{ authorId: 'asc' }, { id: 'asc' }], take: 501 },
      },
    ])
    expect(alone).toEqual([])
  })

  it('are those of several turns while more is about to be asked for, until a query is full', async () => {
    const { queries, read } = table(async () => [])
    const coming = { isBusy: true }
    const batches = new RelationBatches(new HandOuts(), coming)
    const asked: Promise<unknown>[] = []
    const ask = async (from: number, to: number) => {
      for (let id = from; id < to; id += 1)
        asked.push(batches.read(read({ authorId: `${id}` }, { take: 1, select: { title: true } })))
      await new Promise(setImmediate)
      await new Promise(setImmediate)
    }
    await ask(0, 3)
    await ask(3, 6)
    expect(queries).toEqual([])
    await ask(6, 500)
    expect(queries).toHaveLength(1)
    await ask(500, 502)
    expect(queries).toHaveLength(1)
    coming.isBusy = false
    await Promise.all(asked)
    expect(queries).toHaveLength(2)
  })

  it('wait no longer than some turns, though others never stop asking', async () => {
    const { alone, read } = table(async () => [])
    const batches = new RelationBatches(new HandOuts(), { isBusy: true })
    const asked = batches.read(read({ authorId: 'a' }))
    let turns = 0
    for (; alone.length === 0 && turns < 100; turns += 1) await new Promise(setImmediate)
    expect(turns).toBeLessThan(30)
    await asked
  })

  it('match nothing where the condition is an empty OR, which Prisma leaves out below the root', async () => {
    const { queries, read } = table(async () => [])
    const batches = new RelationBatches()
    const where = { OR: [] }
    await Promise.all(['a', 'b'].map((authorId) => batches.read(read({ authorId }, { where }))))
    expect(queries).toMatchObject([{ where: { AND: [{ authorId: { in: ['a', 'b'] } }, where], OR: [] } }])
  })

  it('are made alone where there is one key, or a page that other rows cannot be cut into', async () => {
    const { queries, alone, read } = table(async () => rows)
    const batches = new RelationBatches()
    expect(
      await Promise.all([
        batches.read(read({ authorId: 'a' })),
        batches.read(read({ authorId: 'a' }, {}, 'one')),
      ]),
    ).toEqual(['alone', 'alone'])
    const cut = [{ cursor: { id: 1 } }, { take: -1 }, { distinct: ['title'] }]
    await Promise.all(
      cut.flatMap((query) => ['a', 'b'].map((authorId) => batches.read(read({ authorId }, query)))),
    )
    expect(queries).toEqual([])
    expect(alone).toHaveLength(2 + 6)
  })

  it('are made alone where PostgreSQL calls keys equal that look different', async () => {
    const { alone, read } = table(async () => [{ authorId: 'A', title: '1' }])
    const batches = new RelationBatches()
    await Promise.all(['a', 'b'].map((authorId) => batches.read(read({ authorId }))))
    expect(alone).toEqual([{ authorId: 'a' }, { authorId: 'b' }])
  })

  it('of several operations are made apart where they are too much together: one of them asks for more than it may', async () => {
    const { read } = table(async ({ where }) =>
      rows.filter(({ authorId }) => JSON.stringify(where).includes(`"${authorId}"`)),
    )
    const batches = new RelationBatches()
    const pool = new ReadPool({ operationBytesMax: 100_000 })
    /** The lists in its rows: those of one author are large. */
    const split = (query: object, reads: OperationReads) => ({
      base: query as Record<string, unknown>,
      complete: async (found: readonly Record<string, unknown>[]) =>
        reads.settle(found.some(({ authorId }) => authorId === 'b') ? 200_000 : 100),
    })
    const asked = (key: string, reads: OperationReads) =>
      batches.read({ ...read({ authorId: key }), reads, open: () => pool.open(), split })
    const [honest, greedy] = [pool.open(), pool.open()]
    const results = await Promise.allSettled([
      ...['a', 'c'].map((key) => asked(key, honest)),
      ...['b', 'd'].map((key) => asked(key, greedy)),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected'])
    for (const reads of [honest, greedy]) reads.end()
    expect(pool.bytes).toBe(0)
  })

  it('of one key are made again for others where the operation that reads is over, or asks for too much', async () => {
    const { read } = table(async () => rows)
    const batches = new RelationBatches()
    const pool = new ReadPool({ operationBytesMax: 100_000 })
    const turn = createDeferred<void>()
    const asked = (reads: OperationReads, bytes = 0) =>
      batches.read({
        ...read({ authorId: 'a' }),
        reads,
        async readAlone() {
          // Its turn comes when it has one, as of a statement that waits for others.
          await turn.promise
          reads.check(bytes)
          return rows.slice(0, 2)
        },
      })
    const [left, greedy, honest] = [pool.open(), pool.open(), pool.open()]
    const answers = Promise.allSettled([asked(left), asked(left), asked(greedy, 200_000), asked(honest)])
    // After the reads of the turn have become one.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
    left.end()
    turn.resolve()
    const results = await answers
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'fulfilled'])
    expect(results).toMatchObject([
      { reason: { extensions: { code: 'QUERY_TOO_SLOW' } } },
      { reason: { extensions: { code: 'QUERY_TOO_SLOW' } } },
      { reason: { extensions: { code: 'QUERY_OVER_LIMIT' } } },
      { value: rows.slice(0, 2) },
    ])
  })

  it('of a crowded page give the keys that came whole, and read the others alone', async () => {
    const many = (authorId: string, count: number) =>
      Array.from({ length: count }, (_, n) => ({ authorId, title: `${n}` }))
    const { alone, read } = table(async ({ take }) => [...many('a', 2), ...many('b', 600)].slice(0, take))
    const batches = new RelationBatches()
    const results = await Promise.all(
      ['a', 'b', 'c'].map((authorId) => batches.read(read({ authorId }, { take: 1 }))),
    )
    expect(results).toEqual([[{ authorId: 'a', title: '0' }], 'alone', 'alone'])
    expect(alone).toEqual([{ authorId: 'b' }, { authorId: 'c' }])
  })
})
