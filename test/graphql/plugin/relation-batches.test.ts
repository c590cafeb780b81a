/** Which reads become one query, and what becomes of those that cannot. */
import type { GraphQLError } from 'graphql'
import { describe, expect, it } from 'vitest'
import { RelationBatches, type RelationRead } from '../../../src/graphql/plugin/relation-batches.ts'
import type { PrismaDelegate } from '../../../src/graphql/prisma-delegate.ts'

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
  const read = (key: Readonly<Record<string, unknown>>, query = {}): RelationRead => ({
    ...{ delegate, model: 'Post', key, query },
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
      ['a', 'b', 'a', 'c'].map((authorId) => batches.readList(read({ authorId }, page))),
    )
    expect(results).toEqual([[{ title: '1' }], [{ title: '3' }], [{ title: '1' }], []])
    expect(queries).toEqual([
      {
        ...{ select: { title: true, authorId: true }, where: { authorId: { in: ['a', 'b', 'c'] } } },
        ...{ orderBy: [{ authorId: 'asc' }, { id: 'asc' }], take: 13 },
      },
    ])
    expect(alone).toEqual([])
  })

  it('are made alone where there is one key, or a page that other rows cannot be cut into', async () => {
    const { queries, alone, read } = table(async () => rows)
    const batches = new RelationBatches()
    expect(
      await Promise.all([
        batches.readList(read({ authorId: 'a' })),
        batches.readOne(read({ authorId: 'a' })),
      ]),
    ).toEqual(['alone', 'alone'])
    const cut = [{ cursor: { id: 1 } }, { take: -1 }, { distinct: ['title'] }]
    await Promise.all(
      cut.flatMap((query) => ['a', 'b'].map((authorId) => batches.readList(read({ authorId }, query)))),
    )
    expect(queries).toEqual([])
    expect(alone).toHaveLength(2 + 6)
  })

  it('are made alone where PostgreSQL calls keys equal that look different', async () => {
    const { alone, read } = table(async () => [{ authorId: 'A', title: '1' }])
    const batches = new RelationBatches()
    await Promise.all(['a', 'b'].map((authorId) => batches.readList(read({ authorId }))))
    expect(alone).toEqual([{ authorId: 'a' }, { authorId: 'b' }])
  })

  it('of a crowded page give the keys that came whole, and read the others alone', async () => {
    const many = (authorId: string, count: number) =>
      Array.from({ length: count }, (_, n) => ({ authorId, title: `${n}` }))
    const { alone, read } = table(async ({ take }) => [...many('a', 2), ...many('b', 20)].slice(0, take))
    const batches = new RelationBatches()
    const results = await Promise.all(
      ['a', 'b', 'c'].map((authorId) => batches.readList(read({ authorId }, { take: 1 }))),
    )
    expect(results).toEqual([[{ authorId: 'a', title: '0' }], 'alone', 'alone'])
    expect(alone).toEqual([{ authorId: 'b' }, { authorId: 'c' }])
  })

  it('run four at a time, and those that take too long fail with a code', async () => {
    const batches = new RelationBatches(50)
    let running = 0
    let most = 0
    const { read } = table(async () => rows)
    const slow = {
      ...read({ id: 1 }),
      readAlone: () =>
        new Promise(() => {
          running += 1
          most = Math.max(most, running)
        }),
    }
    const failures = await Promise.all(
      Array.from({ length: 9 }, () =>
        batches.readAlone(slow).catch((error: GraphQLError) => error.extensions['code']),
      ),
    )
    expect(new Set(failures)).toEqual(new Set(['RELATION_TOO_SLOW']))
    expect(most).toBe(4)
  })
})
