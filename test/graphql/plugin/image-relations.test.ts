import { describe, expect, it } from 'vitest'
import type { AnyRow } from '../../../src/changes/change.ts'
import { loadRelations, relationsOf } from '../../../src/graphql/plugin/image-relations.ts'
import { BoundedReader } from '../../../src/graphql/reading/bounded-reader.ts'
import { createReadBounds } from '../../../src/graphql/reading/paged-client.ts'
import { isImage, toImage } from '../../../src/graphql/subscription/image-rows.ts'
import { blogCatalog, blogModel } from '../blog-catalog.ts'
import { createRecordingPrisma } from '../recording-prisma.ts'

const answers = Object.fromEntries(
  ['user', 'profile', 'post', 'tag', 'membership', 'duty'].flatMap((model) => [
    [`${model}.findUnique`, (): unknown => ({ from: model })],
    [`${model}.findFirst`, (): unknown => ({ from: model })],
    [`${model}.findMany`, (): unknown => [{ from: model }]],
    [`${model}.count`, (): unknown => 3],
  ]),
)

async function load(model: string, row: AnyRow, selection: object, visible: Record<string, object> = {}) {
  const client = createRecordingPrisma(answers)
  const image = toImage(model, Object.freeze(row))
  const reader = new BoundedReader(client, { ...createReadBounds(blogCatalog), rowsMax: undefined })
  const reads = reader.pool.open()
  const source = {
    catalog: blogCatalog,
    reader,
    reads,
    visible: async (name: string) => visible[name] ?? null,
  }
  const loaded = await loadRelations(source, blogModel(model), image, selection)
  return { loaded, calls: client.calls.map(({ call, query }) => [call, query]) }
}

describe('loadRelations', () => {
  it('follows a foreign key, by findUnique so that Prisma can batch', async () => {
    const include = { author: { include: { posts: true } }, parent: true }
    const { loaded, calls } = await load('Post', { id: 7, authorId: 'ada', parentId: 3 }, { include })
    expect(loaded).toEqual({
      id: 7,
      authorId: 'ada',
      parentId: 3,
      author: { from: 'user', posts: [] },
      parent: { from: 'post' },
    })
    expect(calls).toEqual([
      ['post.findUnique', { where: { id: 3 } }],
      ['user.findUnique', { omit: { id: false }, where: { id: 'ada' } }],
    ])
  })

  it('asks nothing of a foreign key that is null', async () => {
    const { loaded, calls } = await load('Post', { id: 7, authorId: null }, { include: { author: true } })
    expect(loaded['author']).toBeNull()
    expect(calls).toEqual([])
  })

  it('follows a composite key, and one with a filter, by findFirst', async () => {
    const duty = { id: 1, userId: 'ada', team: 'core' }
    expect((await load('Duty', duty, { select: { membership: { select: { since: true } } } })).calls).toEqual(
      [['membership.findFirst', { select: { since: true }, where: { userId: 'ada', team: 'core' } }]],
    )
    const filtered = { include: { author: { where: { role: 'ADMIN' } } } }
    expect((await load('Post', { authorId: 'ada' }, filtered)).calls).toEqual([
      ['user.findFirst', { where: { AND: [{ id: 'ada' }, { role: 'ADMIN' }] } }],
    ])
  })

  it('asks for lists and counts of what the viewer may see', async () => {
    const visible = { Post: { title: 'mine' } }
    const include = { posts: { where: { body: 'x' }, take: 2 }, _count: { select: { posts: true } } }
    const { calls } = await load('User', { id: 'ada' }, { include }, visible)
    expect(new Map(calls as [string, unknown][])).toEqual(
      new Map<string, unknown>([
        [
          'post.findMany',
          {
            where: { AND: [{ authorId: 'ada' }, { AND: [{ body: 'x' }, { title: 'mine' }] }] },
            take: 2,
          },
        ],
        ['post.count', { where: { AND: [{ authorId: 'ada' }, { title: 'mine' }] } }],
      ]),
    )
  })

  it('finds the other side of a one-to-one', async () => {
    expect((await load('User', { id: 'ada' }, { include: { profile: true } })).calls).toEqual([
      ['profile.findUnique', { where: { userId: 'ada' } }],
    ])
  })

  it('finds the many whose foreign key points here, with order, page and filter kept', async () => {
    const posts = { take: 2, skip: 1, orderBy: [{ id: 'asc' }], where: { title: 'x' } }
    const { loaded, calls } = await load('User', { id: 'ada' }, { include: { posts } })
    expect(loaded['posts']).toEqual([{ from: 'post' }])
    expect(calls).toEqual([
      ['post.findMany', { ...posts, where: { AND: [{ authorId: 'ada' }, { title: 'x' }] } }],
    ])
  })

  it('distinguishes the two ends of a self-relation', async () => {
    expect((await load('Post', { id: 7, parentId: null }, { include: { replies: true } })).calls).toEqual([
      ['post.findMany', { where: { parentId: 7 } }],
    ])
  })

  it('goes through the join table of an implicit many-to-many', async () => {
    expect((await load('Post', { id: 7 }, { include: { tags: true } })).calls).toEqual([
      ['tag.findMany', { where: { posts: { some: { id: 7 } } } }],
    ])
  })

  it('counts relations, one or all of the lists', async () => {
    const some = { select: { posts: { where: { title: 'x' } } } }
    const one = await load('User', { id: 'ada' }, { include: { _count: some } })
    expect(one.loaded['_count']).toEqual({ posts: 3 })
    expect(one.calls).toEqual([['post.count', { where: { AND: [{ authorId: 'ada' }, { title: 'x' }] } }]])
    const all = await load('Post', { id: 7 }, { include: { _count: true } })
    expect(all.loaded['_count']).toEqual({ replies: 3, tags: 3 })
  })

  it('leaves the image itself alone, and returns it when only columns are selected', async () => {
    const row = Object.freeze({ id: 7, authorId: 'ada' })
    const { loaded } = await load('Post', row, { select: { id: true, title: true } })
    expect(loaded).toBe(row)
    const extended = (await load('Post', row, { include: { author: true } })).loaded
    expect(extended).not.toBe(row)
    expect(Object.keys(row)).toEqual(['id', 'authorId'])
    expect(isImage(extended)).toBe(true)
  })

  it('knows columns from relations', () => {
    const selection = { select: { id: true, posts: true, profile: false, _count: true } }
    expect([...relationsOf(blogModel('User'), selection).keys()]).toEqual(['posts', '_count'])
  })
})
